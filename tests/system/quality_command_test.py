#!/usr/bin/env python3
"""`hone quality` as a user meets it, on synthetic models made by itself: scores of texts and tasks, comparisons with
a base that is kept, gates and their exit codes, errors that are clear. Usage: quality_command_test.py HONE
"""
import json
import pathlib
import sys
import tempfile

from program import ENVIRONMENT, check, check_error, finish, hone


def quality(*arguments, code=0):
    answer = hone("quality", *arguments, "--json")
    check(answer.returncode == code, f"quality {arguments}: exit {answer.returncode}: {answer.stderr.decode()[:300]}")
    return json.loads(answer.stdout)


def values(report):
    return {metric["name"]: metric["value"] for metric in report["metrics"]}


def lines(path, *items):
    path.write_text("".join(json.dumps(item) + "\n" for item in items))
    return path


def test_text(model, text):
    plain = ["--text", text, "--context", "64"]
    report = quality(model, *plain)
    check(list(values(report)) == ["perplexity", "bits_per_byte"], f"metrics of a text: {report}")
    check(report["metrics"][0]["ci95"][0] > 1 and report["differences"] is None and report["gate"] is None,
          f"quality --json: {report}")
    same = quality(model, *plain, "--against", model, "--metric", "kl", "--metric", "top1_agreement")
    check([metric["value"] for metric in same["metrics"]] == [0, 1], f"a model against itself: {same}")
    rounded = quality(model, *plain, "--against", model, "--kv", "q8")
    check(values(rounded)["kl"] > 0, f"--kv q8 must show: {rounded}")
    smaller = quality(model, *plain, "--against", model, "--kv", "q4")
    check(values(smaller)["kl"] > values(rounded)["kl"], f"--kv q4 must show more: {smaller}, {rounded}")
    check(smaller["signature"]["kv"] == "q4", f"the cache's type is in the signature: {smaller}")
    difference = rounded["differences"][0]
    check(difference["name"] == "perplexity" and difference["n"] == rounded["metrics"][0]["n"] and
          difference["ci95"][0] <= difference["change_percent"] <= difference["ci95"][1], f"paired: {difference}")


def test_base_runs(model, text, cache):
    run = [model, "--text", text, "--context", "64", "--data", "builtin:choice", "--against", model, "--kv", "q8"]
    off = quality(*run, "--base-runs", "off")
    check(off["signature"]["stored"] == [], "nothing is taken from the store when it is off")
    quality(*run)
    stored = quality(*run)
    check(stored["signature"]["stored"] == ["text", "items"], f"a base is kept: {stored['signature']}")
    check(stored["metrics"] == off["metrics"] and stored["differences"] == off["differences"],
          "a kept base gives other numbers")
    listed = hone("cache", "ls", "--json", timeout=60)
    kind = {kind["kind"]: kind for kind in json.loads(listed.stdout)["kinds"]}["quality"]
    check({file["about"].split(": ")[-1] for file in kind["files"]} == {"items", "text"} and
          kind["bytes_max"] == 8 << 30 and kind["foreign"] == [], f"hone cache ls: {kind}")
    check(off["signature"]["positions"] == 2048, f"positions of items: {off['signature']}")
    for file in (cache / "hone/quality").iterdir():
        file.write_bytes(file.read_bytes()[:-20])
    answer = hone("quality", *run, "--json")
    check(answer.returncode == 0 and answer.stderr.decode().count("cut short") == 2 and
          json.loads(answer.stdout)["metrics"] == off["metrics"], f"broken files: {answer.stderr.decode()}")


def test_tasks(model):
    report = quality(model, "--data", "builtin:choice", "--data", "builtin:classification")
    check(list(values(report)) == ["accuracy", "f1", "precision", "recall"] and report["metrics"][0]["n"] == 100,
          f"choices: {report}")
    check([data["items"] for data in report["signature"]["data"]] == [60, 40], "signature of the data")
    texts = quality(model, "--data", "builtin:generation")
    check(list(values(texts)) == ["bleu", "chrf", "rouge1", "rouge2", "rougeL", "exact_match", "token_f1"],
          f"texts: {texts}")
    check(texts["metrics"] == quality(model, "--data", "builtin:generation", "-t", "1")["metrics"],
          "threads change answers")
    answers = quality(model, "--data", "builtin:consistency", "--against", model)
    check(all(values(answers)[name] == 1 for name in ("same_output", "output_similarity")) and
          all(d["verdict"] == "within_noise" for d in answers["differences"]), f"consistency: {answers}")


def test_given(directory):
    text = lines(directory / "given.jsonl",
                 {"task": "generation", "references": ["the cat is on the mat"], "output": "the cat sat on the mat"},
                 {"task": "generation", "references": ["a dog is in the garden"], "output": "there is a dog in the garden"})
    report = quality("--data", text)
    check(abs(values(report)["bleu"] - 29.26) < 0.005 and abs(values(report)["chrf"] - 68.1474) < 1e-4 and
          report["model"] is None and report["signature"]["bleu"] == "case:mixed|eff:no|tok:13a|smooth:exp",
          f"given answers: {report}")


def test_gate(model, text, directory):
    run = [model, "--text", text, "--context", "64", "--against", model]
    good = quality(*run, "--gate", "kl:<0.02,top1:>0.9")
    check(good["gate"]["verdict"] == "pass" and len(good["gate"]["terms"]) == 2, f"gate: {good['gate']}")
    bad = quality(*run, "--kv", "q8", "--gate", "kl:<1e-12", code=1)
    check(bad["gate"]["verdict"] == "fail", f"gate: {bad['gate']}")
    # What is not shown is gated all the same.
    hidden = quality(*run, "--kv", "q8", "--metric", "perplexity", "--gate", "kl:<1e-12", code=1)
    check(list(values(hidden)) == ["perplexity"] and hidden["gate"]["verdict"] == "fail", f"gate: {hidden}")
    # Random weights: the perplexity says nothing, so nothing is proved.
    chance = quality(*run, "--gate", "ppl:+1%", code=9)
    check(chance["gate"]["terms"][0]["verdict"] == "meaningless", f"gate: {chance['gate']}")
    few = lines(directory / "few.jsonl", *[
        {"task": "choice", "choices": ["a", "b"], "answer": 0, "prediction": 0} for _ in range(20)])
    check(quality("--data", few, "--gate", "acc:>0.5")["gate"]["verdict"] == "pass", "20 of 20 are above one half")
    check(quality("--data", few, "--gate", "acc:>0.9", code=9)["gate"]["verdict"] == "unproved",
          "20 of 20 do not prove nine tenths")
    answer = hone("quality", "--data", few, "--gate", "acc:>0.9")
    check(answer.returncode == 9 and b"unproved" in answer.stdout and
          answer.stderr.decode().strip() == "hone: gate acc:>0.9: unproved", f"gate: {answer}")


def test_errors(model, text, directory):
    check_error(2, "quality", model, fragment="--text")
    check_error(2, "quality", "--text", text, fragment="model")
    check_error(2, "quality", model, "--text", text, "--metric", "kl", fragment="--against")
    check_error(2, "quality", model, "--text", text, "--metric", "accuracy", fragment="perplexity")
    check_error(2, "quality", model, "--text", text, "--gate", "ppl:+1%", fragment="--against")
    check_error(2, "quality", model, "--text", text, "--gate", "acc:>0.5", fragment="--data")
    check_error(2, "quality", model, "--text", text, "--gate", "ppl:-1%", fragment="cannot hold")
    check_error(2, "quality", model, "--text", text, "--gate", "speed:1", fragment="speed:1")
    check_error(2, "quality", model, "--text", text, "--context", "100000", fragment="100000")
    check_error(2, "quality", model, "--text", "/etc/hostname", fragment="at least as many")
    check_error(3, "quality", model, "--text", "/no/such/text", fragment="/no/such/text")
    check_error(3, "quality", model, "--data", "/no/such.jsonl", fragment="/no/such.jsonl")
    check_error(3, "quality", model, "--data", "builtin:nothing", fragment="consistency")
    check_error(3, "quality", model, "--text", text, "--against", "/no/such.gguf", fragment="/no/such.gguf")
    broken = directory / "broken.jsonl"
    good = b'{"task":"choice","prompt":"x","choices":["a","b"],"answer":0}\n'
    for line, code, fragment in ((b"{", 5, "line 2: not valid JSON"), (b"\xff\xfe", 5, "line 2: not UTF-8"),
                                 (b"[1]", 5, "line 2: not a JSON object"), (b'{"task":"x"}', 5, "line 2: 'task'"),
                                 (b'{"a":"' + b"x" * 2_000_000 + b'"}', 6, "line 2: 2000008 bytes")):
        broken.write_bytes(good + line + b"\n")
        check_error(code, "quality", model, "--data", broken, fragment=fragment)
    broken.write_bytes(b"\n \n")
    check_error(2, "quality", model, "--data", broken, fragment="no items")
    long = lines(directory / "long.jsonl", {"task": "generation", "prompt": "word " * 3000, "references": ["x"]})
    check_error(6, "quality", model, "--data", long, fragment="line 1: ")
    given = lines(directory / "answered.jsonl", {"task": "generation", "references": ["x"], "output": "x"})
    check_error(2, "quality", model, "--data", given, "--against", model, fragment="carries its answer")
    check_error(2, "quality", model, "--data", given, fragment="leave out")
    check_error(2, "quality", "--data", given, "--data", directory / "." / ".." / directory.name / given.name,
                fragment="given twice")
    check_error(2, "quality", model, "--data", "builtin:choice", "--data", "builtin:choice", fragment="given twice")
    check_error(2, "quality", model, "--data", "builtin:choice", "--gate", "acc:>2", fragment="cannot hold")


def main():
    with tempfile.TemporaryDirectory() as name:
        directory = pathlib.Path(name)
        cache = directory / "cache"
        ENVIRONMENT["XDG_CACHE_HOME"] = str(cache)
        model = directory / "model.gguf"
        check(hone("synth", "llama", "-o", model, "--layers", "2").returncode == 0, "synth")
        text = directory / "text.txt"
        text.write_text("The quick brown fox jumps over the lazy dog. " * 60)
        test_text(model, text)
        test_base_runs(model, text, cache)
        test_tasks(model)
        test_given(directory)
        test_gate(model, text, directory)
        test_errors(model, text, directory)
    return finish()


if __name__ == "__main__":
    sys.exit(main())
