#!/usr/bin/env python3
"""Gemma 3 270M through the whole program: token ids and greedy text of another engine (tests/golden/gemma3.json),
and what `hone run` says to a file without a chat format. Usage: gemma3_test.py HONE

The model is $HONE_TEST_GEMMA or what `scripts/model gemma3` has fetched before: the test fetches nothing (253 MB).
"""
import json
import subprocess
import sys

import model_test
import tokenize_test
from program import fetched_model

GOLDEN = model_test.GOLDEN / "gemma3.json"
STRINGS_OF_TEXT = 20  # as make_gemma3.py joins them


def tokenization_problems(hone, model, golden):
    corpus = [bytes.fromhex(entry["hex"])
              for entry in json.loads((model_test.GOLDEN / "tokenization_corpus.json").read_text())]
    texts = [b"\n".join(corpus[i:i + STRINGS_OF_TEXT]) for i in range(0, len(corpus), STRINGS_OF_TEXT)]
    cases = [(content, special, want[key]) for content, want in zip(texts, golden["corpus"], strict=True)
             for key, special in (("text", False), ("special", True))]
    cases += [(text["text"].encode(), False, text["ids"]) for text in golden["lines"]]
    wrong = 0
    for content, special, want in cases:
        ids = tokenize_test.tokenize(hone, model, content, special)
        if ids != want:
            wrong += 1
            at = next((i for i, pair in enumerate(zip(ids, want)) if pair[0] != pair[1]), min(len(ids), len(want)))
            print(f"{content[:40]}...: token {at} is {ids[at:at + 4]} instead of {want[at:at + 4]}")
    print(f"{len(cases)} texts, {wrong} differ")
    return wrong


def no_chat_problems(hone, model):
    """A base model without a format of its own is refused with the way out, and completes raw text."""
    chat = subprocess.run([hone, "run", model, "-p", "Hello", "-n", "4"], capture_output=True, stdin=subprocess.DEVNULL)
    if chat.returncode != 4 or b"--raw" not in chat.stderr:
        print(f"a chat without a format: exit {chat.returncode}, {chat.stderr}")
        return 1
    return 0


def main():
    hone = sys.argv[1]
    model = fetched_model("gemma3", "HONE_TEST_GEMMA")
    if model is None:
        print("not run: no Gemma model (HONE_TEST_GEMMA, or fetch it with `scripts/model gemma3`)")
        return 77
    golden = json.loads(GOLDEN.read_text())
    problems = tokenization_problems(hone, model, golden)
    problems += model_test.greedy_problems(hone, model, golden["greedy"])
    problems += no_chat_problems(hone, model)
    print(f"{problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
