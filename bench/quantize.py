#!/usr/bin/env python3
"""Quality of quantized files at equal size: Hone against llama-quantize, on float references made from one model.

    bench/quantize.py build/release/bin MODEL.gguf --text EVAL.txt --calibrate CALIB.txt --out quantize.json
        [--peer DIRECTORY] [--seeds 1,2,3] [--types Q4_0,Q5_0] [--mixtures Q4_0:pure+IQ4_NL:pure,Q4_K_M]
        [--wide] [--windows 8] [--tokens 8192]

The directory of the first argument has `hone` and `make_float_reference`; that of --peer has llama-quantize and
llama-imatrix. For each seed a float reference is made (tests/reference/float_reference.h), since a model that is
published in 4 bits would go back to them without loss. Then files are made in each way, and each is scored by
`hone quality` with f32 activations against the reference in F16: mean KL divergence with its interval, on a text that no
calibration reads. All ways of one row have the same size within 1 %; a file that has not is left out and said.
Results are kept as they come; a run that was stopped goes on. Printed at the end: Markdown tables.
"""
import argparse
import json
import os
import pathlib
import sys
import tempfile

import peer_files
import perplexity
from runs import run, store, stored

SIZE_TOLERANCE = 0.01


class Bench:
    def __init__(self, options, directory):
        self.options = options
        self.directory = pathlib.Path(directory)
        self.results = stored(options.out, {})

    def hone(self, *arguments):
        return run([pathlib.Path(self.options.bin) / "hone", *arguments])

    def peer(self, tool, *arguments):
        folder = pathlib.Path(self.options.peer)
        return run([folder / tool, *arguments], environment=dict(os.environ, LD_LIBRARY_PATH=str(folder)))

    def reference(self, seed):
        path = peer_files.made_once(self.directory / f"reference_{seed}.gguf", lambda partial: run(
            [pathlib.Path(self.options.bin) / "make_float_reference", self.options.model, partial, seed, "F16"]))
        if not self.options.wide:
            return path
        return peer_files.made_once(self.directory / f"reference_{seed}_wide.gguf",
                                    lambda partial: perplexity.write_wide(path, partial))

    def imatrix(self, seed):
        chunks = max(1, self.options.tokens // 512)
        name = f"imatrix_{seed}{'_wide' if self.options.wide else ''}.gguf"
        return peer_files.made_once(self.directory / name, lambda partial: self.peer(
            "llama-imatrix", "-m", self.reference(seed), "-f", self.options.calibrate, "-o", partial, "--chunks", chunks,
            "-c", 512, "--process-output", "-t", 2, "--output-format", "gguf"))

    def score(self, model, seed):
        answer = json.loads(self.hone("quality", model, "--against", self.reference(seed), "--text", self.options.text,
                                      "--without", "quantize_activations", "--windows", self.options.windows, "--json"))
        return {metric["name"]: metric for metric in answer["metrics"]}

    def measure(self, seed, row, way, make):
        """One file: made, scored, deleted; its size and KL are kept."""
        key = f"{seed}/{row}/{way}"
        if key in self.results:
            return
        path = self.directory / "file.gguf"
        path.unlink(missing_ok=True)
        make(path)
        scores = self.score(path, seed)
        kl = scores["kl"]
        self.results[key] = {"seed": seed, "row": row, "way": way, "bytes": path.stat().st_size, "kl": kl["value"],
                             "ci95": kl["ci95"], "top1": scores["top1_agreement"]["value"], "n": kl["n"]}
        store(self.options.out, self.results)
        print(f"{key}: {path.stat().st_size / 1e6:.2f} MB, KL {kl['value']:.5f}", file=sys.stderr)

    def hone_file(self, seed, *arguments):
        return lambda path: self.hone("quantize", self.reference(seed), "-o", path, *arguments)

    def peer_file(self, seed, kind, *arguments):
        return lambda path: self.peer("llama-quantize", *arguments, self.reference(seed), path, kind, 2)

    def calibrated(self):
        return ["--calibrate", self.options.calibrate, "--calibration-tokens", self.options.tokens]

    def single_types(self, seed):
        for kind in filter(None, self.options.types.split(",")):
            self.measure(seed, kind, "hone plain", self.hone_file(seed, "--type", kind, "--pure"))
            self.measure(seed, kind, "hone importance",
                         self.hone_file(seed, "--type", kind, "--pure", *self.calibrated()))
            self.measure(seed, kind, "hone feedback",
                         self.hone_file(seed, "--type", kind, "--pure", *self.calibrated(), "--feedback"))
            if self.options.peer:
                self.measure(seed, kind, "llama plain", self.peer_file(seed, kind, "--pure"))
                self.measure(seed, kind, "llama imatrix",
                             self.peer_file(seed, kind, "--pure", "--imatrix", self.imatrix(seed)))

    def peer_mixtures(self, seed):
        """The files of llama-quantize, with and without its imatrix."""
        for row in mixture_rows(self.options.mixtures):
            for kind in row.split("+"):
                name, _, pure = kind.partition(":")
                flags = ["--pure"] if pure else []
                self.measure(seed, row, f"llama plain {name}", self.peer_file(seed, name, *flags))
                self.measure(seed, row, f"llama imatrix {name}",
                             self.peer_file(seed, name, *flags, "--imatrix", self.imatrix(seed)))

    def hone_mixtures(self, seed):
        """Hone's choice of types, at the size of the smallest of the row."""
        for row in mixture_rows(self.options.mixtures):
            size = min(result["bytes"] for result in self.results.values()
                       if result["row"] == row and result["seed"] == seed and result["way"].startswith("llama"))
            self.measure(seed, row, "hone mixed feedback",
                         self.hone_file(seed, "--target", f"size={size}", *self.calibrated(), "--feedback"))


def mixture_rows(text):
    return [row for row in text.split(",") if row]


def best_cell(results, smallest):
    """The lowest KL of a row's files of equal size."""
    fair = [result for result in results if result["bytes"] <= (1 + SIZE_TOLERANCE) * smallest]
    if not fair:
        return ", ".join(f"({result['bytes'] / 1e6:.1f} MB)" for result in results)
    best = min(fair, key=lambda result: result["kl"])
    kind = best["way"].split()[2:] if best["way"].startswith("llama") else []
    return " ".join([f"{best['kl']:.5f}", *(f"({name})" for name in kind)])


def way_of(result):
    """Without the type that llama-quantize was asked for."""
    return " ".join(result["way"].split()[:2]) if result["way"].startswith("llama") else result["way"]


def tables(results):
    rows = {}
    for result in results.values():
        rows.setdefault((result["row"], result["seed"]), []).append(result)
    ways = sorted({way_of(result) for result in results.values()})
    lines = ["| row | seed | MB | " + " | ".join(ways) + " |", "|---|---|---|" + "---|" * len(ways)]
    for (row, seed), of_row in sorted(rows.items()):
        smallest = min(result["bytes"] for result in of_row)
        cells = [best_cell([result for result in of_row if way_of(result) == way], smallest) for way in ways]
        lines.append(f"| {row} | {seed} | {smallest / 1e6:.1f} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("bin")
    parser.add_argument("model")
    parser.add_argument("--text", required=True)
    parser.add_argument("--calibrate", required=True)
    parser.add_argument("--out", required=True)
    parser.add_argument("--peer", default="")
    parser.add_argument("--seeds", default="1,2,3")
    parser.add_argument("--types", default="Q4_0,IQ4_NL,Q4_1,Q5_0,Q5_1,Q8_0")
    parser.add_argument("--mixtures", default="", help="rows of file types of llama-quantize that have one size, :pure without "
                        "its own mixture, e.g. Q4_0:pure+IQ4_NL:pure,Q4_1:pure,Q4_K_M")
    parser.add_argument("--wide", action="store_true", help="rows of 768, so that every type has whole blocks "
                        "(bench/perplexity.py; a results file of its own)")
    parser.add_argument("--windows", type=int, default=8)
    parser.add_argument("--tokens", type=int, default=8192)
    parser.add_argument("--keep", default="", help="directory for the references (default: a temporary one)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(options, options.keep or temporary)
        for seed in options.seeds.split(","):
            bench.single_types(seed)
            if options.peer:
                bench.peer_mixtures(seed)
                bench.hone_mixtures(seed)
    print(tables(bench.results))


if __name__ == "__main__":
    main()
