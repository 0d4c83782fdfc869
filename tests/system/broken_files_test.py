#!/usr/bin/env python3
"""Every command that opens a broken model file ends with the documented code and one clear line.

Usage: broken_files_test.py HONE
"""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent


def run(hone, *arguments):
    return subprocess.run([hone, *arguments], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          timeout=60, errors="replace")


def main():
    hone = sys.argv[1]
    wrong = 0
    with tempfile.TemporaryDirectory() as directory:
        subprocess.run([sys.executable, HERE / "make_broken_gguf.py", directory], check=True)
        cases = json.loads((pathlib.Path(directory) / "manifest.json").read_text())
        for case in cases:
            path = str(pathlib.Path(directory) / case["file"])
            for command in (["tokenize", path], ["run", path, "-p", "x", "-n", "1", "--raw"]):
                answer = run(hone, *command)
                lines = answer.stderr.strip().splitlines()
                good = (answer.returncode == case["expected_exit_code"] and len(lines) == 1
                        and case["message"] in lines[0] and answer.stdout == "")
                if not good:
                    wrong += 1
                    print(f"{command[0]} {case['file']}: exit {answer.returncode}, expected "
                          f"{case['expected_exit_code']} and {case['message']!r}: {answer.stderr[:300]!r}")
    print(f"{len(cases)} files, {wrong} wrong answers")
    return 1 if wrong or len(cases) < 40 else 0


if __name__ == "__main__":
    sys.exit(main())
