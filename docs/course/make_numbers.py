#!/usr/bin/env python3
"""Types every command of the course and puts what it prints in place of the numbers in the text.

Usage: make_numbers.py HONE MODEL [--check] [CHAPTER ...]

A chapter is a file of the same name in each language, with the same ```sh blocks; each is run once, in an empty
folder per chapter, and its output goes into the ```text block that follows `<!-- output -->`, in every language.
--check runs the commands with small budgets and writes nothing: what the test does. Exit 1 when a command fails or
the languages differ.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

COURSE = pathlib.Path(__file__).resolve().parent
LANGUAGES = ("en", "zh")
COMMANDS = re.compile(r"^```sh\n(.*?)^```$", re.M | re.S)
OUTPUT = re.compile(r"(^```sh\n(?:.*?)^```\n\n<!-- output -->\n```text\n)(.*?)(^```$)", re.M | re.S)


def small(script):
    """The same commands, with as little measuring as they allow."""
    # A loop wants ten seconds at least.
    script = re.sub(r"(hone (?:optimize|apply)\b.*?--budget) \d+", r"\1 10", script)
    script = re.sub(r"(hone (?:explain|ab)\b.*?--budget) \d+", r"\1 1", script)
    script = re.sub(r"--windows \d+", "--windows 2", script)
    return re.sub(r"--repeat \d+", "--repeat 2", script)


def run_chapter(texts, hone, model, check):
    """Returns the output of each command block, or None after a failure."""
    blocks = [COMMANDS.findall(text) for text in texts]
    if any(other != blocks[0] for other in blocks):
        print("  the languages have different commands")
        return None
    environment = os.environ | {"M": model, "COURSE": str(COURSE),
                                "PATH": f"{pathlib.Path(hone).resolve().parent}:{os.environ['PATH']}"}
    outputs = []
    with tempfile.TemporaryDirectory() as folder:
        for script in blocks[0]:
            answer = subprocess.run(["bash", "-euo", "pipefail", "-c", small(script) if check else script], cwd=folder,
                                    env=environment, capture_output=True, text=True, timeout=600)
            # `head` closes the pipe early: what hone says about that is no failure.
            closed = answer.returncode in (8, 141) and "| head" in script
            if answer.returncode != 0 and not closed:
                print(f"  exit {answer.returncode}: {script.strip()}\n  {answer.stderr.strip()}")
                return None
            outputs.append(answer.stdout)
    return outputs


def fill(text, outputs):
    """Puts each output behind its command block."""
    by_script = {}
    for script, output in zip(COMMANDS.findall(text), outputs):
        by_script[script] = "\n".join(line.rstrip() for line in output.rstrip().splitlines()) + "\n"
    # A match may begin at an earlier block that shows no output: the last one is the one that does.
    return OUTPUT.sub(lambda m: m[1] + by_script[COMMANDS.findall(m[1])[-1]] + m[3], text)


def main():
    arguments = [a for a in sys.argv[1:] if a != "--check"]
    check = "--check" in sys.argv
    hone, model, chapters = arguments[0], arguments[1], arguments[2:]
    names = chapters or sorted(p.name for p in (COURSE / LANGUAGES[0]).glob("*.md"))
    problems = 0
    for name in names:
        print(name, flush=True)
        files = [COURSE / language / name for language in LANGUAGES]
        texts = [file.read_text() for file in files]
        outputs = run_chapter(texts, hone, model, check)
        if outputs is None:
            problems += 1
        elif not check:
            for file, text in zip(files, texts):
                file.write_text(fill(text, outputs))
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
