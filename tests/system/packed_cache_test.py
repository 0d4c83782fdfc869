#!/usr/bin/env python3
"""Packed weights on disk as a user meets them: a second load maps them and answers alike, broken files are
reported once, ignored and written anew, the directory may be deleted. Usage: packed_cache_test.py HONE
"""
import json
import os
import pathlib
import subprocess
import sys
import tempfile

from program import HONE, check, finish


class Home:
    """A model and a cache directory of its own."""

    def __init__(self, directory):
        self.cache = pathlib.Path(directory) / "cache"
        self.packed = self.cache / "hone/packed"
        self.model = str(pathlib.Path(directory) / "tiny.gguf")
        self.environment = {**os.environ, "XDG_CACHE_HOME": str(self.cache)}
        self.hone("synth", "llama", "-o", self.model)

    def hone(self, *arguments):
        answer = subprocess.run([HONE, *arguments], capture_output=True, text=True, timeout=300,
                                env=self.environment, stdin=subprocess.DEVNULL)
        check(answer.returncode == 0, f"hone {' '.join(arguments)}: {answer.stderr[:300]}")
        return answer

    def logits(self, *flags):
        """The likeliest tokens and their log probabilities in full, and what stderr said."""
        answer = self.hone("run", self.model, "-p", "a b c", "--raw", "-n", "8", "--json", "--logprobs", "8",
                           *flags)
        content = json.loads(answer.stdout)
        return content["logprobs"], answer.stderr

    def files(self):
        return sorted(self.packed.glob("*")) if self.packed.exists() else []


def test_maps_and_answers_alike(home):
    plain, _ = home.logits("--packed-cache", "off")
    check(not home.files(), "off keeps nothing")
    automatic, _ = home.logits()
    check(not home.files(), "auto does not keep what is packed in no time")
    first, said = home.logits("--packed-cache", "on")
    check(len(home.files()) == 1 and said == "", f"on keeps one file: {home.files()}, {said!r}")
    written = home.files()[0].stat().st_ino
    second, said = home.logits()
    check(said == "" and home.files()[0].stat().st_ino == written, "auto uses a file that is there")
    check(plain and plain == automatic == first == second, "the same logits, packed or mapped")
    return plain


def test_broken_files(home, plain):
    whole = home.files()[0].read_bytes()
    middle = len(whole) // 2
    broken = {
        "empty": b"",
        "cut": whole[:middle],
        "cut by one": whole[:-1],
        "too long": whole + b"\0",
        "of another kind": b"GGUF" + b"\0" * 5000,
        "a bit of the weights": whole[:middle] + bytes([whole[middle] ^ 1]) + whole[middle + 1:],
        "a bit of the end": whole[:-70] + bytes([whole[-70] ^ 1]) + whole[-69:],
        "another version": whole[:-56] + b"\xff" + whole[-55:],
    }
    for name, content in broken.items():
        path = home.files()[0]
        path.write_bytes(content)
        answer, said = home.logits("--packed-cache", "on")
        check(answer == plain, f"{name}: other logits")
        check(len(said.splitlines()) == 1 and path.name in said, f"{name}: one warning, not {said!r}")
        check(path.read_bytes() == whole, f"{name}: written anew")
        _, said = home.logits("--packed-cache", "on")
        check(said == "", f"{name}: no second warning")


def test_may_be_deleted(home, plain):
    for path in home.files():
        path.unlink()
    home.packed.rmdir()
    answer, said = home.logits("--packed-cache", "on")
    check(answer == plain and said == "" and len(home.files()) == 1, f"deleted and made anew: {said!r}")
    for path in home.files():
        path.unlink()
    home.packed.rmdir()
    home.packed.write_text("in the way")
    answer, said = home.logits("--packed-cache", "on")
    check(answer == plain and len(said.splitlines()) == 1, f"no directory: one warning, not {said!r}")


def main():
    with tempfile.TemporaryDirectory() as directory:
        home = Home(directory)
        plain = test_maps_and_answers_alike(home)
        test_broken_files(home, plain)
        test_may_be_deleted(home, plain)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
