#!/usr/bin/env python3
"""Faults planted into real runs on small synthetic models must be named with their class and subject, and have
their card; no timing is judged, so a busy machine does not matter. Usage: planted_test.py HONE

bench/planted.py has the cases, and holds the predictions to measured repairs where the machine is quiet.
"""
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "bench"))
import planted  # noqa: E402

# Counted or overwhelming: whatever else the machine does, these show.
ROBUST = ["threads", "logits", "padding", "prefix", "tiny"]
BUDGET_S = 6
CLASSES = {"compute_bound", "memory_bandwidth", "io", "startup_overhead", "structural_redundancy",
           "kernel_inefficiency", "interference", "unexplained"}


def check_shape(result):
    """What every result keeps, whatever was planted."""
    total = sum(a["time_share"] for a in result["attribution"])
    yield abs(total - 1) < 1e-6, f"shares sum to {total}"
    yield {a["class"] for a in result["attribution"]} <= CLASSES, "unknown class"
    yield result["decomposition"]["unattributed_share"] is not None, "the unattributed share is missing"
    yield result["outcome"]["verdict"] in ("gains", "nothing_pays", "not_enough_data"), "no outcome"
    for card in result["decisions"]:
        known = card["predicted"] is not None
        yield known or card["reason"], f"{card['action']}: neither a prediction nor a reason"
        if known:
            low, high = card["predicted"]["interval"]
            inside = low <= card["predicted"]["change_percent"] <= high
            yield inside, f"{card['action']}: the prediction is outside of its interval"


def check_case(bench, case):
    result = bench.run(case, True, BUDGET_S)
    yield from check_shape(result)
    found = sorted({f"{a['class']} {a['subject']}" for a in result["attribution"]})
    entry = planted.find_entry(result, case)
    yield entry is not None, f"no {case.bottleneck} {case.subject} among {found}"
    yield entry is None or entry["evidence"], "no evidence"
    card = planted.find_card(result, case)
    yield card is not None, f"no card {case.action}"
    yield card is None or card["predicted"] or card["reason"], f"{case.action} says nothing"


def check_repaired(bench, case):
    """Counted waste is gone when it is gone."""
    result = bench.run(case, False, BUDGET_S)
    yield planted.find_entry(result, case) is None, f"{case.subject} is named without being there"
    yield planted.find_card(result, case) is None, f"{case.action} is offered where it is applied"


def main():
    problems = []
    with tempfile.TemporaryDirectory() as directory:
        bench = planted.Bench(sys.argv[1], directory, BUDGET_S)
        for case in planted.cases():
            if case.name not in ROBUST:
                continue
            checks = list(check_case(bench, case))
            if case.name in ("padding", "prefix", "logits"):
                checks += list(check_repaired(bench, case))
            problems += [f"{case.name}: {text}" for good, text in checks if not good]
            print(f"{case.name}: {len(checks)} checks", flush=True)
    for problem in problems:
        print("FAILED:", problem)
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
