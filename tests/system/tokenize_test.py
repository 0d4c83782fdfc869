#!/usr/bin/env python3
"""`hone tokenize` gives the ids of another engine (tests/golden) on every string of the corpus.

Usage: tokenize_test.py HONE MODEL.gguf, where MODEL is SmolLM2-135M-Instruct. Exit code 77 (skipped)
when the model is not there.
"""
import json
import pathlib
import subprocess
import sys

GOLDEN = pathlib.Path(__file__).resolve().parent.parent / "golden"


def tokenize(hone, model, content, special):
    command = [hone, "tokenize", model] + (["--special"] if special else [])
    answer = subprocess.run(command, input=content, check=True, capture_output=True).stdout
    return json.loads(answer)


def main():
    hone, model = sys.argv[1], sys.argv[2]
    if not pathlib.Path(model).is_file():
        print(f"skipped: {model} is not there")
        return 77
    corpus = json.loads((GOLDEN / "tokenization_corpus.json").read_text())
    goldens = json.loads((GOLDEN / "tokenization_smollm2.json").read_text())
    assert len(corpus) == len(goldens) and len(corpus) >= 100
    wrong = 0
    for entry, golden in zip(corpus, goldens):
        assert entry["name"] == golden["name"]
        content = bytes.fromhex(entry["hex"])
        for key, special in (("text", False), ("special", True)):
            ids = tokenize(hone, model, content, special)
            if ids != golden[key]:
                wrong += 1
                print(f"{entry['name']} ({key}): {ids} instead of {golden[key]}")
    print(f"{len(corpus)} strings, {wrong} answers differ")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
