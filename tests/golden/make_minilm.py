#!/usr/bin/env python3
"""Writes minilm.json: token ids and embeddings of texts by transformers, from the float weights of all-MiniLM-L6-v2.

Usage: python3 make_minilm.py DIRECTORY      (what `scripts/model minilm` prints; needs `pip install torch
transformers`; made with 2.6.0, 4.57.6)
Texts are neither cut nor padded; a vector is the mean over the tokens, at length 1.
"""
import json
import pathlib
import sys

import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
TEXTS = [
    "A quick brown fox jumps over the lazy dog.", "The weather is lovely today.", "It's so sunny outside!",
    "He drove to the stadium.", "", "The program explains where the time of a model's inference goes.",
    "naïve café résumé, Zürich, ÅNGSTRÖM", "东京は日本の首都です。", "한국어 문장 하나", "Привет, как дела?",
    "antidisestablishmentarianism and pneumonoultramicroscopicsilicovolcanoconiosis", "x", "12345.678 - 9 = ?",
    "e-mail: someone@example.com, https://example.com/a?b=c", "emoji 😀 and 🏳️‍🌈 flags", "tabs\tand   spaces  \u00a0 here",
    "ALL CAPS SENTENCE WITH SHOUTING!!!", "Vectors near each other mean similar things.",
    "def f(x): return x ** 2  # code", "The bank of the river was muddy; the bank lent money. " * 12]


def main():
    tokenizer = transformers.AutoTokenizer.from_pretrained(sys.argv[1])
    tokenizer.backend_tokenizer.no_truncation()
    tokenizer.backend_tokenizer.no_padding()
    model = transformers.AutoModel.from_pretrained(sys.argv[1], attn_implementation="eager").float().eval()
    rows = []
    for text in TEXTS:
        tokens = tokenizer(text)["input_ids"]
        with torch.no_grad():
            values = model(torch.tensor([tokens])).last_hidden_state[0]
        mean = values.mean(0)
        rows.append(json.dumps({"text": text, "tokens": tokens,
                                "embedding": [round(x, 6) for x in (mean / mean.norm()).tolist()]},
                               separators=(",", ":")))
    (HERE / "minilm.json").write_text("[" + ",\n".join(rows) + "]\n")


if __name__ == "__main__":
    main()
