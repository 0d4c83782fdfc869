#!/usr/bin/env python3
"""Writes architectures/*.gguf and architectures.json: tiny random models of every architecture that Hone runs, and
the logits that transformers computes for them.

Usage: python3 make_architectures.py      (needs `pip install torch transformers gguf`; made with 2.6.0, 4.57.6, 0.19.0)
Every weight is rounded to f16 before transformers sees it, so the files hold exactly what was computed with. Names,
metadata keys and the order of rows follow llama.cpp's converter: q and k rows of architecture llama are reordered for
rotation of adjacent pairs, Gemma's norms are stored with their 1, Llama 3's frequency factors become a tensor.
"""
import json
import pathlib

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
        yield gguf_name(name, GEMMA_NAMES if gemma else NAMES), data
    for name, parts in experts.items():
        yield name, numpy.stack([parts[i] for i in range(len(parts))])
    rope = getattr(config, "rope_scaling", None) or {}
    if rope.get("rope_type") == "llama3":
        dims = config.head_dim
        plain = 1.0 / config.rope_theta ** (numpy.arange(0, dims, 2) / dims)
        yield "rope_freqs.weight", (plain / model.model.rotary_emb.inv_freq.numpy()).astype(numpy.float32)


def write_gguf(model, architecture, extra, path):
    config = model.config
    writer = gguf.GGUFWriter(str(path), architecture)
    writer.add_name(path.stem)
    writer.add_block_count(config.num_hidden_layers)
    writer.add_context_length(config.max_position_embeddings)
    writer.add_embedding_length(config.hidden_size)
    writer.add_feed_forward_length(config.intermediate_size)
    writer.add_head_count(config.num_attention_heads)
    writer.add_head_count_kv(config.num_key_value_heads)
    head_dim = getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads
    writer.add_key_length(head_dim)
    writer.add_value_length(head_dim)
    writer.add_rope_freq_base(config.rope_theta)
    if hasattr(config, "rms_norm_eps"):
        writer.add_layer_norm_rms_eps(config.rms_norm_eps)
    else:
        writer.add_layer_norm_eps(config.layer_norm_eps)
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


def main():
    golden = []
    for seed, (name, architecture, config, extra) in enumerate(cases()):
        model = transformers.AutoModelForCausalLM.from_config(config, attn_implementation="eager").float().eval()
        randomize(model, seed)
        tokens = numpy.random.default_rng(seed).integers(0, VOCABULARY, TOKENS).tolist()
        with torch.no_grad():
            logits = model(torch.tensor([tokens]), use_cache=False).logits[0]
        path = HERE / "architectures" / f"{name}.gguf"
        write_gguf(model, architecture, extra, path)
        golden.append({"name": name, "tokens": tokens, "positions": POSITIONS,
                       "logits": [[round(x, 5) for x in logits[p].tolist()] for p in POSITIONS]})
        print(f"{name}: {path.stat().st_size} bytes, logits up to {logits.abs().max():.2f}")
    text = json.dumps(golden, separators=(",", ":")).replace('{"name"', '\n{"name"').replace("],[", "],\n[")
    (HERE / "architectures.json").write_text(text + "\n")


if __name__ == "__main__":
    main()
