"""The program under test, for the tests in this folder: runs it and collects what is wrong.

A test is `NAME_test.py HONE`; it calls check() as often as it likes and ends with finish().
"""
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = sys.argv[1]
# Of every process that a test starts; a test sets here where caches and state are to lie.
ENVIRONMENT = dict(os.environ)
PROBLEMS = []


def hone(*arguments, stdin=b"", environment=None, timeout=300, **options):
    return subprocess.run([HONE, *map(str, arguments)], input=stdin, capture_output=True, timeout=timeout,
                          env=environment or ENVIRONMENT, **options)


def check(condition, text):
    if not condition:
        PROBLEMS.append(text)
        print("FAILED:", text)


def check_error(code, *arguments, fragment="", **options):
    """One line on stderr, nothing on stdout; `code` may be a tuple of codes."""
    answer = hone(*arguments, **options)
    error = answer.stderr.decode(errors="replace").strip()
    codes = code if isinstance(code, tuple) else (code,)
    check(answer.returncode in codes and "\n" not in error and fragment in error and not answer.stdout,
          f"hone {' '.join(map(str, arguments))}: exit {answer.returncode} (expected {code}): {error[:200]!r}")


def fetched_model(name, variable, file=""):
    """The model that the environment names, where it (or that file of it) is there; else what `scripts/model NAME` has
    fetched before; else None. Fetches nothing.
    """
    model = os.environ.get(variable, "")
    if pathlib.Path(model, file).is_file():
        return model
    command = [ROOT / "scripts" / "model", name, "--cached"]
    answer = subprocess.run(command, capture_output=True, text=True)
    return answer.stdout.strip() if answer.returncode == 0 else None


def finish():
    """The exit code of the test."""
    print(f"{len(PROBLEMS)} problems")
    return 1 if PROBLEMS else 0
