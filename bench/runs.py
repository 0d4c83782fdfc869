"""What the benches share: programs that must end well, and results that outlive a stop."""
import json
import pathlib
import subprocess


def run(command, fine=(0,), environment=None):
    """The standard output of a command that ends with one of these codes."""
    command = [str(part) for part in command]
    answer = subprocess.run(command, capture_output=True, text=True, env=environment)
    if answer.returncode not in fine:
        raise RuntimeError(f"{' '.join(command)}: exit {answer.returncode}: {answer.stderr.strip()[-400:]}")
    return answer.stdout


def stored(path, otherwise):
    """What store() wrote, else the second argument."""
    path = pathlib.Path(path)
    return json.loads(path.read_text(encoding="utf-8")) if path.exists() else otherwise


def store(path, results):
    """The file is whole at any moment."""
    path = pathlib.Path(path)
    partial = path.with_suffix(".partial")
    partial.write_text(json.dumps(results, indent=1) + "\n", encoding="utf-8")
    partial.replace(path)
