#!/usr/bin/env python3
"""Perplexity of Hone against llama.cpp on the same files: SmolLM2 requantized to every type that llama-quantize makes.

    bench/perplexity.py [build/release/bin/hone] [--models smollm2,smollm2-wide] [--types Q4_0,IQ2_XS]
                        [--text docs/ARCHITECTURE.md] [--windows 4] [--threads 2] [--json F]

Both read the same windows of 512 tokens of the text and score the second halves (`hone quality --window llama`,
llama-perplexity). Two models carry the same weights:

    smollm2        as llama-quantize makes it by default. Rows of 576 do not divide into blocks of 256, so the types
                   that have such blocks are in the rows of 1536 (ffn_down), and others stand in elsewhere.
    smollm2-wide   rows of 768 and 12 heads, widened by zeros and heads of zeros, with the norms scaled so that it
                   computes the same; every matrix of the layers in the one type (--pure), embedding and head in Q8_0.

llama-quantize's IQ2_S writes blocks of IQ2_XS; those of IQ2_S come with its IQ2_M.

Types of code books and two bits use an importance matrix that llama-imatrix takes from another text. A row whose ratio
is beyond 0.5 % is run once more with exact activations on both sides: in Hone without quantized activations, in
llama.cpp as the same file turned back to F32 by llama-quantize. That tells an error of a decoder, which stays, from the
noise of 8-bit activations, which goes. llama.cpp and the files are kept by bench/peer_files.py; widening needs the
Python packages gguf and numpy. Results are kept as they come; a run that was stopped goes on where --json exists.
"""
import argparse
import hashlib
import json
import pathlib
import re
import subprocess
import sys

import peer_files
from runs import store, stored

TYPES = ["F32", "F16", "BF16", "Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0", "Q2_K", "Q3_K_M", "Q4_K_M", "Q5_K_M", "Q6_K",
         "IQ1_S", "IQ1_M", "IQ2_XXS", "IQ2_XS", "IQ2_S", "IQ2_M", "IQ3_XXS", "IQ3_S", "IQ4_NL", "IQ4_XS", "TQ1_0", "TQ2_0",
         "MXFP4_MOE"]
WITH_IMATRIX = ("IQ1_", "IQ2_", "Q2_K")
# Where every matrix is of the type: llama-quantize asks for it, or makes a model that predicts nothing without.
PURE_WITH_IMATRIX = ("IQ3_XXS", "IQ3_S")
TOLERANCE = 0.005
CONTEXT = 512
ROOT = peer_files.SOURCE_ROOT
IMATRIX_TEXT = ROOT / "docs" / "run-record.md"
# Of the wide model: columns of the embedding, heads of queries and of keys.
WIDTH, HEADS, KV_HEADS, HEAD_DIM = 768, 12, 4, 64


def answer_of(command):
    done = subprocess.run([str(c) for c in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"perplexity: {' '.join(str(c) for c in command)}\n{done.stderr.strip()[-600:]}")
    return done.stdout + done.stderr


def widened(name, data, width):
    """The tensor of the wide model: zeros where the narrow one has nothing, norms scaled for the longer mean."""
    import numpy
    if name.endswith("norm.weight"):
        out = numpy.zeros(WIDTH, data.dtype)
        out[:width] = data * numpy.sqrt(width / WIDTH).astype(data.dtype)
        return out
    kind = name.split(".")[-2]
    rows = {"attn_q": HEADS * HEAD_DIM, "attn_k": KV_HEADS * HEAD_DIM, "attn_v": KV_HEADS * HEAD_DIM,
            "attn_output": WIDTH, "ffn_down": WIDTH}.get(kind, data.shape[0])
    columns = {"ffn_down": data.shape[1]}.get(kind, WIDTH)
    out = numpy.zeros((rows, columns), data.dtype)
    out[:data.shape[0], :data.shape[1]] = data
    return out


def write_wide(source, target):
    import gguf
    reader = gguf.GGUFReader(str(source))
    width = reader.get_field("llama.embedding_length").contents()
    epsilon = reader.get_field("llama.attention.layer_norm_rms_epsilon").contents()
    changed = {"llama.embedding_length": WIDTH, "llama.attention.head_count": HEADS,
               "llama.attention.head_count_kv": KV_HEADS,
               "llama.attention.layer_norm_rms_epsilon": epsilon * width / WIDTH}
    writer = gguf.GGUFWriter(str(target), "llama")
    for key, field in reader.fields.items():
        if key.startswith("GGUF.") or key == "general.architecture":
            continue
        kinds = field.types
        writer.add_key_value(key, changed.get(key, field.contents()), kinds[0], kinds[-1] if len(kinds) > 1 else None)
    for tensor in reader.tensors:
        writer.add_tensor(tensor.name, widened(tensor.name, tensor.data, width))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Files:
    """The models under test; all are made once and kept in the cache."""

    def __init__(self, cache, tools):
        self.folder = cache / "models"
        self.tools = tools
        self.log = cache / "perplexity.log"
        self.f16 = peer_files.requantized(cache, tools, "f16")

    def source(self, model):
        if model == "smollm2":
            return self.f16
        return peer_files.made_once(self.folder / "smollm2-wide-f16.gguf", lambda partial: write_wide(self.f16, partial))

    def imatrix(self, model):
        return peer_files.made_once(self.folder / f"{model}-imatrix.gguf", lambda partial: peer_files.quietly(
            [self.tools / "llama-imatrix", "-m", self.source(model), "-f", IMATRIX_TEXT, "-o", partial, "--chunks", 8,
             "-c", CONTEXT, "-t", 2, "--output-format", "gguf"], self.log))

    def quantized(self, model, dtype):
        source = self.source(model)
        if dtype == "F16":
            return source
        options = ["--allow-requantize"]
        wide = model == "smollm2-wide"
        if dtype.startswith(WITH_IMATRIX) or (wide and dtype in PURE_WITH_IMATRIX):
            options += ["--imatrix", self.imatrix(model)]
        if wide and dtype not in ("F32", "BF16"):
            options += ["--pure", "--token-embedding-type", "q8_0"]
        if dtype == "MXFP4_MOE":
            # By itself it is for experts, of which this model has none.
            options += [word for part in ("attn", "ffn") for word in ("--tensor-type", f"{part}=mxfp4")]
        return peer_files.made_once(self.folder / f"{model}-{dtype.lower()}-ppl.gguf", lambda partial: peer_files.quietly(
            [self.tools / "llama-quantize", *options, source, partial, dtype, "2"], self.log))

    def as_f32(self, path):
        return peer_files.made_once(path.with_name(path.stem + "-f32.gguf"), lambda partial: peer_files.quietly(
            [self.tools / "llama-quantize", "--allow-requantize", path, partial, "F32", "2"], self.log))


def hone_perplexity(args, path, *options):
    answer = json.loads(subprocess.run(
        [args.hone, "quality", path, "--text", args.text, "--metric", "perplexity", "--window", "llama", "--context",
         str(CONTEXT), "--windows", str(args.windows), "--threads", str(args.threads), "--json", *options], check=True,
        capture_output=True, text=True).stdout)
    if answer["signature"]["windows"] != args.windows:
        sys.exit(f"perplexity: the text has only {answer['signature']['windows']} windows")
    return answer["metrics"][0]["value"]


def peer_perplexity(args, tools, path):
    text = answer_of([tools / "llama-perplexity", "-m", path, "-f", args.text, "-c", CONTEXT, "--chunks", args.windows,
                      "-t", args.threads])
    # The estimate is printed with four decimals.
    return float(re.search(r"Final estimate: PPL = ([0-9.]+)", text).group(1))


def types_in(args, path):
    """'Q4_0 64 %, Q8_0 36 %': what the file's bytes are."""
    sizes = json.loads(answer_of([args.hone, "inspect", path, "--json"]))[0]["bytes_by_dtype"]
    total = sum(sizes.values())
    shares = sorted(((size / total, name) for name, size in sizes.items()), reverse=True)
    return ", ".join(f"{name} {share:.0%}" for share, name in shares if share >= 0.01)


def measure(args, files, tools, model, dtype):
    path = files.quantized(model, dtype)
    row = {"model": model, "type": dtype, "file": types_in(args, path), "file_bytes": path.stat().st_size,
           "hone": hone_perplexity(args, path), "llama_cpp": peer_perplexity(args, tools, path)}
    row["ratio"] = row["hone"] / row["llama_cpp"]
    if abs(row["ratio"] - 1) > TOLERANCE:
        whole = files.as_f32(path)
        row["hone_exact"] = hone_perplexity(args, path, "--without", "quantize_activations")
        row["llama_cpp_f32"] = peer_perplexity(args, tools, whole)
        row["ratio_exact"] = row["hone_exact"] / row["llama_cpp_f32"]
        whole.unlink()
    return row


def line_of(row):
    text = (f"| {row['model']} | {row['type']} | {row['file']} | {row['hone']:.4f} | {row['llama_cpp']:.4f} | "
            f"{100 * (row['ratio'] - 1):+.2f} % |")
    if "ratio_exact" in row:
        return text + (f" {row['hone_exact']:.4f} | {row['llama_cpp_f32']:.4f} | "
                       f"{100 * (row['ratio_exact'] - 1):+.2f} % |")
    return text + " | | |"


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("hone", nargs="?", default="build/release/bin/hone")
    parser.add_argument("--models", default="smollm2,smollm2-wide")
    parser.add_argument("--types", default=",".join(TYPES))
    parser.add_argument("--text", type=pathlib.Path, default=ROOT / "docs" / "ARCHITECTURE.md")
    parser.add_argument("--windows", type=int, default=4)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--cache", type=pathlib.Path, default=peer_files.default_cache())
    parser.add_argument("--json", type=pathlib.Path)
    args = parser.parse_args()
    for given, known, what in ((args.models, ["smollm2", "smollm2-wide"], "model"), (args.types, TYPES, "type")):
        unknown = set(given.split(",")) - set(known)
        if unknown:
            parser.error(f"unknown {what} {', '.join(sorted(unknown))}; there are {', '.join(known)}")
    return args


def kept_rows(args, conditions):
    """Rows of an earlier run under the same conditions."""
    kept = stored(args.json, {}) if args.json else {}
    return kept["rows"] if all(kept.get(key) == value for key, value in conditions.items()) else []


def main():
    args = parse_arguments()
    tools = peer_files.build_llama(args.cache)
    files = Files(args.cache, tools)
    conditions = {"text": args.text.name, "text_sha256": hashlib.sha256(args.text.read_bytes()).hexdigest(),
                  "windows": args.windows, "context": CONTEXT, "peer_version": peer_files.VERSION}
    rows = {(row["model"], row["type"]): row for row in kept_rows(args, conditions)}
    print("| model | type | in the file | Hone | llama.cpp | difference | Hone, exact | llama.cpp, F32 | difference |\n"
          "|---|---|---|---|---|---|---|---|---|")
    for model in args.models.split(","):
        for dtype in args.types.split(","):
            if (model, dtype) not in rows:
                rows[model, dtype] = measure(args, files, tools, model, dtype)
            print(line_of(rows[model, dtype]), flush=True)
            if args.json:
                store(args.json, {**conditions, "rows": list(rows.values())})
    far = [key for key, row in rows.items() if abs(row.get("ratio_exact", row["ratio"]) - 1) > TOLERANCE]
    if far:
        sys.exit(f"perplexity: beyond {TOLERANCE:.1%}: {', '.join(f'{model} {dtype}' for model, dtype in far)}")


if __name__ == "__main__":
    main()
