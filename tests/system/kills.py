"""kill -9 of `hone optimize` at random moments, and what must stand afterwards: a ledger that is whole and forgets nothing
that was settled, and no half-written file under a final name. For optimize_test.py and bench/optimize.py.
"""
import contextlib
import json
import pathlib
import signal
import sqlite3
import subprocess
import time
import tomllib

BEGIN_S = 120
UNFINISHED = ("running", "budget", "cancelled")


class Killed:
    """The lives of one optimization: `arguments` follow `hone optimize`, without --resume."""

    def __init__(self, hone, arguments, ledger, output, environment):
        self.hone, self.arguments, self.environment = hone, [str(a) for a in arguments], environment
        self.ledger, self.output = pathlib.Path(ledger), pathlib.Path(output)
        self.settled = set()
        self.problems = []
        self.resumed = 0

    def command(self, *words):
        return [str(self.hone), *words, "--ledger", str(self.ledger)]

    def start(self):
        """The next life, which goes on with what the last one left."""
        unfinished = self.newest_status() in UNFINISHED
        self.resumed += unfinished
        return subprocess.Popen([*self.command("optimize", *self.arguments, "-o", str(self.output)),
                                 *(["--resume"] if unfinished else [])], stdin=subprocess.DEVNULL,
                                stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=self.environment)

    def newest_status(self):
        """As the program itself reads the ledger; None without one."""
        answer = subprocess.run([*self.command("history"), "--json"], capture_output=True, env=self.environment,
                                timeout=60)
        if answer.returncode not in (0, 3):
            self.problems.append(f"hone history: exit {answer.returncode}: {answer.stderr.decode().strip()}")
        runs = json.loads(answer.stdout) if answer.returncode == 0 else []
        return runs[0]["status"] if runs else None

    def check(self, when):
        found = ledger_problems(self.ledger) + half_written(self.hone, self.output)
        now = settled_actions(self.ledger)
        found += [f"forgotten: {sorted(self.settled - now)}"] if self.settled - now else []
        self.settled = now
        self.problems += [f"{when}: {problem}" for problem in found]

    def live(self, kills, chance, longest_s, last_s=600):
        """Kills `kills` lives at random moments and lets the last one end. Its exit code, output and errors."""
        process = self.start()
        # A run to go on with; later lives are killed at any moment, while they open the model too.
        deadline = time.monotonic() + BEGIN_S
        while self.newest_status() is None and time.monotonic() < deadline:
            time.sleep(0.1)
        for index in range(kills):
            time.sleep(chance.uniform(0, longest_s))
            process.send_signal(signal.SIGKILL)
            process.communicate()
            self.check(f"kill {index + 1}")
            process = self.start()
        text, error = process.communicate(timeout=last_s)
        self.check("the end")
        return process.returncode, text, error


def half_written(hone, folder):
    """What under a final name in the folder is not whole."""
    readers = {"hone.toml": lambda path: tomllib.loads(path.read_text())["schema"],
               "recipe.json": lambda path: json.loads(path.read_text())["steps"],
               "report.html": lambda path: path.read_text().rindex("</html>"),
               "*.gguf": lambda path: subprocess.run([hone, "inspect", path, "--json"], check=True, capture_output=True)}
    found = []
    for pattern, read in readers.items():
        for path in sorted(pathlib.Path(folder).glob(pattern)):
            try:
                read(path)
            except (ValueError, KeyError, subprocess.CalledProcessError) as error:
                found.append(f"{path.name} is not whole: {error}")
    return found


def _rows(ledger, statement):
    with contextlib.closing(sqlite3.connect(ledger)) as base:
        return base.execute(statement).fetchall()


def ledger_problems(ledger):
    if not pathlib.Path(ledger).exists():
        return []  # killed before there was one
    try:
        return [f"ledger: {row}" for row in _rows(ledger, "PRAGMA integrity_check") if row != ("ok",)] + \
               [f"ledger: {row}" for row in _rows(ledger, "PRAGMA foreign_key_check")]
    except sqlite3.DatabaseError as error:
        return [f"ledger: {error}"]


def settled_actions(ledger):
    """Tested actions, as (run, action). What was refused without a test may be taken up again."""
    if not pathlib.Path(ledger).exists():
        return set()
    try:
        return set(_rows(ledger, "SELECT run, action FROM actions WHERE status IN ('kept', 'rolled_back')"))
    except sqlite3.OperationalError:
        return set()  # killed before the tables were made
