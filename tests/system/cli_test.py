#!/usr/bin/env python3
"""The binary as a user meets it, on synthetic models made by itself: exit codes, one-line errors, pipes,
Ctrl-C, determinism, JSON interfaces, completions. Usage: cli_test.py HONE
"""
import json
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from program import ENVIRONMENT, HONE, check, check_error, finish, hone


def test_tensors(model):
    name = "blk.0.ffn_down.weight"
    report = json.loads(hone("inspect", model, "--tensor", name, "--as", "Q5_0", "--as", "Q4_0,F16", "--json").stdout)
    tensor = report["tensors"][0]
    types = {stored["type"]: stored for stored in tensor["stored_as"]}
    check(tensor["name"] == name and list(types) == ["Q5_0", "Q4_0", "F16"], f"inspect --tensor: {list(types)}")
    # A bit more halves the step, and the error with it: 6 dB, some less by the searched scales.
    gain = types["Q5_0"]["snr_db"] - types["Q4_0"]["snr_db"]
    check(4.5 < gain < 7, f"inspect --as: {gain} dB from four to five bits")
    check(18 < types["Q4_0"]["snr_db"] < 24, f"inspect --as Q4_0: {types['Q4_0']['snr_db']} dB on normal weights")
    check(sum(tensor["values"]["bins"]["counts"]) > 0.99 * tensor["values"]["count"], "inspect --tensor: histogram")
    for locale in ("C", "C.UTF-8"):
        text = hone("inspect", model, "--tensor", name, "--as", "Q4_0", "--block", "3",
                    environment=ENVIRONMENT | {"LC_ALL": locale}).stdout.decode()
        check(("\u2588" in text) == (locale != "C") and max(map(len, text.splitlines())) <= 100,
              f"inspect --tensor in locale {locale}")
    lines = hone("inspect", model, "--tensor", "blk.*.attn_?.weight").stdout.decode().splitlines()
    check(len(lines) > 8 and all("blk." in line for line in lines[1:]), "inspect --tensor with a pattern")
    # 128 weights: too short for block 4, its blocks are left out; the matrices beside it have theirs.
    both = json.loads(hone("inspect", model, "--tensor", "output_norm.weight", "--tensor", name, "--as", "Q4_0",
                           "--block", "4", "--json").stdout)
    blocks = {tensor["name"]: tensor["stored_as"][0]["block"] for tensor in both["tensors"]}
    check(blocks["output_norm.weight"] is None and blocks[name]["first"] == 128, f"inspect --block of several: {blocks}")
    text = hone("inspect", model, "--tensor", "output_norm.weight", "--block", "0").stdout.decode()
    check("no block" in text and "--as" in text, "inspect --block without a grid")


def test_errors(model):
    check_error(2)
    check_error(2, "nonsense")
    check_error(2, "run")
    check_error(2, "run", model, "--no-such-flag")
    check_error(2, "run", model, "-p", "x", "--without", "no_such_pass", fragment="no_such_pass")
    check_error(2, "run", model, "-p", "x", "--variant", "linear", fragment="FAMILY=NAME")
    check_error(2, "run", model, "-p", "x", "--isa", "sse9", fragment="sse9")
    check_error(2, "run", model, "-p", "x", "--temperature", "-1", fragment="temperature")
    check_error(2, "run", model, "-p", "x", "--logit-bias", "3", fragment="logit-bias")
    check_error(2, "run", model, "-p", "x", "--speculate", "on", fragment="speculate")
    check_error(2, "run", model, "-p", "x", "--speculate", "ngram", "--draft-tokens", "17", fragment="draft-tokens")
    check_error(2, "run", model, "-p", "x", "-f", "y")
    check_error(2, "explain", model, "--slo", "ttft_p95<fast", fragment="ttft_p95<fast")
    check_error(2, "explain", model, "--scenario", "holiday", fragment="holiday")
    check_error(4, "explain", model, "--scenario", "retrieval", fragment="retrieval")
    check_error(3, "explain", model, "--html", "/no/such/place/r.html", fragment="/no/such/place")
    check_error(2, "explain", model, "--lang", "xx", fragment="--lang")
    check_error(2, "explain", "--from", "/dev/null", "--trace", "t.json", fragment="--trace")
    check_error(3, "inspect", model, "--tensor", "blk.0.fnn_up.weight", fragment="blk.0.ffn_up.weight")
    check_error(2, "inspect", model, "--tensor", "*", "--as", "Q2_K", fragment="Q6_K")
    check_error(2, "inspect", model, "--as", "Q4_0", fragment="--tensor")
    check_error(2, "inspect", model, model, "--tensor", "*", fragment="one model")
    check_error(2, "inspect", model, "--tensor", "output_norm.weight", "--block", "4", fragment="4 blocks")
    check_error(2, "inspect", model, "--tensor", "output_norm.weight", "--kv", "q8", "--context", "64",
                fragment="without --kv q8 --context 64")
    check_error(3, "inspect", model, "--tensor", "*", "--config", "/no/such/hone.toml", fragment="/no/such/hone.toml")
    check_error(3, "inspect", model, "--tensor", "*", "--html", "/no/such/place/r.html", fragment="/no/such/place")
    check_error(6, "inspect", model, "--tensor", "*", "--html", "r.html", fragment="16")
    check_error(3, "run", "/no/such/file.gguf", "-p", "x", fragment="/no/such/file.gguf")
    check_error(3, "run", "/", "-p", "x", fragment="a directory without model.safetensors")
    check_error(6, "run", model, "-p", "word " * 600, "--raw", "--context", "64", fragment="context")
    check_error(4, "synth", "mamba", "-o", "/dev/null")
    check_error(2, "ab", model, "--b", "--no-such-flag", fragment="no-such-flag")
    check_error(2, "ab", model, "--a", "stray", fragment="stray")
    check_error(2, "ab", model, "--b", "--batch 2 --depth 8", "--budget", "1", fragment="depth")
    check_error(2, "ab", model, "--b", "--without no_such_pass", fragment="no_such_pass")
    check_error(2, "ab", model, "--metrics", "speed", fragment="speed")
    check_error(3, "ab", model, "--model-b", "/no/such.gguf", fragment="/no/such.gguf")
    check_error(3, "ab", model, "--text", "/no/such.txt", fragment="/no/such.txt")
    check_error(2, "compare", "one.json")
    check_error(3, "compare", "/no/such.json", "/no/other.json", fragment="/no/such.json")
    answer = hone("run", model, "-p", "x", "-n", "1", "--raw", environment=ENVIRONMENT | {"HONE": "1"})
    check(answer.returncode == 0, "an unknown environment variable must not matter")


def test_run(model):
    args = ["run", model, "--raw", "-n", "24", "--greedy"]
    first = hone(*args, "-p", "Once")
    check(first.returncode == 0 and first.stderr == b"", "a pipe gets the completion and nothing else")
    for extra in (["-t", "1"], ["-t", "3"], ["--step-tokens", "3"], []):
        again = hone(*args, "-p", "Once", *extra)
        check(again.stdout == first.stdout, f"same seed and options, another text with {extra}")
    check(hone(*args, stdin=b"Once").stdout == first.stdout, "stdin is a prompt like -p")
    sampled = ["run", model, "--raw", "-n", "24", "-p", "Once", "--temperature", "1", "--top-k", "40",
               "--top-p", "0.95", "--min-p", "0.01", "--repetition-penalty", "1.1"]
    a, b, c = (hone(*sampled, "--seed", seed).stdout for seed in ("1", "1", "2"))
    check(a == b, "the same seed must give the same text")
    check(a != c, "another seed should give another text")
    chat = json.loads(hone("run", model, "-p", "Hello", "-n", "4", "--json").stdout)
    check(chat["output_tokens"] == len(chat["tokens"]) and chat["total_ms"] > 0, f"run --json: {chat}")
    long = ["-n", "150", "-p", "one two three one two three one two"]
    for how in (["--raw"], ["--raw", "--temperature", "0.3", "--top-k", "5", "--repetition-penalty", "1.1", "--seed", "4"]):
        plain, drafted = (json.loads(hone("run", model, *how, *long, "--json", "--speculate", s).stdout)
                          for s in ("off", "ngram"))
        check(plain["tokens"] == drafted["tokens"] and plain["text"] == drafted["text"], f"drafts change a text: {how}")
        drafts = drafted["speculation"]
        check("speculation" not in plain and drafts["accepted"] <= drafts["drafted"]
              and drafts["steps"] + drafts["accepted"] == drafts["tokens"] == len(drafted["tokens"]) - 1,
              f"run --json with drafts: {drafts}")
    full = hone("run", model, "--raw", "-p", "a b c d", "-n", "500", "--context", "48", "--json")
    check(json.loads(full.stdout)["finish"] in ("context", "stop_token"), "the context limit ends a run")


def test_embed(model):
    goldens = pathlib.Path(__file__).resolve().parent.parent / "golden"
    encoder = str(goldens / "architectures" / "bert.gguf")
    rows = json.loads((goldens / "embeddings.json").read_text())
    texts = [row["text"] for row in rows]
    lines = "".join(text + "\n" for text in texts).encode()
    answer = json.loads(hone("embed", encoder, "--json", stdin=lines).stdout)
    check(answer["pooling"] == "mean" and answer["width"] == 32 and len(answer["texts"]) == len(texts), "embed --json")
    for row, got in zip(rows, answer["texts"]):
        gap = max(abs(a - b) for a, b in zip(row["mean"], got["embedding"]))
        check(got["tokens"] == len(row["tokens"]) and gap < 0.0035, f"embed {row['text']!r}: off by {gap}")
    plain = hone("embed", encoder, stdin=lines).stdout.decode().splitlines()
    check([len(line.split()) for line in plain] == [32] * len(texts), "embed: a line of numbers for each text")
    first = hone("embed", encoder, "-p", texts[0], "--pooling", "cls", "--no-normalize").stdout
    each = hone("embed", encoder, "-p", texts[0], "--pooling", "none", "--no-normalize").stdout
    check(len(each.splitlines()) == len(rows[0]["tokens"]) and each.splitlines()[0] + b"\n" == first,
          "embed --pooling none has a line for each token, the first of which is cls")
    directory = str(goldens / "checkpoints" / "bert")
    check(hone("embed", directory + "/", stdin=lines).stdout.decode().splitlines() == plain,
          "a directory gives the vectors of the file")
    for path in (encoder, directory):
        row = json.loads(hone("inspect", path, "--json").stdout)[0]
        check(row["file"] == pathlib.Path(path).name and row["architecture"] == "bert" and row["weights_bytes"] > 0
              and row["prefill_flops_per_token"] > 0 and row["decode_flops_per_token"] is None, f"inspect: {row}")
    with tempfile.TemporaryDirectory() as folder:
        small = pathlib.Path(folder) / "small.gguf"
        made = hone("quantize", directory, "-o", small, "--type", "F16")
        check(made.returncode == 0 and hone("embed", small, stdin=lines).stdout.decode().splitlines() == plain,
              f"quantize of a directory: {made.stderr.decode()}")
    check_error(2, "embed", directory + "/model.safetensors", "-p", "x", fragment="open the directory")
    check_error(6, "embed", encoder, "-p", "a " * 200, fragment="text 1 has 202 tokens; 128 fit")
    check_error(4, "embed", model, "-p", "x", fragment="generates text")
    check_error(4, "run", encoder, "-p", "x", fragment="hone embed")


def test_interrupt(model):
    process = subprocess.Popen([HONE, "run", model, "--raw", "-p", "x", "-n", "100000", "--context",
                                "2048", "--logit-bias", "0=-100"], stdout=subprocess.PIPE,
                               stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, env=ENVIRONMENT)
    process.stdout.read(1)
    process.send_signal(signal.SIGINT)
    error = process.communicate(timeout=30)[1].decode()
    check(process.returncode == 130 and "output" in error, f"Ctrl-C: {process.returncode} {error!r}")
    start = time.time()
    process = subprocess.Popen(f"'{HONE}' run '{model}' --raw -p x -n 2000 | head -c 1", shell=True,
                               stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=ENVIRONMENT)
    process.communicate(timeout=60)
    check(time.time() - start < 60, "a closed pipe must end the run")


def test_json(model):
    bench = json.loads(hone("bench", model, "--prompt-tokens", "32", "--output-tokens", "8", "--repeat", "6",
                            "--json").stdout)
    names = {m["name"] for m in bench["metrics"]}
    wanted = {"prefill_tokens_per_s", "decode_tokens_per_s", "ttft_ms", "itl_ms", "cold_start_ms", "load_ms",
              "weights_bytes", "workspace_bytes", "kv_bytes", "kv_bytes_per_token", "peak_rss_bytes",
              "prefill_compute_share", "decode_bandwidth_share", "batch1_tokens_per_s",
              "batch2_tokens_per_s", "batch4_tokens_per_s", "batch8_tokens_per_s"}
    check(wanted <= names, f"bench --json lacks {wanted - names}")
    check({"schema", "machine", "model", "signature"} <= bench.keys(), "bench --json keys")
    decode = next(m for m in bench["metrics"] if m["name"] == "decode_tokens_per_s")
    check(decode["n"] == 6 and len(decode["samples"]) == 6 and decode["ci95"][0] <= decode["median"],
          f"decode samples: {decode}")
    with tempfile.TemporaryDirectory() as directory:
        record = os.path.join(directory, "record.json")
        answer = hone("explain", model, "--budget", "3", "--record", record, "--json")
        check(answer.returncode == 0, f"explain: {answer.stderr[:300]!r}")
        first = json.loads(answer.stdout)
        again = json.loads(hone("explain", "--from", record, "--json").stdout)
        check(first == again, "explaining the stored record gives the same diagnosis")
        check(os.path.getsize(record) <= 5 << 20, "a record stays below 5 MB")
        text = hone("explain", "--from", record).stdout.decode()
        check(all(len(line) <= 100 for line in text.splitlines()), "report lines fit the width")
        pathlib.Path(record).write_text("{\"schema\": 1")
        check_error(5, "explain", "--from", record)
    check({"context", "metrics", "decomposition", "attribution", "decisions", "measurement"}
          <= first.keys(), "explain --json keys")
    parts = first["decomposition"]
    check({"stages", "operators", "sequence", "unattributed_share"} <= parts.keys(), "decomposition keys")
    rows = json.loads(hone("inspect", model, model, "--json").stdout)
    check(len(rows) == 2, "inspect takes several models")
    test_tensors(model)


def write_records(directory, changes):
    """Records of made-up runs; each change is (name, factor of the decode rate, other fields)."""
    for name, factor, other in changes:
        samples = [factor * (100 + (7 * i) % 5) for i in range(12)]
        record = {"schema": 1, "machine": {"fingerprint": "0" * 16}, "later": {"kept": 1},
                  "metrics": [{"name": "decode_tokens_per_s", "unit": "tokens/s", "samples": samples}]}
        pathlib.Path(directory, name).write_text(json.dumps(record | other))


def test_compare(model):
    with tempfile.TemporaryDirectory() as directory:
        write_records(directory, [("a.json", 1, {}), ("same.json", 1.001, {}), ("slow.json", 0.8, {"build": "other"}),
                                  ("new.json", 1, {"schema": 2}), ("none.json", 1, {"metrics": []})])
        path = {p.stem: str(p) for p in pathlib.Path(directory).iterdir()}
        answer = hone("compare", path["a"], path["slow"], "--json")
        slow = json.loads(answer.stdout)
        check(answer.returncode == 0, "compare reports a regression with exit 0")
        metric = slow["metrics"][0]
        check({"name", "a", "b", "change_percent", "ci95", "better", "verdict", "n"} <= metric.keys(), f"{metric}")
        check(metric["verdict"] == "regressed" and abs(metric["change_percent"] + 20) < 1, f"{metric}")
        check("quality" in slow and slow["warnings"] == ["build"], f"compare: {slow['warnings']}")
        answer = hone("compare", path["a"], path["same"], path["slow"], "--fail-on-regression", "--json")
        check(answer.returncode == 1 and answer.stderr.count(b"\n") == 1 and b"decode" in answer.stderr,
              f"--fail-on-regression: {answer.returncode} {answer.stderr!r}")
        both = json.loads(answer.stdout)
        check([c["metrics"][0]["verdict"] for c in both] == ["within_noise", "regressed"], "several candidates")
        text = hone("compare", path["a"], path["slow"]).stdout.decode()
        check("regressed" in text and all(len(line) <= 100 for line in text.splitlines()), text)
        check_error(4, "compare", path["a"], path["new"], fragment="newer")
        check_error(2, "compare", path["a"], path["none"], fragment="metrics")
        hostile = pathlib.Path(directory, "hostile.json")
        good = pathlib.Path(path["a"]).read_text()
        for code, text in ((5, good[:-20]), (6, "[" * 100000), (5, "\xff\xfe"), (5, ""), (5, '{"schema": 1e999}'),
                           (5, '{"schema": "1"}'), (5, '{"schema": 1, "metrics": {"a": 1}}'), (5, "[]"),
                           (6, '{"schema":1' + ',"k%d":0' * 3000 % tuple(range(3000)) + "}"),
                           (6, "[" + "1," * (3 << 20) + "1]")):
            hostile.write_bytes(text.encode("latin-1"))
            check_error(code, "compare", path["a"], str(hostile), fragment="hostile.json")
            check_error(code, "explain", "--from", str(hostile), fragment="hostile.json")
        with open(hostile, "wb") as big:
            big.truncate(100 << 20)
        check_error(6, "compare", path["a"], str(hostile), fragment="hostile.json")
        check_error(6, "explain", "--from", str(hostile), fragment="hostile.json")
        check_error(4, "explain", "--from", path["new"], fragment="newer")
        bench = hone("bench", model, "--prompt-tokens", "16", "--output-tokens", "4", "--repeat", "6", "--json").stdout
        pathlib.Path(directory, "bench.json").write_bytes(bench)
        both = json.loads(hone("compare", f"{directory}/bench.json", f"{directory}/bench.json", "--json").stdout)
        check(both["warnings"] == [] and both["signature"]["a"]["threads"] > 0, "compare reads bench --json")
        check(all(m["verdict"] in ("within_noise", "not_enough_data") for m in both["metrics"]), "same is same")


def test_ab(model, other):
    small = ["--prompt-tokens", "8", "--output-tokens", "4", "--budget", "1.5"]
    same = json.loads(hone("ab", model, *small, "--json").stdout)
    check([m["name"] for m in same["metrics"]] ==
          ["prefill_tokens_per_s", "decode_tokens_per_s", "ttft_ms", "itl_ms"], f"ab metrics: {same['metrics']}")
    check(all(m["n"] > 0 and m["a"] > 0 and m["verdict"] in ("improved", "regressed", "within_noise", "not_enough_data")
              for m in same["metrics"]), f"ab: {same['metrics']}")
    quality = same["quality"]
    check(quality["kl_mean"] == 0 and quality["top1_agreement"] == 1 and quality["n"] >= 32, f"ab: {quality}")
    exact = json.loads(hone("ab", model, *small, "--a=", "--b=--without share_common -t 1", "--json").stdout)
    check(exact["signature"]["a"]["flags"] == "" and exact["signature"]["b"]["threads"] == 1,
          f"an empty value after '=' is an empty value: {exact['signature']}")
    check(exact["quality"]["kl_max"] == 0, "an exact pass moves no logit")
    check(exact["signature"]["b"]["flags"] == "--without share_common -t 1", f"{exact['signature']}")
    close = json.loads(hone("ab", model, *small, "--b", "--without quantize_activations", "--json").stdout)
    check(close["quality"]["kl_mean"] > 0, "int8 activations move the logits a little")
    text = hone("ab", model, *small, "--model-b", other, "--price", "1", "--no-quality").stdout.decode()
    check("EUR" in text and all(len(line) <= 100 for line in text.splitlines()), text)
    answer = hone("ab", model, *small, "--b", "--delay 900", "--metrics", "decode_tokens_per_s", "--no-quality", "--json")
    delayed = json.loads(answer.stdout)
    check(delayed["metrics"][0]["n"] > 0 and delayed["quality"] is None, f"a tenfold step: {delayed}")
    check(delayed["signature"]["b"]["delay_percent"] == 900, f"{delayed['signature']}")
    # Tests so long that the pairs do not run out before the signal, however fast the machine.
    process = subprocess.Popen([HONE, "ab", model, "--budget", "600", "--no-quality", "--floor", "0", "--json",
                                "--prompt-tokens", "512", "--output-tokens", "512"],
                               stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT)
    time.sleep(8)
    process.send_signal(signal.SIGINT)
    output, error = process.communicate(timeout=60)
    # Before the first pair there is nothing to say.
    so_far = json.loads(output)["ended"] if output else "cancelled"
    check(process.returncode == 130 and so_far == "cancelled" and error.count(b"\n") == 1,
          f"Ctrl-C of ab: {process.returncode} {error!r}")


def test_cache(model, directory):
    """Its own files go and no others; what is mapped, being written or foreign stays."""
    home = pathlib.Path(directory, "cachehome")
    root = home / "hone"

    environment = ENVIRONMENT | {"XDG_CACHE_HOME": str(home)}

    def cache(*arguments):
        answer = hone("cache", *arguments, environment=environment)
        return answer.returncode, answer.stdout.decode(), answer.stderr.decode()

    code, text, error = cache("ls", "--json")
    check(code == 0 and json.loads(text)["bytes"] == 0, f"an empty cache: {code} {error}")
    check(cache("clean")[0] == 0, "cleaning an empty cache")
    for arguments in (["ls", "x"], ["clean", "--kind", "peers"], ["clean", "--older-than", "soon"],
                      ["clean", "--keep", "much"], []):
        code, text, error = cache(*arguments)
        check(code == 2 and not text and error.count("\n") == 1, f"cache {arguments}: {code} {error!r}")

    def make(name, size, days, content=b"x"):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((content * size)[:size])
        then = time.time() - days * 86400
        os.utime(path, (then, then))
        return path

    weights = make("weights/some-model-Q4_0-0123456789abcdef-v1.gguf", 3000, 40)
    packed = make("packed/0123456789abcdef.packed", 2000, 20)
    mine = [make("weights/mine.gguf", 10, 99), make("packed/notes.txt", 10, 99),
            make("packed/0123456789abcdef.packed.bak", 10, 99), make("peers/build.log", 10, 99)]
    abandoned = make("packed/fedcba9876543210.packed.a1B2c3", 10, 1)
    fresh = make("packed/fedcba9876543211.packed.a1B2c3", 10, 0)
    fetched = make("models/fetched.gguf", 1000, 50)
    base = make("quality/0123456789abcdef.base", 10, 5)
    mine.append(make("quality/notes.base", 10, 99))
    profile = make("machines/machine-0123456789abcdef.json", 100, 60)
    (root / "weights" / "a-Q8_0-0123456789abcdef-v1.gguf").symlink_to(mine[0])
    listed = json.loads(cache("ls", "--json")[1])
    kinds = {kind["kind"]: kind for kind in listed["kinds"]}
    check(kinds["weights"]["files"][0]["about"] == "some-model: Q4_0", f"weights: {kinds['weights']}")
    check(kinds["weights"]["foreign"] == ["a-Q8_0-0123456789abcdef-v1.gguf", "mine.gguf"], str(kinds["weights"]))
    check(kinds["packed"]["bytes_max"] == 16 << 30 and len(kinds["packed"]["files"]) == 3, str(kinds["packed"]))
    check(kinds["quality"]["bytes_max"] == 8 << 30 and kinds["quality"]["foreign"] == ["notes.base"],
          str(kinds["quality"]))
    check(listed["foreign"] == ["peers"] and "some-model: Q4_0" in cache("ls")[1], str(listed["foreign"]))

    def cleaned(*arguments):
        code, text, error = cache("clean", "--json", *arguments)
        check(code == 0, f"clean {arguments}: {code} {error}")
        return {row["name"]: row["fate"] for row in json.loads(text)["files"]}

    check(set(cleaned("--older-than", "30d", "--dry-run").values()) == {"would_be_removed"} and weights.exists(),
          "a dry run removes nothing")
    check(cleaned("--older-than", "30d", "--kind", "weights") == {weights.name: "removed"}, "by age and kind")
    check(not weights.exists() and packed.exists() and profile.exists(), "only that")
    with packed.open("rb"):
        fates = cleaned()
    check(fates == {packed.name: "in_use", fresh.name: "in_use", abandoned.name: "removed", profile.name: "removed",
                    base.name: "removed"},
          f"clean: {fates}")
    check(cleaned("--keep", "2500", "--kind", "packed,models") == {fetched.name: "removed"}, "until the size is kept")
    check(cleaned("--kind", "packed")[packed.name] == "removed", "no longer in use")
    check(all(path.exists() for path in [*mine, fresh]), "nothing foreign and nothing unfinished goes")
    check((root / "weights" / "a-Q8_0-0123456789abcdef-v1.gguf").is_symlink(), "a link stays")
    # What a model left is named after it.
    answer = hone("bench", model, "--repeat", "1", "--prompt-tokens", "4", "--output-tokens", "2", "--batch", "1",
                  "--packed-cache", "on", environment=environment)
    check(answer.returncode == 0, f"bench: {answer.stderr!r}")
    (root / "models").mkdir(exist_ok=True)
    shutil.copy(model, root / "models" / "the-model.gguf")
    row = {kind["kind"]: kind for kind in json.loads(cache("ls", "--json")[1])["kinds"]}["packed"]["files"]
    check([file["about"] for file in row if not file["unfinished"]] == ["the-model.gguf"], f"packed of a model: {row}")
    shutil.rmtree(root / "packed")
    (root / "packed").write_text("a file")
    check(cache("ls")[0] == 8 and cache("clean")[0] == 8, "a folder that is none")
    (root / "packed").unlink()
    if os.geteuid() != 0:
        (root / "packed").mkdir(mode=0o000)
        code, text, error = cache("clean")
        check(code == 8 and "packed" in error and error.count("\n") == 1, f"a folder without rights: {code} {error}")
    check(subprocess.run([HONE, "cache", "ls"], capture_output=True, env={}).returncode == 8, "without a home")


def test_completions():
    for shell in ("bash", "zsh"):
        script = hone("completions", shell).stdout.decode()
        check("--prompt-tokens" in script and "explain" in script, f"completions {shell}")
        check("ls clean" in script and "--older-than" in script, f"completions of parts, {shell}")
    script = hone("completions", "bash").stdout
    check(subprocess.run(["bash", "-n"], input=script).returncode == 0, "bash reads its completions")
    check(hone("--version").stdout.startswith(b"hone "), "--version")


with tempfile.TemporaryDirectory() as temporary:
    ENVIRONMENT["XDG_CACHE_HOME"] = temporary
    synthetic = os.path.join(temporary, "model.gguf")
    made = hone("synth", "llama", "-o", synthetic, "--type", "Q4_1", "--window", "64", "--window-pattern", "2")
    check(made.returncode == 0, f"synth: {made.stderr!r}")
    other = os.path.join(temporary, "again.gguf")
    hone("synth", "llama", "-o", other, "--type", "Q4_1", "--window", "64", "--window-pattern", "2")
    check(pathlib.Path(synthetic).read_bytes() == pathlib.Path(other).read_bytes(), "synth is deterministic")
    test_errors(synthetic)
    test_run(synthetic)
    test_embed(synthetic)
    test_interrupt(synthetic)
    test_json(synthetic)
    test_compare(synthetic)
    test_ab(synthetic, other)
    test_cache(synthetic, temporary)
    test_completions()
sys.exit(finish())
