#!/usr/bin/env python3
"""Plants nine faults, one at a time, and holds the diagnosis to them; and a clean run that must yield no gain.

    bench/planted.py build/release/bin/hone [--only NAME ...] [--budget 20] [--rounds 9 40] [--clean-runs 1] [--json F]

For every fault: a synthetic model, `hone explain` with the fault, then
  named   the attribution has an entry of the right class for the right subject;
  card    the decision that repairs it exists and predicts a change;
  held    the repair is applied and both sides run in turn: the measured change of the card's metric lies in
          the card's interval. Its own 95 % interval comes from resampling the rounds (10 000 draws, seed 1);
          rounds go on until it is narrow, 4 points or a tenth of the change to each side, or until the last.
Not every machine is slowed by every fault (one copying core takes no bandwidth from another where there is plenty). So
what the repair of a fault gains is measured whether it was named or not: where that is less than 5 % and within noise,
not naming it is right, and so is not offering a card.
A measurement that Hone grades D says of itself that it needs another, so explain runs again then, three times at most.
The clean run must end in "nothing pays". Takes 30 to 120 s a fault; wants a machine that does nothing else.
Exit status: 0 when every case is named and at least 8 of 9 predictions held and no clean run shows a gain.
"""
import argparse
import contextlib
import json
import os
import pathlib
import random
import re
import statistics
import subprocess
import sys
import tempfile
import time

CPUS = len(os.sched_getaffinity(0))
PREFIX_TOKENS = 128
REPAIR_S = 1  # of requests, for each run of a side
HARMLESS_PERCENT = 5
TRIES_MAX = 3
PADDING_ID = 2  # of a synthetic model: its end token, as in many real ones

MODELS = {
    # About 1 M parameters: a step is over before the threads have met.
    "tiny": [],
    # In the smallest format, so that no other weights are a gain.
    "small": ["--type", "Q4_0", "--layers", "6", "--embd", "384", "--heads", "6", "--kv-heads", "3", "--ff", "1024", "--vocab",
              "4096"],
    # Many narrow nodes, so that a fusion shows.
    "narrow": ["--layers", "12", "--embd", "256", "--ff", "768", "--vocab", "1024"],
    # The head is most of the model.
    "head": ["--layers", "2", "--embd", "256", "--ff", "768", "--vocab", "32768"],
    # Larger than the caches: decode waits for memory.
    "large": ["--layers", "8", "--embd", "1024", "--heads", "16", "--kv-heads", "8", "--ff", "2816", "--vocab",
              "16384"],
    "denormal": ["--type", "F32", "--layers", "4", "--embd", "384", "--heads", "6", "--kv-heads", "3", "--ff",
                 "1024", "--vocab", "2048", "--plant", "denormals"],
}


class Case:
    """One fault. `fault` and `repair` are arguments of explain, `subject` a pattern, `action` the card's name."""

    def __init__(self, name, model, bottleneck, subject, action, fault=(), repair=(), prompts=None, before=None,
                 around=None):
        self.name, self.model, self.bottleneck = name, model, bottleneck
        self.subject, self.action = subject, action
        self.fault, self.repair = list(fault), list(repair)
        self.prompts = prompts  # lists of token ids, or None for the scenario's own
        self.before = before  # called with the model's path before a run with the fault
        self.around = around  # a context in which the fault is there


def drop_pages(path):
    """Forgets the file's pages, as after a restart."""
    fd = os.open(path, os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    os.close(fd)


def read_pages(path):
    with open(path, "rb") as file:
        while file.read(1 << 20):
            pass


@contextlib.contextmanager
def bandwidth_hog():
    """Another process that copies memory as fast as it can, on the last CPU."""
    code = ("import ctypes, os\n"
            "os.sched_setaffinity(0, {max(os.sched_getaffinity(0))})\n"
            "n = 128 << 20\n"
            "a, b = ctypes.create_string_buffer(n), ctypes.create_string_buffer(n)\n"
            "print('ready', flush=True)\n"
            "parent = os.getppid()\n"
            "while os.getppid() == parent: ctypes.memmove(a, b, n)\n")  # ends with it, however that ends
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as hog:
        hog.stdout.readline()
        try:
            yield
        finally:
            hog.kill()


def random_ids(generator, count):
    return [generator.randrange(300, 1000) for _ in range(count)]


def shared_prefix_prompts():
    generator = random.Random(7)
    prefix = random_ids(generator, PREFIX_TOKENS)
    return [prefix + random_ids(generator, 32) for _ in range(200)]


def padded_prompts():
    """As a batching service pads them: every prompt as long as the longest."""
    generator = random.Random(8)
    return [[PADDING_ID] * 96 + random_ids(generator, 64) for _ in range(200)]


def cases():
    few = str(CPUS)
    return [
        Case("threads", "small", "startup_overhead", r"threads/8", f"threads:{few}", ["--threads", "8"],
             ["--threads", few]),
        Case("fusion", "narrow", "structural_redundancy", r"pass/merge_gate_up", "with:merge_gate_up",
             ["--without", "merge_gate_up"]),
        Case("denormals", "denormal", "structural_redundancy", r"(weights|activations)/denormals",
             "flush_denormals", repair=["--flush-denormals"]),
        Case("cold", "large", "io", r"load", "keep_warm", before=drop_pages),
        Case("logits", "head", "structural_redundancy", r"prefill/(output|head)", "with:last_position_logits",
             ["--without", "last_position_logits"]),
        # Without the prefix cache, which would keep the padding that all prompts begin with.
        Case("padding", "small", "structural_redundancy", r"prompt/padding", "trim_padding",
             ["--prefix-cache", "off"], ["--prefix-cache", "off", "--trim-padding"], prompts=padded_prompts()),
        Case("tiny", "tiny", "startup_overhead", r"(prefill|decode)/\w+", "threads:1", repair=["--threads", "1"]),
        Case("hog", "large", "interference", r"machine(/memory_traffic)?", "quiet_machine", ["--threads", "1"],
             ["--threads", "1"], around=bandwidth_hog),
        Case("prefix", "small", "structural_redundancy", r"prompt/repeated_prefix", "prefix_cache:on",
             ["--prefix-cache", "off"], ["--prefix-cache", "on"], prompts=shared_prefix_prompts()),
    ]


class Bench:
    def __init__(self, hone, directory, budget):
        self.hone, self.directory, self.budget = hone, pathlib.Path(directory), budget

    def model(self, name):
        path = self.directory / f"{name}.gguf"
        if not path.exists():
            subprocess.run([self.hone, "synth", "llama", "-o", path, *MODELS[name]], check=True)
        return path

    def prompt_file(self, case):
        if case.prompts is None:
            return []
        path = self.directory / f"{case.name}.jsonl"
        if not path.exists():
            path.write_text("".join(json.dumps({"tokens": prompt}) + "\n" for prompt in case.prompts))
        return ["--prompts", path]

    def explain(self, model, arguments, budget, experiments=True):
        only = [] if experiments else ["--no-experiments"]
        answer = subprocess.run([self.hone, "explain", model, *arguments, "--budget", str(budget), "--json", *only],
                                capture_output=True, timeout=600)
        if answer.returncode != 0:
            raise RuntimeError(f"hone explain: exit {answer.returncode}: {answer.stderr.decode()[:300]}")
        return json.loads(answer.stdout)

    def run(self, case, faulty, budget, experiments=True):
        model = self.model(case.model)
        arguments = [*(case.fault if faulty else case.repair), *self.prompt_file(case)]
        if case.before:
            case.before(model) if faulty else read_pages(model)
        with case.around() if case.around and faulty else contextlib.nullcontext():
            return self.explain(model, arguments, budget, experiments)


def find_entry(result, case):
    """The entry of the right class and subject with the largest share."""
    fitting = [a for a in result["attribution"]
               if a["class"] == case.bottleneck and re.fullmatch(case.subject, a["subject"])]
    return max(fitting, key=lambda a: a["time_share"], default=None)


def find_card(result, case):
    return next((c for c in result["decisions"] if c["action"] == case.action), None)


def percentile(samples, p):
    """Linear between ranks, as hone does it."""
    ordered = sorted(samples)
    rank = p * (len(ordered) - 1)
    low = int(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def split_metric(name):
    """latency_ms_p95 -> (latency_ms, 0.95)"""
    match = re.fullmatch(r"(\w+?)_p([\d.]+)", name)
    return (match[1], float(match[2]) / 100) if match else (name, 0.5)


def metric_samples(result, name):
    metric = next((m for m in result["metrics"] if m["name"] == name), None)
    return [s for s in metric["samples"] if isinstance(s, (int, float))] if metric else []


def narrow_enough(measured):
    low, high = measured["ci95"]
    return (high - low) / 2 <= max(4, abs(measured["change_percent"]) / 10)


def median_change(changes, draws=10000):
    """Percent, with the 95 % interval from resampling the rounds; None without any."""
    if not changes:
        return None
    generator = random.Random(1)
    medians = sorted(statistics.median(generator.choices(changes, k=len(changes))) for _ in range(draws))
    return {"change_percent": statistics.median(changes), "n": len(changes),
            "ci95": [medians[int(draws * 0.025)], medians[int(draws * 0.975)]]}


def repair(bench, case, metric, rounds):
    """Both sides in turn, the order reversed every round. Each round compares with itself: a shared machine may
    become twice as slow from one second to the next, and pooled samples would compare its moods."""
    name, p = split_metric(metric)
    changes = []
    measured = None
    for index in range(rounds[1]):
        value = {}
        for faulty in (True, False) if index % 2 == 0 else (False, True):
            samples = metric_samples(bench.run(case, faulty, REPAIR_S, experiments=False), name)
            value[faulty] = percentile(samples, p) if samples else None
        if value[True] and value[False] is not None:
            changes.append(100 * (value[False] / value[True] - 1))
        if index + 1 < rounds[0]:
            continue
        measured = median_change(changes)
        if measured and narrow_enough(measured):
            break
    return measured


def costs_nothing(measured):
    return measured is not None and measured["change_percent"] > -HARMLESS_PERCENT and measured["ci95"][1] >= 0


def trusted(measure):
    """The first of a few measurements that is not graded D, or the last; and how many there were."""
    for tries in range(1, TRIES_MAX + 1):
        result = measure()
        if result["measurement"]["grade"] != "D":
            break
    return result, tries


def judge(bench, case, rounds):
    result, tries = trusted(lambda: bench.run(case, True, bench.budget))
    entry, card = find_entry(result, case), find_card(result, case)
    predicted = card["predicted"] if card else None
    metric = predicted["metric"] if predicted else result["context"]["primary_metric"]
    measured = repair(bench, case, metric, rounds)
    without_cost = entry is None and costs_nothing(measured)
    held = None
    if measured and predicted:
        low, high = predicted["interval"]
        held = low <= measured["change_percent"] <= high
    elif without_cost:
        held = True
    return {"case": case.name, "expected": {"class": case.bottleneck, "subject": case.subject, "card": case.action},
            "grade": result["measurement"]["grade"], "tries": tries, "entry": entry, "card": card, "measured": measured,
            "named": entry is not None or without_cost, "without_cost": without_cost, "held": held}


def judge_clean(bench, runs):
    out = []
    for _ in range(runs):
        result = bench.explain(bench.model("small"), [], bench.budget)
        gains = [c["action"] for c in result["decisions"]
                 if c["available"] and c["predicted"] and c["predicted"]["better"]
                 and not c["predicted"]["metric"].endswith("_bytes")]
        out.append({"verdict": result["outcome"]["verdict"], "gains": gains,
                    "grade": result["measurement"]["grade"], "outcome": result["outcome"]})
    return out


def change_text(value, interval):
    if value is None:
        return "-"
    ends = f" [{interval[0]:+.1f}, {interval[1]:+.1f}]" if interval else ""
    return f"{value:+.1f} %{ends}"


def print_case(out):
    entry, card, measured = out["entry"], out["card"], out["measured"]
    share = f"{100 * entry['time_share']:.0f} %" if entry else "-"
    what = entry["subject"] if entry else "costs nothing here" if out["without_cost"] else "NOT NAMED"
    predicted = card["predicted"] if card else None
    print(f"{out['case']:10} {out['grade']}  {what:28} {share:>5}  {out['expected']['card']:25} "
          f"{change_text(predicted and predicted['change_percent'], predicted and predicted['interval']):28} "
          f"{change_text(measured and measured['change_percent'], measured and measured['ci95']):28} "
          f"{ {True: 'held', False: 'MISSED', None: '-'}[out['held']]}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("hone")
    parser.add_argument("--only", nargs="+", help="names of cases, or clean")
    parser.add_argument("--budget", type=float, default=16, help="seconds of the explain with the fault")
    parser.add_argument("--rounds", type=int, nargs=2, default=[9, 40], metavar=("MIN", "MAX"),
                        help="pairs of short runs that measure a repair")
    parser.add_argument("--clean-runs", type=int, default=1)
    parser.add_argument("--json")
    args = parser.parse_args()
    started = time.monotonic()
    with tempfile.TemporaryDirectory(dir=os.environ.get("TMPDIR", ".")) as directory:
        bench = Bench(args.hone, directory, args.budget)
        subprocess.run([args.hone, "machine", "--refresh", "--json"], check=True, capture_output=True)  # as they are today
        wanted = [c for c in cases() if not args.only or c.name in args.only]
        print(f"{'case':10} grade {'named':25} {'share':>6}  {'card':25} {'predicted':28} {'measured':28} verdict")
        results = []
        for case in wanted:
            try:
                results.append(judge(bench, case, args.rounds))
                print_case(results[-1])
            except (RuntimeError, subprocess.SubprocessError) as error:
                results.append({"case": case.name, "named": False, "held": None, "error": str(error)})
                print(f"{case.name:10} not run: {error}", flush=True)
        clean = judge_clean(bench, args.clean_runs) if not args.only or "clean" in args.only else []
    for run in clean:
        print(f"clean      {run['grade']}  {run['verdict']}: {', '.join(run['gains']) or 'no gain'} "
              f"({run['outcome']['losses']} lose, {run['outcome']['too_close']} too close)")
    named = sum(r["named"] for r in results)
    held = sum(r["held"] is True for r in results)
    false_cards = sum(bool(run["gains"]) for run in clean)
    print(f"named {named} of {len(results)}, predictions held {held} of {len(results)}, false gains in "
          f"{false_cards} of {len(clean)} clean runs; {time.monotonic() - started:.0f} s")
    if args.json:
        summary = {"named": named, "held": held, "cases": len(results), "clean_runs": len(clean),
                   "clean_runs_with_gains": false_cards, "seconds": time.monotonic() - started}
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump({"summary": summary, "cases": results, "clean": clean}, out, indent=1)
    enough = named == len(results) and held >= len(results) - max(1, len(results) // 9)
    return 0 if enough and not false_cards else 1


if __name__ == "__main__":
    sys.exit(main())
