#!/usr/bin/env python3
"""Predictions against measurements: 40 what-ifs on three models, each forecast by `hone ab` before it is measured.

    bench/predictions.py build/release/bin/hone MODEL.gguf --out predictions.json [--budget 15] [--only TEXT] [--smoke]

Side A is profiled and the change is simulated from that profile; where an experiment of `hone explain` turns that knob,
it runs for two seconds and the forecast is its pairs'; then both sides are measured in turns. The results of each
what-if are written as they come, so that a run that was stopped goes on where it was; delete the file to begin anew.
Printed at the end: the table, and for the forecasts and for the simulations alone the median absolute error in points
of percent, the share of right signs among the changes that were measured outside of noise, and how many measurements
lay within the interval. Best on a quiet machine, after `hone machine --refresh`; about 6 minutes.
"""
import argparse
import json
import pathlib
import statistics
import sys

from runs import run, store, stored

METRICS = ("prefill_tokens_per_s", "decode_tokens_per_s")
# Two models unlike the default one: one whose steps are mostly overhead, one with wide rows in 8 bits.
SYNTHETIC = {
    "tiny": ["--type", "Q4_0", "--layers", "6", "--embd", "256", "--heads", "4", "--ff", "768", "--context", "4096"],
    "wide": ["--type", "Q8_0", "--layers", "4", "--embd", "1024", "--heads", "16", "--ff", "2816", "--context", "4096"],
}


def levels_below(hone):
    """Kernel levels of this machine below the one in use, best first."""
    facts = json.loads(run([hone, "machine", "--facts", "--json"]))["facts"]
    order = ["portable", "avx2", "avx512", "avx512vnni", "avx512bf16"]
    best = order.index(facts["isa"])
    # The two top levels run the same linear kernels.
    if best == 4:
        best = 3
    return [level for level in reversed(order[:best])]


def what_ifs(levels, cpus):
    """(model, flags of A, flags of B)"""
    default = [("", f"--threads {n}") for n in (1,) if cpus > 1]
    default += [("--threads 1", f"--threads {cpus}")] if cpus > 1 else []
    default += [("", f"--without {name}") for name in
                ("merge_qkv", "merge_gate_up", "fuse_residual", "fuse_norm_quantize", "last_position_logits")]
    default += [("", "--without merge_qkv --without merge_gate_up")]
    default += [("", f"--variant linear={level}") for level in levels[:2]]
    default += [("", f"--isa {level}") for level in levels[:2]]
    default += [("", f"--batch {n}") for n in (2, 4, 8)]
    default += [("", f"--depth {n}") for n in (512, 1024, 2048)]
    default += [("--depth 1024", "--depth 1024 --kv q8")]
    others = [("", "--threads 1")] if cpus > 1 else []
    others += [("", f"--without {name}") for name in ("merge_qkv", "merge_gate_up", "fuse_norm_quantize")]
    others += [("", f"--variant linear={level}") for level in levels[:1]]
    others += [("", f"--isa {level}") for level in levels[:1]]
    others += [("", f"--batch {n}") for n in (2, 4, 8)]
    others += [("", f"--depth {n}") for n in (512, 2048)]
    rows = [("default", a, b) for a, b in default]
    for model in SYNTHETIC:
        rows += [(model, a, b) for a, b in others]
    return rows


def measure(hone, path, a, b, options):
    command = [hone, "ab", path, "--a", a, "--b", b, "--predict", "--no-quality", "--json", "--budget",
               str(options.budget), "--prompt-tokens", str(options.prompt_tokens), "--output-tokens",
               str(options.output_tokens), "--metrics", ",".join(METRICS)]
    answer = json.loads(run(command))
    return {m["name"]: {"measured": m["change_percent"], "measured_ci95": m["ci95"], "verdict": m["verdict"],
                        "n": m["n"], "predicted": m["predicted"]} for m in answer["metrics"]}


def judge(pairs):
    """Of (metric, predicted percent, interval or None)."""
    share = lambda hits: sum(hits) / len(hits) if hits else None
    outside = [(p, m, ci) for m, p, ci in pairs if m["verdict"] in ("improved", "regressed")]
    right = [(p > 0) == (m["measured"] > 0) for p, m, _ in outside]
    # Those of which the forecast itself was sure.
    sure = [hit for hit, (_, _, ci) in zip(right, outside) if ci and ci[0] * ci[1] > 0]
    covered = [ci[0] <= m["measured"] <= ci[1] for m, _, ci in pairs if ci]
    errors = [abs(p - m["measured"]) for m, p, _ in pairs]
    return {"rows": len(pairs), "median_absolute_error_points": statistics.median(errors) if errors else None,
            "right_signs_share": share(right), "outside_noise": len(outside), "right_signs_of_sure_share": share(sure),
            "sure": len(sure), "covered_share": share(covered), "with_interval": len(covered),
            "median_interval_width_points": statistics.median(ci[1] - ci[0] for _, _, ci in pairs if ci)
            if any(ci for _, _, ci in pairs) else None}


def summary(results):
    rows = [(key, name, m) for key, metrics in results.items() for name, m in metrics.items()
            if m["predicted"] is not None and m["measured"] is not None]
    forecasts = [(m, m["predicted"]["change_percent"], m["predicted"]["ci95"]) for _, _, m in rows]
    simulations = [(m, m["predicted"]["simulated_percent"], m["predicted"]["simulated_ci95"]) for _, _, m in rows
                   if m["predicted"].get("simulated_percent") is not None]
    return rows, {"what_ifs": len(results), "forecast": judge(forecasts), "simulated": judge(simulations)}


def percent(value):
    return "-" if value is None else f"{value:+.1f}%"


def interval_text(ci):
    return f"[{ci[0]:.1f}, {ci[1]:.1f}]" if ci else "-"


def show(rows, totals, results):
    print(f"{'what-if':58} {'metric':8} {'predicted':>9} {'interval':>17} {'simulated':>9} {'interval':>17} "
          f"{'measured':>9}  basis")
    for key, name, m in rows:
        p = m["predicted"]
        print(f"{key[:58]:58} {name.split('_')[0]:8} {percent(p['change_percent']):>9} {interval_text(p['ci95']):>17} "
              f"{percent(p.get('simulated_percent')):>9} {interval_text(p.get('simulated_ci95')):>17} "
              f"{percent(m['measured']):>9}  {p['basis']}{'' if m['verdict'] != 'within_noise' else ', within noise'}")
    for key, metrics in results.items():
        if all(m["predicted"] is None for m in metrics.values()):
            print(f"{key}: not predicted")
    print(f"what_ifs: {totals['what_ifs']}")
    for kind in ("forecast", "simulated"):
        numbers = {name: round(value, 3) if isinstance(value, float) else value for name, value in totals[kind].items()}
        print(f"{kind}: {numbers}")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("hone")
    parser.add_argument("model")
    parser.add_argument("--out", required=True)
    parser.add_argument("--budget", type=float, default=4, help="seconds to measure each what-if")
    parser.add_argument("--prompt-tokens", type=int, default=128)
    parser.add_argument("--output-tokens", type=int, default=32)
    parser.add_argument("--only", default="", help="what-ifs whose line holds this text")
    parser.add_argument("--smoke", action="store_true", help="two what-ifs on the tiny model, as short as can be")
    options = parser.parse_args()
    out = pathlib.Path(options.out)
    kept = stored(out, {"results": {}})
    results = kept["results"]
    paths = {"default": options.model}
    for name, flags in SYNTHETIC.items():
        paths[name] = str(out.with_suffix(f".{name}.gguf"))
        if not pathlib.Path(paths[name]).exists():
            run([options.hone, "synth", "llama", "-o", paths[name], *flags])
    facts = json.loads(run([options.hone, "machine", "--facts", "--json"]))["facts"]
    rows = what_ifs(levels_below(options.hone), facts["cpus_allowed"])
    if options.smoke:
        options.budget, options.prompt_tokens, options.output_tokens = 0.5, 16, 4
        rows = [("tiny", "", "--batch 2"), ("tiny", "", "--depth 64")]
    for index, (model, a, b) in enumerate(rows):
        key = f"{model}: {a or 'as it is'} -> {b}"
        if options.only not in key or key in results:
            continue
        print(f"[{index + 1}/{len(rows)}] {key}", file=sys.stderr, flush=True)
        results[key] = measure(options.hone, paths[model], a, b, options)
        kept["totals"] = summary(results)[1]
        store(out, kept)
    table, totals = summary(results)
    show(table, totals, results)
    return 0


if __name__ == "__main__":
    sys.exit(main())
