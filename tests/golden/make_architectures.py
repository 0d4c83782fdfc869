#!/usr/bin/env python3
"""Writes architectures/*.gguf and architectures.json: tiny random models of every architecture that Hone runs, and
the logits that transformers computes for them; of the encoder its values, and of whole texts their embeddings
(embeddings.json).

Usage: python3 make_architectures.py      (needs `pip install torch transformers gguf`; made with 2.6.0, 4.57.6, 0.19.0)
Every weight is rounded to f16 before transformers sees it, so the files hold exactly what was computed with. Names,
metadata keys and the order of rows follow llama.cpp's converter: q and k rows of architecture llama are reordered for
rotation of adjacent pairs, Gemma's norms are stored with their 1, Llama 3's frequency factors become a tensor.
"""
import json
import math
import pathlib
import tempfile

import gguf
import numpy
import torch
import transformers

HERE = pathlib.Path(__file__).resolve().parent
VOCABULARY = 96
TOKENS = 40
# Around the window of 8, around a page of 32, and the last ones.
POSITIONS = [0, 1, 7, 8, 9, 20, 31, 32, 38, 39]
SHAPE = {"vocab_size": VOCABULARY, "hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2,
         "num_attention_heads": 4, "num_key_value_heads": 2, "max_position_embeddings": 128, "tie_word_embeddings": False}
WIDE = {**SHAPE, "head_dim": 16}  # q is wider than the model

NAMES = {
    "self_attn.q_proj": "attn_q", "self_attn.k_proj": "attn_k", "self_attn.v_proj": "attn_v",
    "self_attn.qkv_proj": "attn_qkv", "self_attn.o_proj": "attn_output", "self_attn.q_norm": "attn_q_norm",
    "self_attn.k_norm": "attn_k_norm", "input_layernorm": "attn_norm", "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up", "mlp.gate_up_proj": "ffn_up", "mlp.down_proj": "ffn_down", "mlp.gate": "ffn_gate_inp",
    "post_attention_layernorm": "ffn_norm",
}
BERT_NAMES = {
    "attention.self.query": "attn_q", "attention.self.key": "attn_k", "attention.self.value": "attn_v",
    "attention.output.dense": "attn_output", "attention.output.LayerNorm": "attn_output_norm",
    "intermediate.dense": "ffn_up", "output.dense": "ffn_down", "output.LayerNorm": "layer_output_norm",
}
BERT_GLOBALS = {
    "embeddings.word_embeddings.weight": "token_embd.weight", "embeddings.LayerNorm.weight": "token_embd_norm.weight",
    "embeddings.position_embeddings.weight": "position_embd.weight", "embeddings.LayerNorm.bias": "token_embd_norm.bias",
    "embeddings.token_type_embeddings.weight": "token_types.weight",
}
# WordPiece as files of its models have it: the special tokens, words behind a mark for a space, pieces without one.
WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"] + [f"\u2581{c}" for c in "abcdefghijklmnopqrstuvwxyz0123456789.,!?"]
WORDS += [c for c in "abcdefghijklmnopqrstuvwxyz"]
WORDS += [f"\u2581{w}" for w in ["the", "over", "quick", "fox", "lazy", "dog", "river", "bank", "money"]]
WORDS += ["ing", "ed", "er", "ly", "s0"]
TEXTS = ["the quick fox", "The quick fox jumped over the lazy dog.", "money", "", "river bank!",
         "a text of more words than one page of keys has room for: " + "the lazy dog over the river " * 8]
GEMMA_NAMES = {**NAMES, "post_attention_layernorm": "post_attention_norm", "pre_feedforward_layernorm": "ffn_norm",
               "post_feedforward_layernorm": "post_ffw_norm"}


def randomize(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for name, parameter in model.named_parameters():
        noise = torch.randn(parameter.shape, generator=generator)
        if parameter.ndim >= 2:
            # Twice the usual size: scores and gates then leave the range where everything is linear.
            values = 2 * noise / parameter.shape[-1] ** 0.5
        elif name.endswith("bias"):
            values = 0.3 * noise
        else:
            values = (0 if "gemma" in type(model).__name__.lower() else 1) + 0.2 * noise
        parameter.data = values.half().float()


def adjacent_pairs(weight, heads):
    """Rows of a head from (first halves, second halves) to pairs."""
    return weight.reshape(heads, 2, weight.shape[0] // heads // 2, -1).swapaxes(1, 2).reshape(weight.shape)


def bert_name(name):
    if name in BERT_GLOBALS:
        return BERT_GLOBALS[name]
    _, _, layer, *path, kind = name.split(".")
    return f"blk.{layer}.{BERT_NAMES['.'.join(path)]}.{kind}"


def gguf_name(name, names):
    if name == "model.embed_tokens.weight":
        return "token_embd.weight"
    if name == "lm_head.weight":
        return "output.weight"
    if name.startswith("model.norm."):
        return "output_norm." + name.split(".")[-1]
    _, _, layer, *path, kind = name.split(".")
    return f"blk.{layer}.{names['.'.join(path)]}.{kind}"


def tensors(model, architecture):
    config = model.config
    gemma = architecture.startswith("gemma")
    experts = {}
    for name, parameter in model.named_parameters():
        data = parameter.detach().numpy()
        if ".mlp.experts." in name:
            layer, expert, kind = name.split(".")[2], int(name.split(".")[5]), name.split(".")[6].removesuffix("_proj")
            experts.setdefault(f"blk.{layer}.ffn_{kind}_exps.weight", {})[expert] = data
            continue
        if architecture == "llama" and ("q_proj" in name or "k_proj" in name):
            data = adjacent_pairs(data, config.num_attention_heads if "q_proj" in name else config.num_key_value_heads)
        if gemma and name.endswith("norm.weight"):
            data = data + 1
        yield bert_name(name) if architecture == "bert" else gguf_name(name, GEMMA_NAMES if gemma else NAMES), data
    for name, parts in experts.items():
        yield name, numpy.stack([parts[i] for i in range(len(parts))])
    rope = getattr(config, "rope_scaling", None) or {}
    if rope.get("rope_type") == "llama3":
        dims = config.head_dim
        plain = 1.0 / config.rope_theta ** (numpy.arange(0, dims, 2) / dims)
        yield "rope_freqs.weight", (plain / model.model.rotary_emb.inv_freq.numpy()).astype(numpy.float32)
    for kind in ("long", "short") if rope.get("type") == "longrope" else ():
        yield f"rope_factors_{kind}.weight", numpy.array(rope[f"{kind}_factor"], dtype=numpy.float32)


def add_words(writer):
    writer.add_tokenizer_model("bert")
    writer.add_tokenizer_pre("default")
    writer.add_token_list(WORDS)
    writer.add_token_types([gguf.TokenType.CONTROL] * 5 + [gguf.TokenType.NORMAL] * (len(WORDS) - 5))
    writer.add_token_type_count(2)
    writer.add_bos_token_id(2)
    writer.add_sep_token_id(3)
    writer.add_unk_token_id(1)
    writer.add_pad_token_id(0)
    writer.add_mask_token_id(4)


def write_gguf(model, architecture, extra, path):
    config = model.config
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_name(path.stem)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(getattr(config, "num_key_value_heads", config.num_attention_heads))
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    if hasattr(config, "rope_theta"):
        writer.add_rope_freq_base(config.rope_theta)
    if hasattr(config, "rms_norm_eps"):
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    else:
        writer.add_layer_norm_eps(config.layer_norm_eps)
    if architecture == "bert":
        add_words(writer)
    for key, value in extra.items():
        add = {float: writer.add_float32, str: writer.add_string, bool: writer.add_bool}.get(type(value), writer.add_uint32)
        add(f"{architecture}.{key}", value)
    for name, data in sorted(tensors(model, architecture)):
        if name == "output.weight" and config.tie_word_embeddings:
            continue
        data = numpy.ascontiguousarray(data)
        writer.add_tensor(name, data.astype(numpy.float16) if data.ndim > 1 else data)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def cases():
    """name, architecture, transformers configuration, further metadata."""
    t = transformers
    yield "llama3", "llama", t.LlamaConfig(**WIDE, rope_theta=500000.0, rope_scaling={
        "rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0,
        "original_max_position_embeddings": 32}), {}
    yield "llama_linear", "llama", t.LlamaConfig(**WIDE, rope_scaling={"rope_type": "linear", "factor": 4.0}), {
        "rope.scaling.type": "linear", "rope.scaling.factor": 4.0}
    yield "mistral", "llama", t.MistralConfig(**WIDE, sliding_window=8), {"attention.sliding_window": 8}
    yield "qwen2", "qwen2", t.Qwen2Config(**{**SHAPE, "num_attention_heads": 2, "num_key_value_heads": 1}), {}
    yield "qwen3", "qwen3", t.Qwen3Config(**WIDE), {}
    gemma = {**WIDE, "tie_word_embeddings": True, "sliding_window": 8, "query_pre_attn_scalar": 16}
    yield "gemma2", "gemma2", t.Gemma2Config(
        **gemma, attn_logit_softcapping=2.0, final_logit_softcapping=3.0,
        layer_types=["sliding_attention", "full_attention"]), {
            "attention.sliding_window": 8, "attn_logit_softcapping": 2.0, "final_logit_softcapping": 3.0}
    yield "gemma3", "gemma3", t.Gemma3TextConfig(
        **{**gemma, "num_hidden_layers": 3}, rope_theta=1000000.0, rope_local_base_freq=10000.0,
        layer_types=["sliding_attention", "full_attention", "sliding_attention"]), {
            "attention.sliding_window": 8, "attention.sliding_window_pattern": 2}
    yield "phi3", "phi3", t.Phi3Config(
        **{**SHAPE, "num_attention_heads": 2, "num_key_value_heads": 1}, sliding_window=8, pad_token_id=0), {
            "attention.sliding_window": 8}
    for parallel in (False, True):
        yield "stablelm_parallel" if parallel else "stablelm", "stablelm", t.StableLmConfig(
            **{**SHAPE, "num_attention_heads": 2, "num_key_value_heads": 1}, partial_rotary_factor=0.25,
            use_parallel_residual=parallel, use_qkv_bias=True), {
                "rope.dimension_count": 4, "use_parallel_residual": parallel}
    yield "qwen3moe", "qwen3moe", t.Qwen3MoeConfig(
        **{**WIDE, "num_hidden_layers": 2}, moe_intermediate_size=32, num_experts=6, num_experts_per_tok=2,
        norm_topk_prob=True), {
            "expert_count": 6, "expert_used_count": 2, "expert_feed_forward_length": 32}
    long_rope = {"type": "longrope", "short_factor": [1.0, 1.1, 1.2, 1.3, 1.5, 2.0, 2.5, 3.0],
                 "long_factor": [1.0, 1.5, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0]}
    # The test runs at a context of 64, and transformers at its 40 tokens: beyond 32 both take the long factors.
    for name, original in (("phi3_long", 32), ("phi3_short", 64)):
        yield name, "phi3", t.Phi3Config(
            **{**SHAPE, "num_attention_heads": 2, "num_key_value_heads": 1}, original_max_position_embeddings=original,
            rope_scaling=long_rope, pad_token_id=0), {
                "rope.scaling.original_context_length": original,
                "rope.scaling.attn_factor": math.sqrt(1 + math.log(128 / original) / math.log(original))}
    yield "qwen3_yarn", "qwen3", t.Qwen3Config(**WIDE, rope_scaling={
        "rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 32}), {
            "rope.scaling.type": "yarn", "rope.scaling.factor": 4.0, "rope.scaling.original_context_length": 32}
    yield "bert", "bert", t.BertConfig(
        vocab_size=len(WORDS), hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
        max_position_embeddings=128, hidden_act="gelu"), {"attention.causal": False, "pooling_type": 1}


def embeddings(model):
    """Token ids by BertTokenizerFast, and vectors of length 1 by mean and by the first token."""
    words = {(w[1:] if w.startswith("\u2581") else w if w.startswith("[") else "##" + w): i for i, w in enumerate(WORDS)}
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "vocab.txt"
        path.write_text("\n".join(words) + "\n")
        tokenizer = transformers.BertTokenizerFast(vocab_file=str(path), do_lower_case=True)
    for text in TEXTS:
        tokens = tokenizer(text)["input_ids"]
        with torch.no_grad():
            values = model(torch.tensor([tokens])).last_hidden_state[0]
        unit = lambda v: [round(x, 6) for x in (v / v.norm()).tolist()]
        yield {"text": text, "tokens": tokens, "mean": unit(values.mean(0)), "cls": unit(values[0])}


def main():
    golden = []
    for seed, (name, architecture, config, extra) in enumerate(cases()):
        maker = transformers.AutoModel if architecture == "bert" else transformers.AutoModelForCausalLM
        extra_arguments = {"add_pooling_layer": False} if architecture == "bert" else {}
        model = maker.from_config(config, attn_implementation="eager", **extra_arguments).float().eval()
        randomize(model, seed)
        tokens = numpy.random.default_rng(seed).integers(0, min(VOCABULARY, config.vocab_size), TOKENS).tolist()
        with torch.no_grad():
            answer = model(torch.tensor([tokens]), use_cache=False)
            logits = answer.last_hidden_state[0] if architecture == "bert" else answer.logits[0]
        path = HERE / "architectures" / f"{name}.gguf"
        write_gguf(model, architecture, extra, path)
        if architecture == "bert":
            rows = [json.dumps(row, separators=(",", ":")) for row in embeddings(model)]
            (HERE / "embeddings.json").write_text("[" + ",\n".join(rows) + "]\n")
        golden.append({"name": name, "tokens": tokens, "positions": POSITIONS,
                       "logits": [[round(x, 5) for x in logits[p].tolist()] for p in POSITIONS]})
        print(f"{name}: {path.stat().st_size} bytes, logits up to {logits.abs().max():.2f}")
    text = json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"').replace("],[", "],\n[")
    (HERE / "architectures.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
