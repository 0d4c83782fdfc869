#!/usr/bin/env python3
"""Writes gemma3.json: token ids and greedy text that llama.cpp gives for Gemma 3 270M.

Usage: python3 make_gemma3.py BIN MODEL.gguf   (BIN: llama-tokenize and llama-completion of llama.cpp b11434, CPU;
MODEL: what `scripts/model gemma3` prints)
"corpus" follows tokenization_corpus.json, 20 strings in one text with line breaks between: the ids with special tokens
as text and parsed. "lines" are texts of 40 further lines of prose, code and data in several languages. "greedy" are 32
tokens for prompts with confident continuations: those of make_greedy.py, but four whose first choices this model finds
about as likely as others.
"""
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import make_greedy

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
SOURCES = ["README.md", "docs/ARCHITECTURE.md", "docs/course/en/*.md", "docs/course/zh/*.md", "src/text/*.cc",
           "scripts/*", "tests/system/*.py", "src/report/page/*.js", "src/report/messages_zh.cc"]
TEXTS = 10
LINES_OF_TEXT = 40
STRINGS_OF_TEXT = 20
UNSURE = ("10, 9, 8", "The quick brown", "Our Father", "the cat sat")
PROMPTS = [prompt for prompt in make_greedy.PROMPTS if not prompt.startswith(UNSURE)] + [
    "a b c d e f g h i j k l m n o p q r s t u v w x y z\na b c d e f g",
    "2 + 2 = 4\n3 + 3 = 6\n4 + 4 = 8\n5 + 5 =",
    "100, 200, 300, 400, 500,",
    "<ul>\n<li>1</li>\n<li>2</li>\n<li>3</li>\n",
]


def tokenize(program, model, content, special):
    with tempfile.NamedTemporaryFile() as file:
        file.write(content)
        file.flush()
        command = [program, "-m", model, "-f", file.name, "--ids", "--no-escape", "--log-disable"]
        answer = subprocess.run(command + ([] if special else ["--no-parse-special"]), check=True, capture_output=True)
    return json.loads(answer.stdout)


def some_lines():
    lines = set()
    for pattern in SOURCES:
        for path in sorted(ROOT.glob(pattern)):
            if path.is_file():
                lines.update(line for line in path.read_text().splitlines() if len(line) > 20)
    return random.Random(3).sample(sorted(lines), TEXTS * LINES_OF_TEXT)


def groups(entries, size):
    return [entries[i:i + size] for i in range(0, len(entries), size)]


def corpus_texts():
    corpus = json.loads((HERE / "tokenization_corpus.json").read_text())
    return [b"\n".join(bytes.fromhex(entry["hex"]) for entry in group) for group in groups(corpus, STRINGS_OF_TEXT)]


def complete(program, model, prompt):
    text = subprocess.run(
        [program, "-m", model, "-p", prompt, "-n", "32", "--temp", "0", "-no-cnv", "-t", "2", "--no-display-prompt",
         "--no-escape"], check=True, capture_output=True, stdin=subprocess.DEVNULL).stdout.decode(errors="replace")
    return text.removesuffix("\n\n\n").removesuffix("\n\n").removesuffix(" [end of text]")


def main():
    tools, model = pathlib.Path(sys.argv[1]), sys.argv[2]
    tokenizer, completer = str(tools / "llama-tokenize"), str(tools / "llama-completion")
    golden = {"greedy": [{"prompt": prompt, "text": complete(completer, model, prompt)}
                         for prompt in PROMPTS]}
    texts = ["\n".join(group) for group in groups(some_lines(), LINES_OF_TEXT)]
    golden["lines"] = [{"text": text, "ids": tokenize(tokenizer, model, text.encode(), False)} for text in texts]
    golden["corpus"] = [{"text": tokenize(tokenizer, model, content, False),
                         "special": tokenize(tokenizer, model, content, True)} for content in corpus_texts()]
    parts = [f'"{key}": [\n' + ",\n".join(json.dumps(entry) for entry in golden[key]) + "\n]" for key in golden]
    (HERE / "gemma3.json").write_text("{" + ",\n".join(parts) + "}\n")
    print(f"{len(golden['corpus'])} + {len(golden['lines'])} texts, {len(golden['greedy'])} completions")


if __name__ == "__main__":
    main()
