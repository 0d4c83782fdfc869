#!/usr/bin/env python3
"""all-MiniLM-L6-v2 as the directory it is published as, through the whole program: token ids and vectors of
transformers (tests/golden/minilm.json), inspection, and quantizing to a GGUF file. Usage: minilm_test.py HONE

The model is $HONE_TEST_MINILM or what `scripts/model minilm` has fetched before: the test fetches nothing (92 MB).
"""
import json
import pathlib
import sys
import tempfile

from program import ROOT, check, check_error, fetched_model, finish, hone

GOLDEN = ROOT / "tests" / "golden" / "minilm.json"
# Cosine to the float reference, of the worst text, and in the middle. Keys and values are kept in f16; the types round
# weights besides, which a text without words feels most.
COSINES = {"": (0.9999, 0.99999), "F16": (0.9999, 0.99999), "Q8_0": (0.995, 0.999), "Q4_K": (0.95, 0.98)}


def vectors(model, texts):
    answer = hone("embed", model, *[word for text in texts for word in ("-p", text)], "--json")
    check(answer.returncode == 0, f"embed {model}: {answer.stderr.decode()}")
    return [row["embedding"] for row in json.loads(answer.stdout)["texts"]]


def check_vectors(what, got, golden):
    cosines = [sum(a * b for a, b in zip(v, row["embedding"], strict=True)) for v, row in zip(got, golden, strict=True)]
    gap = max(abs(a - b) for v, row in zip(got, golden) for a, b in zip(v, row["embedding"]))
    mean = sum(cosines) / len(cosines)
    print(f"{what or 'as it is'}: cosine {mean:.7f}, at least {min(cosines):.7f}, greatest difference {gap:.2e}")
    check(min(cosines) >= COSINES[what][0] and mean >= COSINES[what][1], f"{what}: cosine {mean}, least {min(cosines)}")


def main():
    model = fetched_model("minilm", "HONE_TEST_MINILM", "model.safetensors")
    if model is None:
        print("not run: no MiniLM (HONE_TEST_MINILM, or fetch it with `scripts/model minilm`)")
        return 77
    golden = json.loads(GOLDEN.read_text())
    texts = [row["text"] for row in golden]
    for row in golden:
        answer = hone("tokenize", model, stdin=row["text"].encode())
        ids = json.loads(answer.stdout) if answer.returncode == 0 else answer.stderr
        check(ids == row["tokens"], f"tokens of {row['text'][:40]!r}: {ids}")
    check_vectors("", vectors(model, texts), golden)
    check(hone("inspect", model, "--tensor", "blk.0.attn_q.weight").returncode == 0, "inspect --tensor")
    check_error(4, "run", model, "-p", "x")
    with tempfile.TemporaryDirectory() as folder:
        for kind in [kind for kind in COSINES if kind]:
            output = pathlib.Path(folder) / f"{kind}.gguf"
            answer = hone("quantize", model + "/", "-o", output, "--type", kind)
            check(answer.returncode == 0, f"quantize --type {kind}: {answer.stderr.decode()}")
            check_vectors(kind, vectors(output, texts), golden)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
