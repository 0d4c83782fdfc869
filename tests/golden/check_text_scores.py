#!/usr/bin/env python3
"""BLEU, chrF and ROUGE of `hone quality` against sacrebleu and rouge-score, on sampled sentences.

    check_text_scores.py HONE [COUNT]

Needs the packages sacrebleu and rouge-score. Draws COUNT (200) pairs of sentences of nine scripts by a fixed seed, breaks
the outputs in the ways that models do, gives them to Hone as answered items and compares every score, of each sentence and
of the whole, to 1e-4. Exits with 1 where one differs.
"""
import json
import random
import subprocess
import sys
import tempfile

from rouge_score import rouge_scorer
from sacrebleu.metrics import BLEU, CHRF

TOLERANCE = 1e-4
WORDS = {
    "english": "the a cat dog ran over 3.5 1,000 house. it's well-known (maybe) \"quoted\" U.S. e.g. 12-13 50% "
               "river, mountain; quickly x/y a_b &amp; &lt;tag&gt; <skipped> end! why?".split(),
    "german": "der die Straße größer über Häuser, 3,5 Öl. süß – »Zitat« und nicht ÄRZTE".split(),
    "french": "l'été où déjà, « mot » c'est 1 000 garçon œuvre. n'est-ce pas ?".split(),
    "russian": "кошка собака бежала по дому. Москва, река и ГОРА — 12 лет".split(),
    "greek": "η γάτα τρέχει. ΘΆΛΑΣΣΑ και βουνό, 7 μέρες;".split(),
    "arabic": "القط يجري في البيت، ٣ أيام. كتاب جديد؟".split(),
    "hindi": "बिल्ली घर में है। ३ दिन, नया किताब।".split(),
    "chinese": ["猫坐在垫子上。", "今天天气很好，", "我们去公园", "3.5公里", "北京", "你好！"],
    "japanese": ["猫が座る。", "今日は", "カタカナ", "、東京", "123", "です"],
    "odd": ["İstanbul", "\u212aelvin", "x\u00a0y", "zero\u200bwidth", "tab\tbed", "new\nline", "hyphen-\nated", "🙂", "a\u3000b"],
}


def sentence(rng, language, words):
    return (" " if language not in ("chinese", "japanese") else "").join(rng.choice(words) for _ in range(rng.randint(1, 18)))


def broken(rng, text, words):
    parts = text.split(" ")
    for _ in range(rng.randint(0, 4)):
        at = rng.randrange(len(parts)) if parts else 0
        what = rng.randrange(5)
        if what == 0 and parts:
            del parts[at]
        elif what == 1:
            parts.insert(at, rng.choice(words))
        elif what == 2 and parts:
            parts[at] = parts[at][::-1]
        elif what == 3 and parts:
            parts[at] = parts[at].upper()
        elif parts:
            parts = parts[at:] + parts[:at]
    return " ".join(parts)


def pairs(count):
    rng = random.Random(7)
    out = []
    for i in range(count):
        language = list(WORDS)[i % len(WORDS)]
        references = [sentence(rng, language, WORDS[language]) for _ in range(1 if i % 5 else 3)]
        out.append((broken(rng, rng.choice(references), WORDS[language]), references))
    return out


def hone_scores(hone, samples, *options):
    with tempfile.NamedTemporaryFile("w", suffix=".jsonl") as data:
        for output, references in samples:
            data.write(json.dumps({"task": "generation", "references": references, "output": output}) + "\n")
        data.flush()
        answer = subprocess.run([hone, "quality", "--data", data.name, "--json", *options], capture_output=True, check=True)
    return {metric["name"]: metric["value"] for metric in json.loads(answer.stdout)["metrics"]}


def reference_scores(samples, tokens):
    outputs = [output for output, _ in samples]
    most = max(len(references) for _, references in samples)
    streams = [[references[i] if i < len(references) else None for _, references in samples] for i in range(most)]
    scorer = rouge_scorer.RougeScorer(["rouge1", "rouge2", "rougeL"])
    rouge = [scorer.score_multi(references, output) for output, references in samples]
    scores = {name: sum(r[name].fmeasure for r in rouge) / len(rouge) for name in ("rouge1", "rouge2", "rougeL")}
    scores["bleu"] = BLEU(tokenize=tokens).corpus_score(outputs, streams).score
    scores["chrf"] = CHRF().corpus_score(outputs, streams).score
    return scores


def compare(name, ours, theirs):
    wrong = [f"{name}: {metric} {ours[metric]!r}, reference {value!r}"
             for metric, value in theirs.items() if abs(ours[metric] - value) > TOLERANCE]
    print("\n".join(wrong), end="\n" if wrong else "")
    return len(wrong)


def main():
    hone = sys.argv[1]
    samples = pairs(int(sys.argv[2]) if len(sys.argv) > 2 else 200)
    wrong = 0
    for tokens, flag in (("13a", "13a"), ("char", "characters")):
        wrong += compare(f"all, {tokens}", hone_scores(hone, samples, "--bleu-tokens", flag), reference_scores(samples, tokens))
    for i, sample in enumerate(samples):
        wrong += compare(f"sentence {i} {sample!r}", hone_scores(hone, [sample]), reference_scores([sample], "13a"))
    print(f"{len(samples)} sentences, {wrong} scores differ by more than {TOLERANCE}")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
