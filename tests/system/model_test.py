#!/usr/bin/env python3
"""The default model through the whole program: tokenization and greedy text of another engine, determinism,
what a pipe sees, load time's parts. Usage: model_test.py HONE

The model is $HONE_TEST_MODEL or what scripts/model fetches. Without it: skipped where packages cannot be
had at all, failed where they can.
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent.parent
GOLDEN = ROOT / "tests" / "golden"
GREEDY_EQUAL_MIN = 9


def find_model():
    model = os.environ.get("HONE_TEST_MODEL", "")
    if pathlib.Path(model).is_file():
        return model
    answer = subprocess.run([ROOT / "scripts" / "model"], capture_output=True, text=True)
    return answer.stdout.strip() if answer.returncode == 0 else None


def registry_answers():
    with tempfile.TemporaryDirectory() as directory:
        command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", directory, "six"]
        return subprocess.run(command, capture_output=True).returncode == 0


def complete(hone, model, prompt, *options):
    command = [hone, "run", model, "--raw", "--greedy", "-n", "32", "-p", prompt, *options]
    return subprocess.run(command, check=True, capture_output=True, stdin=subprocess.DEVNULL)


def greedy_problems(hone, model):
    equal = 0
    for case in json.loads((GOLDEN / "greedy.json").read_text()):
        text = complete(hone, model, case["prompt"]).stdout.decode(errors="replace")
        # The other tool shows the end of generation as a marker, cut from the golden text.
        if text == case["text"] or text.rstrip() == case["text"].rstrip():
            equal += 1
        else:
            print(f"differs: {case['prompt']!r}: {text!r} instead of {case['text']!r}")
    print(f"greedy text: {equal} of 12 equal")
    return 0 if equal >= GREEDY_EQUAL_MIN else 1


def determinism_problems(hone, model):
    want = complete(hone, model, "Once upon a time")
    problems = 1 if want.stderr else 0
    for options in (["-t", "1"], ["--step-tokens", "2"], []):
        if complete(hone, model, "Once upon a time", *options).stdout != want.stdout:
            print(f"another text with {options}")
            problems += 1
    chat = subprocess.run([hone, "run", model, "-p", "Say hello.", "-n", "16", "--json"], check=True,
                          capture_output=True, stdin=subprocess.DEVNULL)
    answer = json.loads(chat.stdout)
    if answer["prompt_tokens"] < 20 or "<|im_" in answer["text"]:
        print(f"the chat format was not used: {answer}")
        problems += 1
    return problems


def main():
    hone = sys.argv[1]
    model = find_model()
    if model is None:
        reachable = registry_answers()
        print("FAILED: the model cannot be had" if reachable else "not run: no model and no registry")
        return 1 if reachable else 77
    problems = subprocess.run([sys.executable, ROOT / "tests/system/tokenize_test.py", hone, model]).returncode
    problems += greedy_problems(hone, model)
    problems += determinism_problems(hone, model)
    print(f"{problems} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
