#!/usr/bin/env python3
"""The loop held to its promises: its result against an exhaustive sweep, its predictions against what was measured, its
ledger against kill -9.

    bench/optimize.py build/release/bin --out optimize.json [--parts loop,sweep,unseen,accuracy,kills]
        [--models smollm2-f16,gemma3-q8_0,synth-1b] [--budget 8m] [--threads 2] [--work DIRECTORY] [--kills 20]

The directory of the first argument has `hone` and `make_float_reference`. A model is one of those named below or a file.

    loop      `hone optimize MODEL --scenario generative --gate ppl:+2% --budget 8m`: the gain in decode, measured by the loop
              afresh on work that no trial saw; actions tried, refused, rolled back, and how many of those with evidence.
    sweep     The same actions without a loop. Each by itself, as `hone explain` and the loop list them; then every
              combination of values of the settings that either the loop changed or some action improved alone, leaving out
              values that broke the gate alone. Each point is one `hone ab` against the start in the loop's metric, with the
              gate on as many positions, and as much time as the loop gives a trial. The three fastest that hold the gate
              then run in turn with the loop's result: the best of many readings looks better than it is. Weights that
              the loop has made are there already, which is to the sweep's advantage.
    unseen    `hone quality` of the result against the start on a text that neither calibration nor gate has read.
    accuracy  `hone optimize --try all` on the models of --accuracy-models with one ledger, then
              `hone history --accuracy`: errors, coverage and signs of first predictions.
    kills     kill -9 at random moments of short loops, each followed by --resume (tests/system/kills.py).

Results are kept as they come; a run that was stopped goes on, a part begun anew needs its key deleted from the file.
Wants a machine that does nothing else: about 10 minutes a model for the loop, an hour for its sweep, 12
minutes a model for accuracy. Printed at the end:
Markdown, and each bar with what was reached. Exit status: 0 when no bar is missed.
"""
import argparse
import itertools
import json
import math
import os
import pathlib
import random
import re
import statistics
import sys
import time

import peer_files
from runs import run, store, stored

sys.path.insert(0, str(peer_files.SOURCE_ROOT / "tests" / "system"))
import kills  # noqa: E402

METRIC = "itl_ms"  # what scenario generative is judged by
PARTS = ["loop", "sweep", "unseen", "accuracy", "kills"]
TRIAL_S = 40  # the loop's longest trial (kTrial in src/tune/loop.cc), of which 60 % for speed
GATE_POSITIONS = 1024  # kGatePositions in src/tune/workload.h
TRIAL_TOKENS = ["--prompt-tokens", 128, "--output-tokens", 32]
FINALISTS = 3
SYNTHETIC = {
    "synth-1b": ["--type", "F16", *peer_files.SYNTH_1B],
    "tiny": ["--type", "Q8_0", "--layers", "6", "--embd", "256", "--heads", "4", "--ff", "768", "--context", "4096"],
    "wide": ["--type", "F16", "--layers", "4", "--embd", "1024", "--heads", "16", "--ff", "2816", "--context", "4096"],
}
# Decode against the start. From 8 bits there is less to gain, so no bar is set.
DECODE_BARS = {"smollm2-f16": 2.6, "synth-1b": 2.6}
# Settings that are flags of their own where they are on; others take their value.
SWITCHES = ("pin", "flush_denormals", "trim_padding", "mlock")


def seconds(text):
    number, unit = re.fullmatch(r"([\d.]+)(s|m|h|)", text).groups()
    return float(number) * {"h": 3600, "m": 60}.get(unit, 1)


def changes_of(action):
    """The settings that an action stands for, as hone names them; {} for a card that no setting carries out."""
    kind, _, rest = action.partition(":")
    words = {"trim_padding": {"trim_padding": "on"}, "flush_denormals": {"flush_denormals": "on"},
             "keep_denormals": {"flush_denormals": "off"}}
    if kind in ("with", "without"):
        return {f"pass:{rest}": "on" if kind == "with" else "off"}
    if kind == "variant":
        family, _, name = rest.partition("=")
        return {f"variant:{family}": name}
    return words.get(action) or ({kind: rest} if rest else {})


def flags_of(settings):
    """The same as arguments; values that a session starts with anyway are left out."""
    words = []
    for name, value in settings.items():
        if name.startswith("pass:"):
            words += ["--without", name[5:]] if value == "off" else []
        elif name.startswith("variant:"):
            words += ["--variant", f"{name[8:]}={value}"] if value != "default" else []
        elif name in SWITCHES:
            words += ["--" + name.replace("_", "-")] if value == "on" else []
        elif value not in ("", "0"):
            words += ["--" + name.replace("_", "-"), value]
    return " ".join(words)


class Bench:
    def __init__(self, options):
        self.options = options
        self.bin = pathlib.Path(options.bin)
        self.work = pathlib.Path(options.work or pathlib.Path(options.out).with_suffix(""))
        self.work.mkdir(parents=True, exist_ok=True)
        self.results = stored(options.out, {})

    def hone(self, *arguments, fine=(0,)):
        return run([self.bin / "hone", *arguments], fine)

    def kept(self, *keys, make):
        """results[keys], made where it is not there yet and written at once."""
        place = self.results
        for key in keys[:-1]:
            place = place.setdefault(key, {})
        if keys[-1] not in place:
            print(": ".join(keys), file=sys.stderr, flush=True)
            place[keys[-1]] = make()
            self.save()
        return place[keys[-1]]

    def save(self):
        store(self.options.out, self.results)

    def model(self, name):
        if name == "smollm2":
            return peer_files.default_model()
        if name == "smollm2-f16":
            return peer_files.made_once(self.work / "smollm2-f16.gguf", lambda partial: run(
                [self.bin / "make_float_reference", peer_files.default_model(), partial, 1, "F16"]))
        if name == "gemma3-q8_0":
            source = run([peer_files.SOURCE_ROOT / "scripts" / "model", "gemma3"]).strip()
            return peer_files.made_once(self.work / "gemma3-q8_0.gguf", lambda partial: self.hone(
                "quantize", source, "-o", partial, "--type", "Q8_0"))
        if name in SYNTHETIC:
            return peer_files.made_once(self.work / f"{name}.gguf", lambda partial: self.hone(
                "synth", "llama", "-o", partial, *SYNTHETIC[name]))
        if not pathlib.Path(name).exists():
            sys.exit(f"optimize: no model '{name}'")
        return pathlib.Path(name)

    def output(self, name):
        return self.work / (short(name) + "-optimized")

    # The loop.

    def loop(self, name):
        options = self.options
        begin = time.monotonic()
        answer = json.loads(self.hone("optimize", self.model(name), "--scenario", "generative", "--gate", options.gate,
                                      "--budget", options.budget, "--threads", options.threads, "--ledger",
                                      self.work / "ledger.db", "-o", self.output(name), "--json"))
        return {"wall_s": time.monotonic() - begin, "run": answer}

    # The sweep.

    def space(self, name):
        """Settings to try alone: what the cards and the loop name, without what has no effect on the metric."""
        answer = json.loads(self.hone("explain", self.model(name), "--scenario", "generative", "--threads",
                                      self.options.threads, "--budget", min(40, seconds(self.options.budget) / 4), "--json"))
        memory = lambda promised: bool(promised) and promised["metric"].endswith("_bytes")
        named = [(card["action"], memory(card["predicted"])) for card in answer["decisions"]
                 if card["available"] and card["apply"]]
        named += [(trial["action"], memory(trial["promised"]))
                  for trial in self.results["loop"][name]["run"]["trials"]]
        points = []
        for action, saves_memory in named:
            # Requests side by side are not a setting of one user's session, and --long is none at all.
            settings = changes_of(action)
            skipped = saves_memory or set(settings) & {"batch", "context"}
            if settings and settings not in points and not skipped and settings != {"threads": str(self.options.threads)}:
                points.append(settings)
        return points

    def trial_s(self):
        return max(1.5, min(TRIAL_S, 0.08 * seconds(self.options.budget)))

    def ab(self, model, a, b, with_quality):
        begin = time.monotonic()
        quality = ["--positions", GATE_POSITIONS] if with_quality else ["--no-quality"]
        answer = json.loads(self.hone("ab", model, "--a", self.with_threads(a), "--b", self.with_threads(b), "--metrics",
                                      METRIC, "--budget", 0.6 * self.trial_s(), *TRIAL_TOKENS, *quality, "--json"))
        metric = {key: answer["metrics"][0][key] for key in ("a", "b", "change_percent", "ci95", "verdict", "n")}
        return {"wall_s": time.monotonic() - begin, **metric, "gate": self.gate(answer["quality"])}

    def gate(self, quality):
        """As the loop judges it: by the upper end, and not at all where predictions are no better than chance."""
        if not quality:
            return None
        if quality["kl_max"] == 0:
            return "held"
        limit = float(re.fullmatch(r"ppl:\+([\d.]+)%", self.options.gate)[1])
        interval = quality["nll_change_ci95"]
        if interval is None:
            return "unproved"
        if self.by_chance:
            return "meaningless"
        percent = lambda nats: 100 * math.expm1(nats)
        if percent(interval[1]) <= limit:
            return "held"
        return "broken" if percent(quality["nll_b"] - quality["nll_a"]) > limit else "unproved"

    def sweep(self, name):
        model = self.model(name)
        run_ = self.results["loop"][name]["run"]
        said = [line["id"] for trial in run_["trials"] for line in trial["evidence"]]
        self.by_chance = "gate_meaningless" in said  # random weights
        begin = time.monotonic()
        space = self.kept("sweep", name, "space", make=lambda: {"points": self.space(name),
                                                                "wall_s": time.monotonic() - begin})
        measured = lambda settings: self.kept("sweep", name, "points", flags_of(settings), make=lambda: {
            "settings": settings, **self.ab(model, "", flags_of(settings), True)})
        singles = [measured(settings) for settings in space["points"]]
        changed = {setting for trial in run_["trials"] if trial["status"] == "kept" for setting in trial["apply"]}
        changed |= {setting for point in singles if point["verdict"] == "improved" for setting in point["settings"]}
        values = {}
        for point in singles:
            (setting, value), = point["settings"].items()
            if setting in changed and point["gate"] not in ("broken", "unproved"):
                values.setdefault(setting, []).append(value)
        choices = [[{}, *({setting: value} for value in several)] for setting, several in values.items()]
        for parts in itertools.product(*choices):
            settings = {setting: value for part in parts for setting, value in part.items()}
            if len(settings) > 1:
                measured(settings)
        self.results["sweep"][name]["combined"] = values
        self.save()
        return self.finals(name, model, run_)

    def finals(self, name, model, run_):
        """The fastest points of the sweep that hold the gate, in turn with the loop's result."""
        points = self.results["sweep"][name]["points"]
        good = [key for key, point in points.items() if point["gate"] in ("held", "meaningless")
                and point["change_percent"] is not None and point["change_percent"] < 0]
        loop_flags = flags_of({key: value for key, value in run_["best"].items() if run_["start"].get(key) != value})
        for key in sorted(good, key=lambda key: points[key]["change_percent"])[:FINALISTS]:
            same = sorted(key.split()) == sorted(loop_flags.split())
            self.kept("sweep", name, "finals", key, make=lambda: {"change_percent": 0.0} if same else self.ab(
                model, loop_flags, key, False))
        return {"loop": loop_flags}

    def with_threads(self, flags):
        return flags if "--threads" in flags else f"--threads {self.options.threads} {flags}"

    # Quality on a text that nothing has read.

    def unseen(self, name):
        output = self.output(name)
        tuned = output / "model.gguf"
        answer = json.loads(self.hone(
            "quality", tuned if tuned.exists() else self.model(name), "--config", output / "hone.toml", "--against",
            self.model(name), "--text", self.options.text, "--metric", "perplexity", "--metric", "kl", "--gate",
            self.options.gate, "--windows", self.options.windows, "--json", fine=(0, 1, 9)))
        return {"gate": answer["gate"], "metrics": answer["metrics"], "differences": answer["differences"]}

    # Predictions.

    def accuracy(self):
        ledger = self.work / "accuracy.db"
        for name in self.options.accuracy_models:
            self.kept("accuracy", "runs", name, make=lambda: json.loads(self.hone(
                "optimize", self.model(name), "--scenario", "generative", "--gate", self.options.gate, "--try", "all",
                "--budget", self.options.accuracy_budget, "--threads", self.options.threads, "--ledger", ledger,
                "--json"))["status"])
        self.results["accuracy"]["history"] = json.loads(self.hone("history", "--accuracy", "--ledger", ledger, "--json"))
        self.save()

    # Kills.

    def kill(self):
        ledger = self.work / "kills.db"
        ledger.unlink(missing_ok=True)
        model = self.model(self.options.models[0])
        killed = kills.Killed(self.bin / "hone", [model, "--scenario", "generative", "--budget", "20s", "--gate", "ppl:+50%",
                                                  "--threads", self.options.threads, "--try", "pin,kv,weights"],
                              ledger, self.work / "killed", dict(os.environ))
        code, _, error = killed.live(self.options.kills, random.Random(self.options.seed), 8)
        return {"kills": self.options.kills, "resumed": killed.resumed, "settled": len(killed.settled), "exit_code": code,
                "error": error.decode().strip(), "problems": killed.problems}


def rate_of(percent):
    """Times the rate, when the time per token changes by `percent`; None where that is not known."""
    return None if percent is None else 1 / (1 + percent / 100)


def loop_figures(entry):
    """What the loop's own JSON says."""
    trials = entry["run"]["trials"]
    tried = [t for t in trials if t["status"] in ("kept", "rolled_back")]
    # Rolled back on a measurement of speed or quality, or refused because a surely worse result was predicted.
    evident = [t for t in trials if t["status"] == "rolled_back" and (t["quality"] or t["measured"])]
    evident += [t for t in trials if t["status"] == "refused" and t["reason"]["id"] == "refused_loss"]
    after = entry["run"]["after"]
    gap = next((m for m in after["metrics"] if m["name"] == METRIC), None) if after else None
    faster = [rate_of(percent) for percent in (gap["change_percent"], *reversed(gap["ci95"] or []))] if gap else [1.0]
    return {"tried": len(tried), "kept": sum(t["status"] == "kept" for t in trials),
            "with_evidence": len(evident), "decode_gain": faster[0], "decode_ci95": faster[1:] or None,
            "wall_s": entry["wall_s"], "changes": entry["run"]["changes"] or "nothing"}


def sweep_figures(entry):
    """How much slower the loop's result is than the best of the sweep, and how long that took."""
    finals = entry.get("finals", {})
    behind = {key: 100 * (1 / (1 + final["change_percent"] / 100) - 1) for key, final in finals.items()}
    best = max(behind, key=behind.get, default="")
    ends = finals[best].get("ci95") if best else None
    return {"points": len(entry["points"]), "wall_s": entry["space"]["wall_s"] +
            sum(p["wall_s"] for p in [*entry["points"].values(), *finals.values()] if "wall_s" in p),
            "best": best or "the start", "behind_percent": behind.get(best, 0.0),
            "behind_ci95": [100 * (1 / (1 + end / 100) - 1) for end in reversed(ends)] if ends else None}


def accuracy_figures(history):
    """Of promises as they were made. Effects above 10 % are judged by the share of the effect."""
    rows = history["promises"]
    error = lambda row: abs(row["promised_percent"] - row["measured_percent"])
    small = [error(row) for row in rows if abs(row["measured_percent"]) <= 10]
    large = [100 * error(row) / abs(row["measured_percent"]) for row in rows if abs(row["measured_percent"]) > 10]
    whole = history["groups"][0]
    return {"n": len(rows), "models": len({row["model"] for row in rows}),
            "small": len(small), "median_error_points": statistics.median(small) if small else None,
            "large": len(large), "median_error_share_percent": statistics.median(large) if large else None,
            "raw": {key: whole[key] for key in ("median_error_points", "covered", "with_interval", "sign_right", "with_sign")},
            **{key: whole["learned"][key] for key in ("covered", "with_interval", "sign_right", "with_sign")}}


def bar(name, value, holds, wanted):
    return {"bar": name, "value": value, "wanted": wanted, "holds": holds}


def share(part, whole):
    return f"{part} of {whole} ({100 * part / whole:.0f} %)" if whole else "none"


def reaches(counts, wanted):
    """None without data."""
    return counts[0] >= wanted * counts[1] if counts[1] else None


def model_bars(results, name):
    bars = []
    if name in results.get("loop", {}):
        loop = loop_figures(results["loop"][name])
        bars += [bar("actions tried", loop["tried"], loop["tried"] >= 8, ">= 8"),
                 bar("refused or rolled back with evidence", loop["with_evidence"], loop["with_evidence"] >= 2, ">= 2")]
        if name in DECODE_BARS:
            bars.append(bar("decode against the start", f"{loop['decode_gain']:.2f}x",
                            loop["decode_gain"] >= DECODE_BARS[name], f">= {DECODE_BARS[name]}x"))
    swept = results.get("sweep", {}).get(name, {})
    if "done" in swept:
        sweep = sweep_figures(swept)
        ratio = loop["wall_s"] / sweep["wall_s"]
        bars += [bar("behind the best of the sweep", f"{sweep['behind_percent']:+.1f} %", sweep["behind_percent"] <= 5,
                     "<= 5 %"),
                 bar("time of the loop over that of the sweep", f"{ratio:.2f}", ratio <= 0.2, "<= 0.20")]
    if name in results.get("unseen", {}):
        # Of random weights no text says anything: the speed alone is asked for.
        verdict = results["unseen"][name]["gate"]["verdict"]
        bars.append(bar("gate on unseen text", verdict, verdict in ("pass", "meaningless"), "pass"))
    return [{"model": short(name), **row} for row in bars]


def short(name):
    return pathlib.Path(name).name.removesuffix(".gguf")


def other_bars(results):
    bars = []
    if "history" in results.get("accuracy", {}):
        figures = accuracy_figures(results["accuracy"]["history"])
        points, part = figures["median_error_points"], figures["median_error_share_percent"]
        covered, signs = (figures["covered"], figures["with_interval"]), (figures["sign_right"], figures["with_sign"])
        bars += [bar("first predictions", figures["n"], figures["n"] >= 60, ">= 60"),
                 bar("models", figures["models"], figures["models"] >= 3, ">= 3"),
                 bar(f"median error, {figures['small']} effects up to 10 %", "-" if points is None else f"{points:.1f} points",
                     None if points is None else points <= 3, "<= 3 points"),
                 bar(f"median error, {figures['large']} effects above", "-" if part is None else f"{part:.0f} % of the effect",
                     None if part is None else part <= 20, "<= 20 %"),
                 bar("in the interval", share(*covered), reaches(covered, 0.85), ">= 85 %"),
                 bar("signs outside of noise", share(*signs), reaches(signs, 0.95), ">= 95 %")]
    if "kills" in results:
        killed = results["kills"]
        bars.append(bar(f"problems after {killed['kills']} kills", len(killed["problems"]),
                        not killed["problems"] and killed["exit_code"] == 0 and killed["resumed"] > 0, "0"))
    return [{"model": "", **row} for row in bars]


def show(results):
    print("| model | changes | tried | kept | decode | loop | sweep | points | best of the sweep | loop behind it |\n"
          "|---|---|---|---|---|---|---|---|---|---|")
    for name, entry in results.get("loop", {}).items():
        loop = loop_figures(entry)
        swept = results.get("sweep", {}).get(name, {})
        sweep = sweep_figures(swept) if "done" in swept else None
        ends = lambda pair, form: f" [{form.format(pair[0])}, {form.format(pair[1])}]" if pair else ""
        cells = [short(name), loop["changes"], loop["tried"], loop["kept"],
                 f"{loop['decode_gain']:.2f}x" + ends(loop["decode_ci95"], "{:.2f}"), f"{loop['wall_s']:.0f} s"]
        cells += [f"{sweep['wall_s']:.0f} s", sweep["points"], f"`{sweep['best']}`",
                  f"{sweep['behind_percent']:+.1f} %" + ends(sweep["behind_ci95"], "{:+.1f}")] if sweep else ["-"] * 4
        print("| " + " | ".join(map(str, cells)) + " |")
    bars = [row for name in results.get("loop", {}) for row in model_bars(results, name)] + other_bars(results)
    print("\n| model | bar | wanted | reached | |\n|---|---|---|---|---|")
    for row in bars:
        outcome = {True: "held", False: "MISSED", None: "no data"}[row["holds"]]
        print(f"| {row['model']} | {row['bar']} | {row['wanted']} | {row['value']} | {outcome} |")
    return all(row["holds"] is not False for row in bars)


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    words = lambda text: text.split(",")
    parser.add_argument("bin", help="directory with hone and make_float_reference")
    parser.add_argument("--out", required=True)
    parser.add_argument("--parts", type=words, default=PARTS)
    parser.add_argument("--models", type=words, default=["smollm2-f16", "gemma3-q8_0", "synth-1b"])
    parser.add_argument("--accuracy-models", type=words,
                        default=["smollm2", "smollm2-f16", "gemma3-q8_0", "tiny", "wide", "synth-1b"])
    parser.add_argument("--budget", default="8m", help="of each loop")
    parser.add_argument("--accuracy-budget", default="12m", help="of each loop of the part accuracy")
    parser.add_argument("--gate", default="ppl:+2%", help="ppl:+PERCENT%%")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--text", type=pathlib.Path, default=peer_files.SOURCE_ROOT / "docs" / "ARCHITECTURE.md",
                        help="unseen by calibration and gate")
    parser.add_argument("--windows", type=int, default=16, help="of 512 tokens of it")
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=5)
    parser.add_argument("--work", default="", help="for models, ledgers and results (default: beside --out)")
    options = parser.parse_args()
    unknown = set(options.parts) - set(PARTS)
    if unknown:
        parser.error(f"unknown part {', '.join(sorted(unknown))}; there are {', '.join(PARTS)}")
    if not re.fullmatch(r"ppl:\+[\d.]+%", options.gate):
        parser.error(f"gate '{options.gate}': the sweep judges only ppl:+PERCENT%")
    return options


def main():
    options = parse_arguments()
    bench = Bench(options)
    bench.hone("machine", "--json")  # ceilings, cached
    for name in options.models:
        if set(options.parts) & {"loop", "sweep", "unseen"}:
            bench.kept("loop", name, make=lambda: bench.loop(name))
        if "sweep" in options.parts:
            bench.results.setdefault("sweep", {}).setdefault(name, {}).setdefault("points", {})
            bench.kept("sweep", name, "done", make=lambda: bench.sweep(name))
        if "unseen" in options.parts:
            bench.kept("unseen", name, make=lambda: bench.unseen(name))
    if "accuracy" in options.parts:
        bench.accuracy()
    if "kills" in options.parts:
        bench.kept("kills", make=bench.kill)
    return 0 if show(bench.results) else 1


if __name__ == "__main__":
    sys.exit(main())
