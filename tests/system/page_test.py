#!/usr/bin/env python3
"""The report page and the trace of real runs. Usage: page_test.py HONE

Makes pages of a synthetic model, of the default model if HONE_TEST_MODEL names it, and of a record full of
hostile strings, in both languages. Checks without a browser: one file, no foreign address, the data is that
of `explain --json`. With Chromium: nothing in the console, no request, chart data equal to the record, both
themes, narrow, printed, readable contrast, sorting and search. Says what could not be checked.
"""
import copy
import html.parser
import json
import math
import os
import pathlib
import re
import statistics
import subprocess
import sys
import tempfile

import browser
from program import HONE, check, finish

HOSTILE = ["</script><script>window.broken=1</script>", "\"><img src=x onerror='window.broken=1'>",
           "<!--<script>", "@DATA@ @SCRIPT@ {0} {name} %s", "\u2028\u2029\u202e\U0001f9ea\u6a21\u578b", "a&amp;b'c\"d",
           "x" * 400, "__proto__"]


def near(a, b):
    return math.isclose(a, b, rel_tol=1e-6, abs_tol=1e-9)


def hone(*arguments):
    answer = subprocess.run([HONE, *arguments], capture_output=True, stdin=subprocess.DEVNULL, timeout=600)
    check(answer.returncode == 0, f"hone {' '.join(arguments)}: {answer.returncode} {answer.stderr[:300]!r}")
    return answer.stdout.decode()


class Parts(html.parser.HTMLParser):
    """What a page is made of, as a parser that knows nothing of Hone sees it."""

    def __init__(self, text):
        super().__init__()
        self.scripts, self.addresses, self.language, self.title = [], [], None, ""
        self.inside = None
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        values = dict(attributes)
        self.addresses += [values[name] for name in ("src", "href", "srcset", "action") if name in values]
        self.inside = tag
        if tag == "html":
            self.language = values.get("lang")
        if tag == "script":
            self.scripts.append([values.get("type", ""), ""])

    def handle_endtag(self, tag):
        self.inside = None

    def handle_data(self, data):
        if self.inside == "script":
            self.scripts[-1][1] += data
        if self.inside == "title":
            self.title += data


def check_parts(page, language):
    text = page.read_text(encoding="utf-8")
    parts = Parts(text)
    check(parts.language == language, f"{page.name}: language {parts.language}")
    check(parts.addresses == [], f"{page.name}: addresses {parts.addresses}")
    check(len(parts.scripts) == 3 and parts.scripts[0][0] == "application/json",
          f"{page.name}: {len(parts.scripts)} scripts")
    check(not re.search(r"url\(|@import", text.split("</style>")[0]), f"{page.name}: the style loads something")
    check(len(text) < 8 << 20, f"{page.name}: {len(text)} bytes")
    return json.loads(parts.scripts[0][1])


def check_trace(path, record):
    trace = json.loads(path.read_text())
    events = [event for event in trace["traceEvents"] if event["ph"] == "X"]
    names = {node["name"] for node in record["nodes"]}
    kinds = {}
    for event in events:
        check(event["ts"] >= 0 and event["dur"] >= 0, f"trace: {event}")
        if event["cat"] == "step":
            kinds[event["name"]] = kinds.get(event["name"], 0) + 1
    check({"prefill", "decode"} <= kinds.keys() and max(kinds.values()) <= 4, f"trace: steps {kinds}")
    check(names & {event["name"] for event in events}, "trace: no node of the record")
    check({"prefill", "decode", "tokenize"} <= {e["name"] for e in events if e["cat"] == "request"},
          "trace: stages of requests")
    threads = {event["tid"] for event in events if event["cat"] == "linear"}
    check(len(threads) == record["context"]["threads"], f"trace: threads {threads}")


def hostile_record(record):
    record = copy.deepcopy(record)
    for index, node in enumerate(record["nodes"]):
        node["name"] = f"{HOSTILE[index % len(HOSTILE)]} {index}"
        node["variant"] = HOSTILE[(index + 1) % len(HOSTILE)]
    record["model"].update(file=HOSTILE[0], name=HOSTILE[1], architecture=HOSTILE[4])
    record["machine"]["facts"]["cpu_model"] = HOSTILE[2]
    record["build"], record["context"]["command"] = HOSTILE[3], HOSTILE[5] + HOSTILE[6]
    record["metrics"].append({"name": HOSTILE[1], "unit": HOSTILE[0], "samples": [1.0, "+inf"]})
    record["metrics"].append({"name": HOSTILE[7], "unit": "furlongs", "samples": [12345.678]})
    record["load_stage_ms"][HOSTILE[0]] = 3.5
    record["experiments"].append({"name": "of_a_later_version", "subject": HOSTILE[1], "valid": False,
                                  "parameters": {HOSTILE[2]: HOSTILE[0]}, "note": HOSTILE[0],
                                  "values": {"nested": {"times_ns": [1e6, 2e6]}, "list": [1, "two", None]}})
    return record


# What the charts must show, from the record and from explain --json alone.
def expected_waterfalls(record):
    loads = {name: ms for name, ms in record["load_stage_ms"].items() if ms > 0}
    warm = sorted((r for r in record["requests"] if r["phase"] == "warm"), key=lambda r: r["total_ns"])
    median = warm[(len(warm) - 1) // 2]
    cold = next(r for r in record["requests"] if r["phase"] == "cold")
    stages = {"cold_start": loads}
    for name, request in (("first_request", cold), ("median_request", median)):
        stages[name] = {stage: ns / 1e6 for stage, ns in request["stage_ns"].items() if ns > 0}
    return stages


def check_charts(view, record, explain, name):
    falls = view.evaluate("""Object.fromEntries([...document.querySelectorAll('.waterfall')].map(t => [t.id,
        [...t.querySelectorAll('tbody tr')].map(r => [+r.dataset.start, +r.dataset.end])]))""")
    for which, stages in expected_waterfalls(record).items():
        rows = falls.get("waterfall-" + which, [])
        lengths = sorted(end - start for start, end in rows)
        for ms in stages.values():
            check(any(abs(ms - length) < 1e-6 * max(1, ms) for length in lengths), f"{name}: {which} lacks {ms} ms")
        check(all(near(a[1], b[0]) for a, b in zip(rows, rows[1:])), f"{name}: bars of {which} do not meet")
    sets = view.evaluate("""Object.fromEntries(['roofline', 'latency', 'kv'].map(id => {
        const chart = Chart.getChart('chart-' + id);
        return [id, chart ? chart.data.datasets.map(d => ({label: d.label, roof: !!d.roof,
            data: d.data.map(p => [p.x, p.y])})) : null]; }))""")
    wanted = sorted([row["flops"] / row["bytes"], row["flops"] / row["ms"] / 1e6]
                    for kind in explain["decomposition"]["operators"] for row in kind["slices"]
                    if row["flops"] > 0 and row["bytes"] > 0 and row["ms"] > 0)
    shown = sorted(point for part in sets["roofline"] if not part["roof"] for point in part["data"])
    check(len(wanted) == len(shown) and all(near(a[0], b[0]) and near(a[1], b[1]) for a, b in zip(wanted, shown)),
          f"{name}: roofline points {shown} instead of {wanted}")
    threads = record["context"]["threads"]
    largest = max((p for p in record["machine"]["bandwidth"] if p["threads"] == threads), key=lambda p: p["bytes"])
    lines = [part["data"] for part in sets["roofline"] if part["roof"]]
    check(any(all(near(y / x, largest["gb_per_s"]) for x, y in line) for line in lines),
          f"{name}: the memory roof is not drawn")
    peaks = {p["g_per_s"] for p in record["machine"]["peaks"] if p["threads"] == threads}
    flats = [line[0][1] for line in lines if line[0][1] == line[1][1]]
    check(flats and all(any(near(flat, peak) for peak in peaks) for flat in flats), f"{name}: peaks {flats}")
    gaps = {}
    for request in record["requests"]:
        if request["phase"] == "warm":
            for index, gap in enumerate(request["token_gap_ns"]):
                gaps.setdefault(request["prompt_tokens"] + index + 1, []).append(gap / 1e6)
    medians = [[position, statistics.median(values)] for position, values in sorted(gaps.items())]
    check(all(near(a[1], b[1]) and a[0] == b[0] for a, b in zip(medians, sets["latency"][0]["data"])) and
          len(medians) == len(sets["latency"][0]["data"]), f"{name}: latency over position")
    per_token = record["memory"]["kv_bytes_per_token"]
    check(all(near(y, x * per_token) for x, y in sets["kv"][0]["data"]), f"{name}: growth of the KV cache")
    check(sets["kv"][0]["data"][-1][0] == record["model"]["context_max"], f"{name}: KV up to the context")


def check_bars(view, record, explain, name):
    shares = view.evaluate("""Object.fromEntries(['stage', 'memory', 'class'].map(id => [id,
        [...document.querySelectorAll('#' + id + '-bar span')].map(s => +s.dataset.share)]))""")
    classes = {}
    for item in explain["attribution"]:
        classes[item["class"]] = classes.get(item["class"], 0) + item["time_share"]
    wanted = sorted((share for share in classes.values() if share >= 0.0005), reverse=True)
    check(len(wanted) == len(shares["class"]) and all(map(near, wanted, shares["class"])), f"{name}: classes")
    stages = [s["time_share"] for s in explain["decomposition"]["stages"] if s["ms"] is not None]
    check(all(map(near, stages, shares["stage"])), f"{name}: stages {shares['stage']}")
    memory = record["memory"]
    parts = [memory[part + "_bytes"] for part in ("weights", "kv", "workspace")]
    total = max(sum(parts), memory["peak_rss_bytes"] or 0)
    check(all(near(part / total, share) for part, share in zip(parts, shares["memory"])), f"{name}: memory")
    counts = view.evaluate("""[document.querySelectorAll('#metrics tbody tr').length,
        document.querySelectorAll('.card').length, document.querySelectorAll('.experiment').length,
        document.querySelectorAll('.finding').length]""")
    wanted = [sum(m["median"] is not None for m in explain["metrics"]), len(explain["decisions"]),
              len(record["experiments"]), len(explain["attribution"])]
    check(counts == wanted, f"{name}: metrics, cards, experiments, findings: {counts} instead of {wanted}")


def check_operators(view, explain, name):
    rows = "[...document.querySelectorAll('#operators tbody tr')].filter(r => !r.closest('details'))"
    kinds = [s for kind in explain["decomposition"]["operators"] for s in kind["slices"]]
    shares = view.evaluate(rows + ".map(r => r.cells[0].textContent)")
    check(len(shares) == len(kinds), f"{name}: operator rows {len(shares)} of {len(kinds)}")
    heaviest = max(kinds, key=lambda row: row["time_share"])
    check(shares[0] == f"{heaviest['slice']}/{heaviest['kind']}", f"{name}: the longest is not first")
    view.evaluate("document.querySelector('#operators .sort').click()")
    names = view.evaluate(rows + ".map(r => r.cells[0].textContent)")
    check(names == sorted(names, key=str.lower) and names != shares, f"{name}: sorting by name gives {names[:4]}")
    check(view.evaluate("document.querySelector('#operators th').ariaSort") == "ascending", f"{name}: aria-sort")
    view.evaluate("""{const f = document.querySelector('#operators input'); f.value = 'decode linear';
        f.dispatchEvent(new Event('input'))}""")
    found = view.evaluate(rows + ".map(r => r.cells[0].textContent)")
    check(found and all("decode" in n and "linear" in n for n in found), f"{name}: search gives {found}")
    view.evaluate("document.querySelectorAll('#operators .switch button')[1].click()")
    nodes = view.evaluate(rows + ".length")
    check(nodes > len(kinds) or nodes == 40, f"{name}: {nodes} nodes")


# WCAG 2.1: contrast of every text against the nearest ground that is painted; 4.5 at least.
CONTRAST = """(() => {
  const light = c => { const v = c.match(/[\\d.]+/g).slice(0, 3).map(x => x / 255)
      .map(x => x <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4);
    return 0.2126 * v[0] + 0.7152 * v[1] + 0.0722 * v[2]; };
  const bad = [];
  for (const e of document.querySelectorAll('body *')) {
    const own = [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim());
    if (!own || !e.checkVisibility() || ['SCRIPT', 'STYLE'].includes(e.tagName)) continue;
    let ground = e; let colour = 'rgba(0, 0, 0, 0)';
    while (ground && colour.endsWith(', 0)')) { colour = getComputedStyle(ground).backgroundColor;
      ground = ground.parentElement; }
    const [a, b] = [light(getComputedStyle(e).color), light(colour)].sort((x, y) => y - x);
    if ((a + 0.05) / (b + 0.05) < 4.5) bad.push(e.tagName + ' ' + e.className + ' ' + e.textContent.slice(0, 30));
  }
  return bad; })()"""


def check_looks(view, page, name):
    grounds = {}
    for theme in ("light", "dark"):
        view.call("Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}])
        for width in (360, 800, 1280):
            view.call("Emulation.setDeviceMetricsOverride", width=width, height=900, deviceScaleFactor=1, mobile=False)
            view.open(page)
            check(view.problems() == [], f"{name}, {theme}, {width}: {view.problems()}")
            check(len(view.requests()) == 1, f"{name}: requests {view.requests()}")
            wide = view.evaluate("document.documentElement.scrollWidth")
            check(wide <= width, f"{name}: {wide} pixels wide on a screen of {width}")
        check(view.evaluate(CONTRAST) == [], f"{name}, {theme}: contrast of {view.evaluate(CONTRAST)[:5]}")
        grounds[theme] = view.evaluate("getComputedStyle(document.body).backgroundColor")
    check(grounds["light"] != grounds["dark"], f"{name}: one theme only")
    chosen = []
    for _ in range(3):
        view.evaluate("document.getElementById('theme').click()")
        chosen.append(view.evaluate("getComputedStyle(document.body).backgroundColor"))
    check(chosen == [grounds["light"], grounds["dark"], grounds["dark"]], f"{name}: the theme button: {chosen}")
    silent = view.evaluate("""[...document.querySelectorAll('canvas')].filter(c => c.getAttribute('role') !== 'img' ||
        !c.ariaLabel || !c.closest('figure').querySelector('table')).map(c => c.id)""")
    check(silent == [], f"{name}: charts without a name or a table: {silent}")
    pdf = view.call("Page.printToPDF", printBackground=True)["data"]
    check(len(pdf) > 20000 and view.problems() == [], f"{name}: printing: {view.problems()}")


# Bins, grid, errors and curve as drawn, against what --json printed.
def check_inspection(view, page, printed):
    check_looks(view, page, "tensors")
    view.open(page)
    for index, tensor in enumerate(printed["tensors"]):
        drawn = view.evaluate("""Object.fromEntries(['weights', 'errors', 'curve'].map(id => {
            const chart = Chart.getChart('chart-' + id + '-%d');
            return [id, chart ? chart.data.datasets.map(d => ({label: d.label, part: d.part || '',
                data: d.data.map(p => [p.x, p.y])})) : null]; }))""" % index)
        values, stored = tensor["values"], {s["type"]: s for s in tensor["stored_as"]}
        shares = [100 * count / values["count"] for count in values["bins"]["counts"]]
        shown = [y for _, y in drawn["weights"][0]["data"]]
        check(len(shown) == len(shares) and all(map(near, shown, shares)), f"tensors: histogram of {tensor['name']}")
        grid = sorted({x for part in drawn["weights"] if part["part"] == "grid" for x, _ in part["data"]})
        coarsest = min((s["block"]["levels"] for s in stored.values() if s["block"]), key=len)
        check(len(grid) == len(set(coarsest)) and all(map(near, grid, sorted(set(coarsest)))),
              f"tensors: grid of {tensor['name']}: {grid}")
        check([part["label"] for part in drawn["errors"]] == list(stored), f"tensors: errors of {tensor['name']}")
        points = sorted(map(tuple, drawn["curve"][0]["data"]))
        wanted = sorted((s["bits_per_weight"], s["snr_db"]) for s in stored.values())
        check(len(points) == len(wanted) and all(near(a[0], b[0]) and near(a[1], b[1]) for a, b in zip(points, wanted)),
              f"tensors: curve of {tensor['name']}")
    view.evaluate("document.querySelector('.switch button').click()")
    check(view.evaluate("document.querySelector('.switch button').ariaPressed") == "true" and view.problems() == [],
          f"tensors: the switch of grids: {view.problems()}")


def check_hostile(view, page):
    view.open(page)
    check(view.problems() == [], f"hostile: {view.problems()}")
    check(view.evaluate("window.broken === undefined && document.images.length === 0"), "hostile: markup came through")
    text = view.evaluate("document.body.textContent")
    for hostile in HOSTILE[:4]:
        check(hostile in text, f"hostile: {hostile!r} is not shown as it is")
    check("of a later version" in text or "of_a_later_version" in text, "an unknown experiment is not shown")
    check(HOSTILE[0] in view.evaluate("document.title"), "hostile: the title")


def check_in_browser(pages, hostile, inspection):
    path = browser.find_browser()
    if path is None:
        print("NOT CHECKED, for want of Chromium: console, requests, chart data, themes, widths, contrast, printing")
        return
    view = browser.Browser(path)
    try:
        for name, page, record, explain in pages:
            check_looks(view, page, name)
            view.open(page)
            check_charts(view, record, explain, name)
            check_bars(view, record, explain, name)
            check_operators(view, explain, name)
        check_hostile(view, hostile)
        check_inspection(view, *inspection)
    finally:
        view.close()
    print(f"{len(pages)} pages looked at with Chromium")


def inspect_tensors(model, directory):
    page, chinese = directory / "tensors.html", directory / "tensors.zh.html"
    asked = ("inspect", str(model), "--tensor", "blk.1.ffn_*.weight", "--as", "Q4_0,Q5_1,Q6_K,BF16", "--block", "2")
    printed = json.loads(hone(*asked, "--html", str(page), "--json"))
    data = check_parts(page, "en")
    check({name: data["inspection"][name] for name in printed} == printed, "tensors: the data is not that of --json")
    hone(*asked, "--html", str(chinese), "--lang", "zh")
    check(check_parts(chinese, "zh-CN")["inspection"] == data["inspection"], "tensors: data of the languages")
    return page, printed


def main():
    with tempfile.TemporaryDirectory() as temporary:
        directory = pathlib.Path(temporary)
        synthetic = directory / "synthetic.gguf"
        hone("synth", "llama", "-o", str(synthetic), "--type", "Q4_1")
        models = {"synthetic": str(synthetic)}
        if os.environ.get("HONE_TEST_MODEL"):
            models["default"] = os.environ["HONE_TEST_MODEL"]
        pages = []
        for name, model in models.items():
            stored, page, trace = (directory / f"{name}.{end}" for end in ("json", "html", "trace"))
            printed = json.loads(hone("explain", model, "--budget", "4", "--record", str(stored), "--html", str(page),
                                      "--trace", str(trace), "--json"))
            record = json.loads(stored.read_text())
            data = check_parts(page, "en")
            check(data["explain"] == printed, f"{name}: the page's data is not that of --json")
            check_trace(trace, record)
            chinese = directory / f"{name}.zh.html"
            hone("explain", "--from", str(stored), "--html", str(chinese), "--lang", "zh")
            translated = check_parts(chinese, "zh-CN")
            check(translated["texts"].keys() == data["texts"].keys(), f"{name}: texts of the languages")
            check(translated["charts"] == data["charts"], f"{name}: charts of the languages")
            pages.append((name, page, record, printed))
            pages.append((name + " in Chinese", chinese, record, translated["explain"]))
        stored, page = directory / "hostile.json", directory / "hostile.html"
        stored.write_text(json.dumps(hostile_record(pages[0][2])), encoding="utf-8")
        hone("explain", "--from", str(stored), "--html", str(page))
        check_parts(page, "en")
        check_in_browser(pages, page, inspect_tensors(synthetic, directory))
    return finish()


if __name__ == "__main__":
    sys.exit(main())
