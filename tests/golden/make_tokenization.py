#!/usr/bin/env python3
"""Writes tokenization_smollm2.json: the token ids llama.cpp gives for tokenization_corpus.json.

Usage: python3 make_tokenization.py LLAMA_TOKENIZE MODEL.gguf
The corpus is a list of {"name", "hex"}; the golden file holds, in the same order, the ids with
special tokens as text ("text") and parsed ("special"). The corpus leaves out the bytes F4 90 and
beyond in whole sequences, on which llama-tokenize aborts.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def tokenize(program, model, content, special):
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        command = [program, "-m", model, "-f", file.name, "--ids", "--no-escape", "--log-disable"]
        if not special:
            command.append("--no-parse-special")
        answer = subprocess.run(command, check=True, capture_output=True).stdout
    return json.loads(answer)


def main():
    program, model = sys.argv[1], sys.argv[2]
    corpus = json.loads((HERE / "tokenization_corpus.json").read_text())
    lines = []
    for entry in corpus:
        content = bytes.fromhex(entry["hex"])
        golden = {
            "name": entry["name"],
            "text": tokenize(program, model, content, False),
            "special": tokenize(program, model, content, True),
        }
        lines.append(json.dumps(golden))
    (HERE / "tokenization_smollm2.json").write_text("[\n" + ",\n".join(lines) + "\n]\n")
    print(f"{len(lines)} strings")


main()
