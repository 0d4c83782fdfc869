#!/usr/bin/env python3
"""Writes greedy.json: what llama.cpp completes greedily, 32 tokens, for twelve prompts.

The prompts were chosen for confident continuations: where two tokens are nearly equally likely, any change
of rounding flips the choice, and the comparison would measure luck. Usage:
    make_greedy.py LLAMA_COMPLETION MODEL.gguf   (llama.cpp b11434, SmolLM2-135M-Instruct Q4_1, CPU)
"""
import json
import pathlib
import subprocess
import sys

PROMPTS = [
    "1, 2, 3, 4, 5, 6, 7, 8,",
    "2, 4, 6, 8, 10, 12,",
    "10, 9, 8, 7, 6,",
    "To make a cup of tea, first",
    "January, February, March, April,",
    "The quick brown fox jumps over the lazy dog. The quick brown fox jumps over the",
    "To be, or not to be, that is the question:",
    "SELECT name FROM users WHERE id = 1;\nSELECT name FROM users WHERE id = 2;\n"
    "SELECT name FROM users WHERE id = 3;\n",
    "Our Father, who art in heaven, hallowed be thy name;",
    "Question: What is 2+2?\nAnswer: 4\nQuestion: What is 3+3?\nAnswer: 6\nQuestion:",
    "the cat sat on the mat. the cat sat on the mat. the cat",
    "a = 1\nb = 2\nc = 3\nd = 4\ne =",
]


def main():
    cases = []
    for prompt in PROMPTS:
        text = subprocess.run(
            [sys.argv[1], "-m", sys.argv[2], "-p", prompt, "-n", "32", "--temp", "0", "-no-cnv", "-t", "2",
             "--no-display-prompt", "--no-escape"],
            check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout.decode(errors="replace")
        # The tool ends its output with a marker and line breaks of its own.
        cases.append({"prompt": prompt, "text": text.removesuffix("\n\n\n").removesuffix("\n\n")
                      .removesuffix(" [end of text]")})
    path = pathlib.Path(__file__).with_name("greedy.json")
    path.write_text(json.dumps(cases, indent=1) + "\n")


if __name__ == "__main__":
    main()
