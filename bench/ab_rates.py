#!/usr/bin/env python3
"""How often `hone ab` is wrong: identical sides must rarely be told apart, and a true delay must be found.

    bench/ab_rates.py build/release/bin/hone MODEL.gguf [--runs 100] [--budget 8] [--delay 3] [--cpus 0,1 2,3] [--json F]

Each run is a process of its own with its own seed. A false verdict is any metric of identical sides that is called
improved or regressed; a delay is found where every step of side B is longer by that many percent and both metrics are
called regressed or improved the right way. Runs go side by side on the given sets of CPUs (default: one after the
other on all). Asked: false verdicts in at most 5 % of the runs, delays found in at least 80 %.
"""
import argparse
import concurrent.futures
import json
import queue
import subprocess
import sys

METRICS = ("prefill_tokens_per_s", "decode_tokens_per_s")


def verdicts(args, cpus, seed, flags_b):
    command = [args.hone, "ab", args.model, "--a", "", "--b", flags_b, "--no-quality", "--json", "--budget", str(args.budget),
               "--seed", str(seed), "--metrics", ",".join(METRICS)]
    if cpus:
        command = ["taskset", "-c", cpus, *command]
    answer = subprocess.run(command, capture_output=True, text=True)
    if answer.returncode:
        sys.exit(f"ab_rates: {' '.join(command)}: {answer.stderr.strip()}")
    return {m["name"]: m for m in json.loads(answer.stdout)["metrics"]}


def run_all(args, flags_b):
    free = queue.Queue()
    for cpus in args.cpus or [None]:
        free.put(cpus)

    def one(seed):
        cpus = free.get()
        try:
            return verdicts(args, cpus, seed, flags_b)
        finally:
            free.put(cpus)

    with concurrent.futures.ThreadPoolExecutor(free.qsize()) as pool:
        return list(pool.map(one, range(1, args.runs + 1)))


def rates(runs):
    told = {name: sum(run[name]["verdict"] in ("improved", "regressed") for run in runs) for name in METRICS}
    # Both metrics are rates: a delay makes them smaller.
    slower = {name: sum(run[name]["verdict"] == "regressed" for run in runs) for name in METRICS}
    return {"runs": len(runs), "told_apart": told, "called_slower": slower,
            "any_told_apart": sum(any(m["verdict"] in ("improved", "regressed") for m in run.values()) for run in runs)}


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hone")
    parser.add_argument("model")
    parser.add_argument("--runs", type=int, default=100)
    parser.add_argument("--budget", type=float, default=8, help="seconds of one comparison")
    parser.add_argument("--delay", type=float, default=3, help="percent that side B is delayed by")
    parser.add_argument("--cpus", nargs="*", help="sets of CPUs that runs share out, as taskset names them")
    parser.add_argument("--json")
    args = parser.parse_args()
    same, delayed = run_all(args, ""), run_all(args, f"--delay {args.delay}")
    result = {"budget_s": args.budget, "delay_percent": args.delay, "identical": rates(same), "delayed": rates(delayed)}
    print(json.dumps(result, indent=1))
    if args.json:
        with open(args.json, "w", encoding="utf-8") as out:
            json.dump({**result, "identical_runs": same, "delayed_runs": delayed}, out, indent=1)
    good = result["identical"]["any_told_apart"] <= 0.05 * args.runs and \
        min(result["delayed"]["called_slower"].values()) >= 0.8 * args.runs
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
