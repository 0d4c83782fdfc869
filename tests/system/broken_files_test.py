#!/usr/bin/env python3
"""Every command that opens a broken file ends with the documented code and one clear line.

Usage: broken_files_test.py HONE [--opener]

With --opener, the program is open_model: it knows the two commands that only open a model.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
CASES_MIN = 200


def run(hone, *arguments):
    return subprocess.run([hone, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=120, errors="replace")


def cases(directory):
    """name, commands, expected exit code, a part of the message."""
    for maker in ("make_broken_gguf", "make_broken_inputs"):
        made = directory / maker
        subprocess.run([sys.executable, HERE / (maker + ".py"), made], check=True)
        for case in json.loads((made / "manifest.json").read_text()):
            yield case["name"], case["commands"], case["expected_exit_code"], case["message"]


def opens_a_model(command):
    return "--config" not in command and (command[0] == "tokenize" or command[0] == "run" and "--raw" in command)


def is_good(answer, code, message):
    if code == 0:
        return answer.returncode == 0
    lines = answer.stderr.strip().splitlines()
    return answer.returncode == code and len(lines) == 1 and message in lines[0] and answer.stdout == ""


def main():
    hone = sys.argv[1]
    opener = "--opener" in sys.argv[2:]
    broken, wrong = 0, 0
    with tempfile.TemporaryDirectory() as directory:
        for name, commands, code, message in cases(pathlib.Path(directory)):
            if opener:
                commands = [c for c in commands if opens_a_model(c)]
            broken += code != 0 and bool(commands)
            for command in commands:
                answer = run(hone, *command)
                if not is_good(answer, code, message):
                    wrong += 1
                    print(f"{command[0]} {name}: exit {answer.returncode}, expected {code} and {message!r}: "
                          f"{answer.stderr[:300]!r}")
    print(f"{broken} broken inputs, {wrong} wrong answers")
    return 1 if wrong or broken < (CASES_MIN / 2 if opener else CASES_MIN) else 0


if __name__ == "__main__":
    sys.exit(main())
