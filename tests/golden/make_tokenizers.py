#!/usr/bin/env python3
"""Writes tokenizers.json: small vocabularies of each kind and the ids their own libraries give.

Usage: python3 make_tokenizers.py      (needs `pip install tokenizers sentencepiece protobuf`)
The vocabularies are trained here, on this project's documents and on the lines of the test; nobody else's is in the
file. The lines are tokenization_corpus.json as far as it is UTF-8, and mixtures of scripts from a fixed seed.
Pre-tokenizers are given by the regular expressions their models were published with. To keep the file small, the ids
of a line are held as their sum (FNV-1a, 32 bits). Where a pattern tells upper from lower case beyond ASCII, llama.cpp
and Hone do not, so lines where that could show are left out for it (docs/tokenizers.md). Other lines left out say why
where they are.
"""
import base64
import collections
import io
import json
import pathlib
import random
import sys
import tempfile
import unicodedata

import sentencepiece
import tokenizers
from sentencepiece import sentencepiece_model_pb2
from tokenizers import Regex, models, normalizers, pre_tokenizers, trainers

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
from check_vocabularies import MORE  # noqa: E402

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parent.parent
ALPHABETS = [
    "abcdefghijklmnopqrstuvwxyz", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", "0123456789", " ", "  \t\n\r", ".,;:!?'\"()[]{}<>", "+-*/=^%$#@&|~`_\\",
    "\u00e4\u00f6\u00fc\u00df\u00e9\u00e8\u00ea\u00f1\u00e7\u00f8\u0130\u0131\u017f", "\u0430\u0431\u0432\u0433\u0434\u0435\u0451\u0416\u0429", "\u03b1\u03b2\u03b3\u03c3\u03c2\u03a3\u0390\u1f80", "\u05d0\u05d1\u05d2\u05e9\u05c1", "\u0627\u0628\u062a\u064e\u0651", "\u0905\u0928\u092e\u094d\u093f", "\u0e01\u0e31\u0e49\u0e33",
    "\u4f60\u597d\u4e16\u754c\u3400\uf900", "\u3042\u30ab\u30ac\u3000\u3001\u3002", "\uac00\ub155\u1112\u1161\u11ab", "\U0001f600\U0001f44d\U0001f3fd\u200d\u2764\ufe0f\U0001f1e9\U0001f1ea", "\u0301\u0308\u0327\u20e3", "\u2018\u2019\u201c\u201d\u2014\u2026\u00bf\u00a1\u00b7",
    "\u0660\u0661\u0967\u2167\u00bd\u00b2", "\u200b\u00ad\ufeff\u2028\u00a0\u2003\u0085\u000b\u000c\u0001\u007f", "\ufb01\uff21\uff11\u210c\u33d1\ufdfa", "\U00020000\U0001d400\ue000\u0378",
]


def lines():
    out = []
    for entry in json.loads((HERE / "tokenization_corpus.json").read_text()):
        try:
            out.append(bytes.fromhex(entry["hex"]).decode())
        except UnicodeDecodeError:
            pass
    out = [line for line in out if len(line) <= 400] + MORE
    choice = random.Random(20261123)
    while len(out) < 330:
        parts = choice.sample(ALPHABETS, choice.randint(1, 5)) + [" "]
        out.append("".join(choice.choice(choice.choice(parts)) for _ in range(choice.randint(1, 40))))
    for unit in ("a", "ab ", "\u4f60", "1", " ", "'s", "\u0301", "\U0001f600", "!?", "Zz\u00e4"):
        out.append(unit * 120)
    return list(dict.fromkeys(out))


LINES = lines()
TRAINING = [line for name in ("README.md", "docs/ARCHITECTURE.md", "docs/GLOSSARY.md")
            for line in (ROOT / name).read_text().splitlines()] + [line for line in LINES if len(line) < 100] * 3

CONTRACTION = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"|\s*[\r\n]+|\s+(?!\S)|\s+"
O200K_WORD = (r"[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+%s"
              r"|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*%s")
HAN_KANA = "[\u4e00-\u9fa5\u3040-\u309f\u30a0-\u30ff]+"
# name in tokenizer.ggml.pre: the stages as published, each isolated; None: the GPT-2 rule built into the library.
PRE_TOKENIZERS = {
    "gpt-2": [None],
    "smollm": [r"\p{N}", None],
    "starcoder": [r"\p{N}", None],
    "llama-bpe": [CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL],
    "qwen2": [CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL],
    "qwen35": [CONTRACTION + r"|[^\r\n\p{L}\p{N}]?[\p{L}\p{M}]+|\p{N}| ?[^\s\p{L}\p{M}\p{N}]+[\r\n]*" + TAIL],
    "deepseek-v3": [r"\p{N}{1,3}", HAN_KANA,
                    r"[!\"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"
                    r"| ?[\p{P}\p{S}]+[\r\n]*" + TAIL],
    "deepseek-coder": [r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[\u4e00-\u9fa5\u0800-\u4e00\uac00-\ud7ff]+", r"\p{N}"],
    "gpt-4o": [O200K_WORD % (CONTRACTION + "?", CONTRACTION + "?") + r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL],
    "tekken": [O200K_WORD % ("", "") + r"|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n/]*" + TAIL],
    "laguna": [r"[^\n]+|[\n]+",
               CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*" + TAIL],
    "bloom": [" ?[^(\\s|.,!?\u2026\u3002\uff0c\u3001\u0964\u06d4\u060c)]+"],
}


def fnv(ids):
    out = 0x811C9DC5
    for number in ids:
        for shift in (0, 8, 16, 24):
            out = (out ^ (number >> shift & 0xFF)) * 0x01000193 & 0xFFFFFFFF
    return out


def tells_case(line):
    """Letters beyond ASCII of a case, or marks: what Hone's classes for o200k and tekken do not tell apart."""
    return any(c >= "\x80" and unicodedata.category(c) in ("Lu", "Ll", "Lt", "Mn", "Mc", "Me") for c in line)


def wide_space(line):
    """White space in the range of DeepSeek's scripts, which llama.cpp and Hone count as white space only."""
    return any(c > "\u0800" and c.isspace() for c in line)


def pre_tokenizer(stages):
    parts = [pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=True) if stage is None
             else pre_tokenizers.Split(Regex(stage), "isolated") for stage in stages]
    if stages[-1] is not None:
        parts.append(pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False))
    return pre_tokenizers.Sequence(parts)


def alphabet(normalize, count):
    """The most frequent characters; the trainers' own choice among equals changes from run to run."""
    counts = collections.Counter(c for line in TRAINING for c in normalize(line) if c != "\n")
    return sorted(sorted(counts, key=lambda c: (-counts[c], c))[:count])


def vocabulary_of(tokenizer):
    return [token for token, _ in sorted(tokenizer.get_vocab().items(), key=lambda item: item[1])]


def merges_of(tokenizer):
    return [" ".join(pair) if isinstance(pair, list) else pair for pair in json.loads(tokenizer.to_str())["model"]["merges"]]


def byte_level():
    tokenizer = tokenizers.Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizer(PRE_TOKENIZERS["llama-bpe"])
    tokenizer.train_from_iterator(TRAINING, trainers.BpeTrainer(
        vocab_size=900, show_progress=False, initial_alphabet=sorted(pre_tokenizers.ByteLevel.alphabet())))
    out = {"name": "byte-level BPE", "model": "gpt2", "tokens": vocabulary_of(tokenizer), "merges": merges_of(tokenizer),
           "pre": {}}
    for name, stages in PRE_TOKENIZERS.items():
        tokenizer.pre_tokenizer = pre_tokenizer(stages)
        skips = name in ("gpt-4o", "tekken")
        # A model of its own, because a model remembers words. Two families take whole tokens first.
        tokenizer.model = models.BPE(
            vocab=tokenizer.get_vocab(), merges=[tuple(merge.split(" ")) for merge in out["merges"]],
            ignore_merges=name in ("llama-bpe", "tekken"))
        out["pre"][name] = [None if skips and tells_case(line) or name == "deepseek-coder" and wide_space(line)
                            else fnv(tokenizer.encode(line).ids) for line in LINES]
    return out


def character_level():
    tokenizer = tokenizers.Tokenizer(models.BPE(byte_fallback=True, unk_token="<unk>"))
    tokenizer.normalizer = normalizers.Replace(" ", "\u2581")
    tokenizer.pre_tokenizer = pre_tokenizers.Split(Regex(r"[^\n]+|[\n]+"), "isolated")
    characters = alphabet(lambda line: line.replace(" ", "\u2581"), 120)
    specials = ["<pad>", "<eos>", "<bos>", "<unk>"] + [f"<0x{byte:02X}>" for byte in range(256)]
    tokenizer.train_from_iterator(TRAINING, trainers.BpeTrainer(
        vocab_size=800, initial_alphabet=characters, limit_alphabet=120, special_tokens=specials, show_progress=False))
    # Read back as plain tokens, so that texts that spell them are text.
    plain = tokenizers.Tokenizer(models.BPE(vocab=tokenizer.get_vocab(), merges=[
        tuple(merge.split(" ")) for merge in merges_of(tokenizer)], byte_fallback=True, unk_token="<unk>"))
    plain.normalizer, plain.pre_tokenizer = tokenizer.normalizer, tokenizer.pre_tokenizer
    tokens = vocabulary_of(plain)
    types = [3, 3, 3, 2] + [6] * 256 + [1] * (len(tokens) - 260)
    return {"name": "character-level BPE", "model": "gemma4", "tokens": tokens, "types": types,
            "merges": merges_of(plain), "unknown": 3, "sums": [fnv(plain.encode(line).ids) for line in LINES]}


RULES = {"\u00a0": " ", "\u3000": " ", "\t": " ", "\n": " ", "\r": " ", "\u2003": "  ", "\u00ad": "", "\u200b": "", "\u0001": "", "\u007f": "", "\ufb01": "fi",
         "\u33d1": "ln", "\u210c": "H", "e\u0301": "\u00e9", "a\u0308": "\u00e4", "\ufdfa": "\u0635\u0644\u0649 \u0627\u0644\u0644\u0647 \u0639\u0644\u064a\u0647 \u0648\u0633\u0644\u0645", "...": "\u2026",
         **{chr(0xFF01 + i): chr(0x21 + i) for i in range(94)}}


def unigram_sum(processor, exact, line):
    """Nothing where two ways of cutting are so near that SentencePiece's sums in 32 bits and the sums in 64 bits of
    Hugging Face's tokenizers (and of Hone) decide differently: runs of one character. A NUL ends a text for the
    Python binding."""
    if "\0" in line:
        return None
    ids = processor.encode(line)
    return fnv(ids) if exact.encode(processor.normalize(line)).ids == ids else None


def unigram(name, rules, **options):
    with tempfile.NamedTemporaryFile("w", suffix=".tsv") as file:
        for source, target in rules.items():
            file.write(" ".join(f"{ord(c):X}" for c in source) + "\t" + " ".join(f"{ord(c):X}" for c in target) + "\n")
        file.flush()
        if rules:
            options["normalization_rule_tsv"] = file.name
        else:
            options["normalization_rule_name"] = "identity"
        model = io.BytesIO()
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(line for line in TRAINING if "\0" not in line), model_writer=model, minloglevel=2,
            model_type="unigram", vocab_size=900, character_coverage=0.98, num_threads=1,
            hard_vocab_limit=False, **options)
    proto = sentencepiece_model_pb2.ModelProto.FromString(model.getvalue())
    processor = sentencepiece.SentencePieceProcessor(model_proto=model.getvalue())
    exact = tokenizers.Tokenizer(models.Unigram(
        [(piece.piece, piece.score) for piece in proto.pieces], unk_id=processor.unk_id(),
        byte_fallback=proto.trainer_spec.byte_fallback))
    return {"name": name, "model": "t5", "tokens": [piece.piece for piece in proto.pieces],
            "scores": [piece.score for piece in proto.pieces], "types": [piece.type for piece in proto.pieces],
            "unknown": processor.unk_id(), "add_space_prefix": proto.normalizer_spec.add_dummy_prefix,
            "remove_extra_spaces": proto.normalizer_spec.remove_extra_whitespaces,
            "charsmap": base64.b16encode(proto.normalizer_spec.precompiled_charsmap).decode(),
            "sums": [unigram_sum(processor, exact, line) for line in LINES]}


def word_pieces(normalizer, splitter):
    """The frequent characters, and the frequent beginnings and insides of words; the library's trainer orders equals by
    chance."""
    pieces = collections.Counter()
    for line in TRAINING:
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(line)):
            for size in range(2, 9):
                pieces[word[:size]] += size
            for at in range(1, min(len(word), 12)):
                for size in range(2, 5):
                    pieces["##" + word[at:at + size]] += size
    frequent = sorted(pieces, key=lambda piece: (-pieces[piece], piece))[:500]
    characters = [c for c in alphabet(normalizer.normalize_str, 200) if not c.isspace()]
    tokens = characters + ["##" + c for c in characters] + frequent
    return ["[PAD]", "[UNK]", "[CLS]", "[SEP]"] + sorted(set(tokens))


def word_piece(name, lowercase, strips):
    normalizer = normalizers.BertNormalizer(lowercase=lowercase, strip_accents=strips)
    splitter = pre_tokenizers.BertPreTokenizer()
    vocabulary = {token: i for i, token in enumerate(word_pieces(normalizer, splitter))}
    plain = tokenizers.Tokenizer(models.WordPiece(vocab=vocabulary, unk_token="[UNK]", max_input_chars_per_word=1 << 20))
    plain.normalizer, plain.pre_tokenizer = normalizer, splitter
    spelled = [token if i < 4 else token[2:] if token.startswith("##") else "\u2581" + token
               for i, token in enumerate(vocabulary_of(plain))]
    return {"name": name, "model": "bert", "tokens": spelled, "types": [3, 2, 3, 3] + [1] * (len(spelled) - 4),
            "unknown": 1, "lowercase": lowercase, "strip_accents": strips,
            # Model files spell the beginning of a word by U+2581, so texts with one are ambiguous.
            "sums": [None if "\u2581" in line else fnv(plain.encode(line, add_special_tokens=False).ids)
                     for line in LINES]}


def main():
    cases = [
        byte_level(), character_level(),
        unigram("unigram with rules", RULES, add_dummy_prefix=True, remove_extra_whitespaces=True),
        unigram("unigram with bytes", {}, add_dummy_prefix=False, remove_extra_whitespaces=False, byte_fallback=True),
        unigram("unigram as it is", {}, add_dummy_prefix=True, remove_extra_whitespaces=False),
        word_piece("uncased WordPiece", True, True), word_piece("cased WordPiece", False, False),
    ]
    made_by = f"tokenizers {tokenizers.__version__}, sentencepiece {sentencepiece.__version__}"
    text = json.dumps({"made_by": made_by, "lines": LINES, "cases": cases}, ensure_ascii=True, separators=(",", ":"))
    (HERE / "tokenizers.json").write_text(text.replace('{"name"', '\n{"name"') + "\n")
    for case in cases:
        for name, sums in case.get("pre", {case["name"]: case.get("sums")}).items():
            print(f"{name}: {sum(entry is not None for entry in sums)} lines")
    print(len(LINES), "lines,", len(cases) - 1 + len(PRE_TOKENIZERS), "kinds,", len(text), "bytes")


if __name__ == "__main__":
    main()
