#!/usr/bin/env python3
"""`hone quantize` as a user meets it, on synthetic models made by itself: outputs that run, errors that are clear,
files that are whole or absent. Usage: quantize_test.py HONE
"""
import json
import os
import pathlib
import resource
import signal
import struct
import subprocess
import sys
import tempfile
import time

from program import HONE, check, check_error, finish, hone


def test_types(model, directory):
    for kind in ("F16", "BF16", "Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q4_K", "Q6_K"):
        output = directory / f"{kind}.gguf"
        answer = hone("quantize", model, "-o", output, "--type", kind, "--json")
        check(answer.returncode == 0, f"--type {kind}: {answer.stderr.decode()}")
        outcome = json.loads(answer.stdout)
        check(0 < outcome["bytes"] <= output.stat().st_size, f"--type {kind}: bytes")
        errors = [t["relative_error"] for t in outcome["tensors"] if t["reason"] != "kept"]
        check(all(0 < e < 0.12 for e in errors), f"--type {kind}: relative errors {min(errors)}..{max(errors)}")
        answer = hone("run", output, "-p", "a b c", "-n", "2", "--raw", "--greedy")
        check(answer.returncode == 0, f"--type {kind} does not run: {answer.stderr.decode()}")


def test_choices(model, directory):
    answer = hone("quantize", model, "-o", directory / "none.gguf", "--type", "Q4_0", "--tensor", "blk.0.*=Q8_0",
                  "--tensor", "*_down*=F16", "--dry-run", "--json")
    types = {t["name"]: t["to"] for t in json.loads(answer.stdout)["tensors"]}
    check(types["blk.0.ffn_down.weight"] == "Q8_0" and types["blk.1.ffn_down.weight"] == "F16" and
          types["blk.1.ffn_up.weight"] == "Q4_0" and types["blk.1.attn_norm.weight"] == "F32", "overrides")
    check(not (directory / "none.gguf").exists(), "a dry run wrote a file")


def test_target(model, directory):
    text = directory / "text.txt"
    text.write_text("A small text that is long enough to calibrate on, said again and again. " * 60)
    output = directory / "target.gguf"
    answer = hone("quantize", model, "-o", output, "--target", "bits=5.2", "--calibrate", text, "--json")
    check(answer.returncode == 0, f"--target: {answer.stderr.decode()}")
    outcome = json.loads(answer.stdout)
    check(abs(outcome["bits_per_weight"] / 5.2 - 1) < 0.03, f"--target bits: {outcome['bits_per_weight']}")
    front = outcome["allocation"]["front"]
    check(all(a["bytes"] < b["bytes"] and a["expected_kl"] >= b["expected_kl"] for a, b in zip(front, front[1:])),
          "the front does not fall")
    check_error(6, "quantize", model, "-o", directory / "x.gguf", "--target", "bits=2", fragment="cannot be met")
    check_error(2, "quantize", model, "-o", directory / "x.gguf", "--target", "speed=2", fragment="speed=2")
    # More than any type gives is refused; so is what is no speed.
    check_error(6, "quantize", model, "-o", directory / "x.gguf", "--target", "decode=1000x", "--calibrate", text,
                fragment="cannot be met")
    check_error(2, "quantize", model, "-o", directory / "x.gguf", "--target", "decode=fast", fragment="decode=fast")
    check(not list(directory.glob("x.gguf*")), "a refused speed left a file")
    short = directory / "short.txt"
    short.write_text("Too short.")
    check_error(2, "quantize", model, "-o", directory / "x.gguf", "--type", "Q4_0", "--calibrate", short,
                fragment="calibration text")
    check(not (directory / "x.gguf").exists(), "a refused target left a file")


def test_scaling(directory):
    """On with a calibration, with a target when asked for; what cannot be scaled is named; asking for the impossible is an error."""
    text = directory / "scaling.txt"
    text.write_text("A small text that is long enough to calibrate on, said again and again. " * 60)
    model = directory / "floats.gguf"
    hone("synth", "llama", "-o", model, "--type", "F32", "--layers", "2")
    files = {}
    for name, arguments in (("with", []), ("without", ["--no-scale-channels"]), ("target", ["--target", "bits=5.2", "--scale-channels"])):
        output = directory / f"scaled-{name}.gguf"
        kind = [] if name == "target" else ["--type", "Q4_0", "--pure"]
        answer = hone("quantize", model, "-o", output, *kind, "--calibrate", text, "--feedback", *arguments, "--json")
        check(answer.returncode == 0, f"{name}: {answer.stderr.decode()}")
        files[name] = (output.stat().st_size, json.loads(answer.stdout).get("scaling"))
        answer = hone("run", output, "-p", "a b c", "-n", "2", "--raw", "--greedy")
        check(answer.returncode == 0, f"{name} does not run: {answer.stderr.decode()}")
    check(files["with"][0] == files["without"][0] and files["without"][1] is None, "sizes with and without scaling")
    for name in ("with", "target"):
        groups = files[name][1]["groups"]
        check(len(groups) == 8 and all(0 < g["error_ratio"] <= 1 for g in groups) and
              any(g["error_ratio"] < 1 for g in groups), f"{name}: groups {groups}")
        check([u["name"] for u in files[name][1]["unscaled"]] == ["output_norm"], f"{name}: what is not scaled")
    answer = hone("quantize", model, "-o", directory / "told.gguf", "--type", "Q4_0", "--calibrate", text)
    check(b"not scaled: output_norm" in answer.stdout, "the reason is not shown")
    check_error(2, "quantize", model, "-o", directory / "x.gguf", "--type", "Q4_0", "--scale-channels",
                fragment="--calibrate")
    # Everything stays as it is: nothing to scale.
    halves = directory / "halves.gguf"
    hone("synth", "llama", "-o", halves, "--type", "F16", "--layers", "2")
    check_error(4, "quantize", halves, "-o", directory / "x.gguf", "--type", "F16", "--calibrate", text, "--awq",
                fragment="no channels can be scaled")
    check(not list(directory.glob("x.gguf*")), "a refused scaling left a file")


def test_errors(model, directory):
    output = directory / "out.gguf"
    check_error(2, "quantize", model, "-o", output, fragment="--type")
    check_error(2, "quantize", model, "-o", output, "--type", "Q9_9", fragment="Q9_9")
    check_error(2, "quantize", model, "-o", output, "--type", "Q4_0", "--tensor", "nothing=Q8_0", fragment="nothing")
    check_error(2, "quantize", model, "-o", model, "--type", "Q4_0", "--force", fragment="same file")
    check_error(3, "quantize", directory / "no.gguf", "-o", output, "--type", "Q4_0", fragment="no.gguf")
    check_error(3, "quantize", model, "-o", directory / "no/out.gguf", "--type", "Q4_0", fragment="no/out.gguf")
    output.write_text("something of the user's")
    check_error(2, "quantize", model, "-o", output, "--type", "Q4_0", fragment="--force")
    check(output.read_text() == "something of the user's", "an existing file was touched")
    check(hone("quantize", model, "-o", output, "--type", "Q4_0", "--force").returncode == 0, "--force")
    link = directory / "link.gguf"
    link.symlink_to(model)
    check_error(2, "quantize", model, "-o", link, "--type", "Q4_0", "--force", fragment="same file")


def test_read_only(model, directory):
    if os.geteuid() == 0:
        print("not run: a read-only folder does not stop root")
        return
    folder = directory / "locked"
    folder.mkdir()
    folder.chmod(0o500)
    check_error(8, "quantize", model, "-o", folder / "out.gguf", "--type", "Q4_0", fragment="ermission")
    folder.chmod(0o700)


def test_full_disk(model, directory):
    def limit():
        resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, 200_000))

    folder = directory / "full"
    folder.mkdir()
    check_error(6, "quantize", model, "-o", folder / "out.gguf", "--type", "Q8_0", fragment="cannot write",
                preexec_fn=limit)
    check(not list(folder.iterdir()), "a full disk left files")


def test_nan(model, directory):
    """A NaN where a weight was."""
    broken = bytearray(model.read_bytes())
    # The last weights of the file are a matrix in F32.
    broken[-64:-60] = struct.pack("<f", float("nan"))
    path = directory / "nan.gguf"
    path.write_bytes(broken)
    folder = directory / "nan"
    folder.mkdir()
    for kind in ("Q4_0", "F16", "F32"):
        check_error(5, "quantize", path, "-o", folder / "out.gguf", "--type", kind, fragment="not a finite number")
    check(not list(folder.iterdir()), "NaN weights left files")


def test_killed(directory):
    """Killed at many points: the name is free, or holds a whole file."""
    model = directory / "larger.gguf"
    hone("synth", "llama", "-o", model, "--type", "F16", "--layers", "8", "--embd", "512", "--heads", "8", "--ff", "1536")
    folder = directory / "killed"
    folder.mkdir()
    output = folder / "out.gguf"
    arguments = ["quantize", str(model), "-o", str(output), "--type", "Q4_K", "--force"]
    start = time.monotonic()
    hone(*arguments)
    whole, seconds = output.read_bytes(), time.monotonic() - start
    for signal_number in (signal.SIGKILL, signal.SIGTERM):
        for part in range(1, 7):
            output.unlink(missing_ok=True)
            process = subprocess.Popen([HONE, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            time.sleep(seconds * part / 7)
            process.send_signal(signal_number)
            process.wait()
            check(not output.exists() or output.read_bytes() == whole, f"a torn file after {signal_number!r}")
            if signal_number == signal.SIGTERM:
                check(all(path == output for path in folder.iterdir()), "SIGTERM left a temporary file")
            for path in folder.iterdir():
                path.unlink()


def test_memory(directory):
    """At most 1.2 times the model, all of the process counted."""
    model = directory / "large.gguf"
    hone("synth", "llama", "-o", model, "--type", "F16", "--layers", "6", "--embd", "1024", "--heads", "16",
         "--ff", "4096", "--vocab", "8192")
    start = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss
    check(hone("quantize", model, "-o", directory / "large_q.gguf", "--type", "Q8_0").returncode == 0, "large model")
    peak = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024
    check(peak > start, "the peak of children was set by another child")
    check(peak <= 1.2 * model.stat().st_size,
          f"peak memory {peak / 2**20:.0f} MiB for a model of {model.stat().st_size / 2**20:.0f} MiB")


def main():
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        # First: the peak of all children so far must be lower than its own.
        test_memory(directory)
        model = directory / "model.gguf"
        answer = hone("synth", "llama", "-o", model, "--type", "F32", "--embd", "256", "--ff", "512", "--heads", "4")
        check(answer.returncode == 0, answer.stderr.decode())
        test_types(model, directory)
        test_choices(model, directory)
        test_target(model, directory)
        test_scaling(directory)
        test_errors(model, directory)
        test_read_only(model, directory)
        test_full_disk(model, directory)
        test_nan(model, directory)
        test_killed(directory)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
