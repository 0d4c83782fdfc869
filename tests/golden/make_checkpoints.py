#!/usr/bin/env python3
"""Writes checkpoints/*/: some of the models of make_architectures.py as directories, as transformers and
sentence-transformers save them, with a tokenizer each, and checkpoints.json: token ids of texts by that tokenizer.

Usage: python3 make_checkpoints.py      (needs `pip install torch transformers`; made with 2.6.0, 4.57.6)
Weights, and so logits and embeddings, are those of architectures.json and embeddings.json: the seed is the place in
the list, and all weights are numbers of f16.
"""
import json
import pathlib
import shutil

import tokenizers
import transformers

import make_architectures

HERE = pathlib.Path(__file__).resolve().parent
# Llama's in several files, to have an index.
SHARD = {"llama3": "20KB", "qwen2": "1GB", "bert": "1GB"}
LINES = ["the quick brown fox", "The Quick, brown FOX!", "it's  two   spaces\n\n new lines", "12345 and 6 7", "",
         "<|end|> as a text", "don't we'll THEY'RE", "river bank money over the lazy dog"]
CONTRACTIONS = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
PATTERNS = {
    "llama3": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
    "qwen2": CONTRACTIONS + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+",
}


def byte_pairs(name):
    """A tokenizer of 90 tokens for an embedding of 96 rows."""
    pre = tokenizers.pre_tokenizers
    tokenizer = tokenizers.Tokenizer(tokenizers.models.BPE(ignore_merges=name == "llama3"))
    tokenizer.pre_tokenizer = pre.Sequence([
        pre.Split(tokenizers.Regex(PATTERNS[name]), "isolated"), pre.ByteLevel(add_prefix_space=False, use_regex=False)])
    tokenizer.decoder = tokenizers.decoders.ByteLevel()
    tokenizer.train_from_iterator(LINES * 3, tokenizers.trainers.BpeTrainer(
        vocab_size=90, show_progress=False, special_tokens=["<|begin|>", "<|end|>"]))
    if name == "llama3":
        tokenizer.post_processor = tokenizers.processors.TemplateProcessing(
            single="<|begin|> $A", special_tokens=[("<|begin|>", tokenizer.token_to_id("<|begin|>"))])
    else:
        tokenizer.normalizer = tokenizers.normalizers.NFC()
    return transformers.PreTrainedTokenizerFast(
        tokenizer_object=tokenizer, bos_token="<|begin|>", eos_token="<|end|>", clean_up_tokenization_spaces=False,
        chat_template="{% for m in messages %}{{ m.role }}: {{ m.content }}\n{% endfor %}")


def word_pieces(folder):
    words = {(w[1:] if w.startswith("\u2581") else w if w.startswith("[") else "##" + w): i
             for i, w in enumerate(make_architectures.WORDS)}
    (folder / "vocab.txt").write_text("\n".join(words) + "\n")
    return transformers.BertTokenizerFast(vocab_file=str(folder / "vocab.txt"), do_lower_case=True)


def save_pooling(folder):
    (folder / "1_Pooling").mkdir()
    (folder / "1_Pooling" / "config.json").write_text(json.dumps(
        {"word_embedding_dimension": 32, "pooling_mode_cls_token": False, "pooling_mode_mean_tokens": True}))
    (folder / "modules.json").write_text(json.dumps([
        {"idx": i, "name": str(i), "path": path, "type": f"sentence_transformers.models.{kind}"}
        for i, (path, kind) in enumerate([("", "Transformer"), ("1_Pooling", "Pooling"), ("2_Normalize", "Normalize")])]))


def main():
    golden = {}
    for seed, (name, architecture, config, _) in enumerate(make_architectures.cases()):
        if name not in SHARD:
            continue
        folder = HERE / "checkpoints" / name
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir(parents=True)
        maker = transformers.AutoModel if architecture == "bert" else transformers.AutoModelForCausalLM
        extra = {"add_pooling_layer": False} if architecture == "bert" else {}
        model = maker.from_config(config, attn_implementation="eager", **extra).float().eval()
        make_architectures.randomize(model, seed)
        if architecture != "bert":
            model.generation_config.bos_token_id, model.generation_config.eos_token_id = 0, 1
            model.config.bos_token_id, model.config.eos_token_id = 0, 1
        model.half().save_pretrained(folder, max_shard_size=SHARD[name])
        tokenizer = word_pieces(folder) if architecture == "bert" else byte_pairs(name)
        tokenizer.save_pretrained(folder)
        if architecture == "bert":
            save_pooling(folder)
        golden[name] = [{"text": text, "tokens": tokenizer(text)["input_ids"]} for text in LINES]
        print(f"{name}: {sum(f.stat().st_size for f in folder.rglob('*') if f.is_file())} bytes")
    rows = [f"{json.dumps(name)}: {json.dumps(lines)}" for name, lines in golden.items()]
    (HERE / "checkpoints.json").write_text("{" + ",\n".join(rows) + "}\n")


if __name__ == "__main__":
    main()
