#!/usr/bin/env python3
"""Writes sentence_piece.json: small SentencePiece BPE vocabularies and the token ids SentencePiece gives.

Usage: python3 make_sentence_piece.py      (needs `pip install sentencepiece`)
The vocabularies are trained on this project's own documents; one puts a space before every text, the other does
not. The texts are those of tokenization_corpus.json that are valid UTF-8 and have no NUL and no spelling of a space
(U+2581), which SentencePiece itself treats as others than llama.cpp does.
"""
import io
import json
import pathlib

import sentencepiece
from sentencepiece import sentencepiece_model_pb2

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent


def corpus():
    for entry in json.loads((HERE / "tokenization_corpus.json").read_text()):
        try:
            text = bytes.fromhex(entry["hex"]).decode()
        except UnicodeDecodeError:
            continue
        if "\0" not in text and "\u2581" not in text:
            yield entry["name"], text


def train(adds_space):
    lines = []
    for name in ("README.md", "docs/ARCHITECTURE.md", "docs/GLOSSARY.md"):
        lines += (ROOT / name).read_text().splitlines()
    model = io.BytesIO()
    sentencepiece.SentencePieceTrainer.train(
        sentence_iterator=iter(lines), model_writer=model, model_type="bpe", vocab_size=700,
        byte_fallback=True, add_dummy_prefix=adds_space, normalization_rule_name="identity",
        remove_extra_whitespaces=False, character_coverage=0.999, minloglevel=2)
    return model.getvalue()


def case(name, adds_space):
    data = train(adds_space)
    proto = sentencepiece_model_pb2.ModelProto.FromString(data)
    processor = sentencepiece.SentencePieceProcessor(model_proto=data)
    return {
        "name": name,
        "add_space_prefix": adds_space,
        "tokens": [piece.piece for piece in proto.pieces],
        "scores": [piece.score for piece in proto.pieces],
        "types": [piece.type for piece in proto.pieces],
        "unknown": processor.unk_id(),
        "texts": [{"name": text_name, "text": text, "ids": processor.encode(text)}
                  for text_name, text in corpus()],
    }


def main():
    cases = [case("space before", True), case("as it is", False)]
    (HERE / "sentence_piece.json").write_text(
        json.dumps(cases, ensure_ascii=True, indent=None, separators=(",", ":")).replace('{"name"', '\n{"name"') + "\n")
    print(sum(len(entry["texts"]) for entry in cases), "encodings")


main()
