#!/usr/bin/env python3
"""Types every command of the course, in small: docs/course must never be out of date. The default model is used where
HONE_TEST_MODEL names it, else a synthetic one takes its place. Usage: course_test.py HONE
"""
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
HONE = sys.argv[1]

with tempfile.TemporaryDirectory() as folder:
    model = os.environ.get("HONE_TEST_MODEL") or os.path.join(folder, "model.gguf")
    if not os.path.exists(model):
        subprocess.run([HONE, "synth", "llama", "-o", model], check=True)
    environment = os.environ | {"XDG_CACHE_HOME": folder}
    script = ROOT / "docs/course/make_numbers.py"
    sys.exit(subprocess.run([sys.executable, script, HONE, model, "--check"], env=environment).returncode)
