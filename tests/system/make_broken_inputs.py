#!/usr/bin/env python3
"""Writes foreign inputs that are wrong beyond the container of a model file, and manifest.json that says how each ends.

make_broken_gguf.py breaks the bytes of GGUF itself. Here a model file is whole and its contents are wrong
(vocabulary, chat template, hyperparameters, weights, shards), or it is a directory, or the input is no model: run records, settings,
recipes, ledgers, files of prompts and of texts. The manifest is that of make_broken_gguf.py; nothing may be on standard
output either. Before them stand inputs without a fault, which must end with 0. Plain Python, no packages.

    make_broken_inputs.py DIRECTORY
"""
import json
import os
import pathlib
import shutil
import sqlite3
import struct
import sys

from make_broken_gguf import CORRUPT, EXHAUSTED, UNSUPPORTED, array, entry, tensor, text, u32, u64, write_manifest

OK, INVALID, NOT_FOUND = 0, 2, 3
WIDTH, FF, CONTEXT = 32, 64, 64
U32, I32, F32, BOOL, STRING, ARRAY = 4, 5, 6, 7, 8, 9


def strings(values):
    return array(STRING, len(values), b"".join(text(v) for v in values))


def numbers(values, type_id=I32):
    code = {U32: "I", I32: "i", F32: "f"}[type_id]
    return array(type_id, len(values), struct.pack(f"<{len(values)}{code}", *values))


def f32(value):
    return struct.pack("<f", value)


def byte_letters():
    """The 256 letters that stand for bytes in byte-level BPE (GPT-2)."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    return [chr(b) for b in plain] + [chr(256 + i) for i in range(256 - len(plain))]


class WholeModel:
    """A llama of one layer that runs; a case changes entries (name: type and bytes), tensors or shapes."""

    def __init__(self):
        self.tokens = [*byte_letters(), "th", "<s>", "</s>"]
        self.entries = {
            "general.architecture": (STRING, text("llama")),
            "llama.block_count": (U32, u32(1)), "llama.context_length": (U32, u32(CONTEXT)),
            "llama.embedding_length": (U32, u32(WIDTH)), "llama.feed_forward_length": (U32, u32(FF)),
            "llama.attention.head_count": (U32, u32(2)), "llama.attention.head_count_kv": (U32, u32(1)),
            "llama.attention.layer_norm_rms_epsilon": (F32, f32(1e-5)),
            "tokenizer.ggml.model": (STRING, text("gpt2")), "tokenizer.ggml.pre": (STRING, text("gpt-2")),
            "tokenizer.ggml.tokens": (ARRAY, strings(self.tokens)),
            "tokenizer.ggml.token_type": (ARRAY, numbers([1] * 257 + [3, 3])),
            "tokenizer.ggml.merges": (ARRAY, strings(["t h"])),
            "tokenizer.ggml.bos_token_id": (U32, u32(257)), "tokenizer.ggml.eos_token_id": (U32, u32(258)),
            "tokenizer.chat_template": (STRING, text("{{ messages[0]['content'] }}")),
        }
        self.shapes = {"token_embd.weight": [WIDTH, len(self.tokens)], "output_norm.weight": [WIDTH]}
        self.shapes |= {f"blk.0.{name}.weight": dims for name, dims in {
            "attn_norm": [WIDTH], "attn_q": [WIDTH, WIDTH], "attn_k": [WIDTH, 16], "attn_v": [WIDTH, 16],
            "attn_output": [WIDTH, WIDTH], "ffn_norm": [WIDTH], "ffn_gate": [WIDTH, FF], "ffn_up": [WIDTH, FF],
            "ffn_down": [FF, WIDTH]}.items()}
        self.types = {}

    def build(self, only=None):
        infos, data = [], b""
        for name, dims in self.shapes.items():
            if only is not None and name not in only:
                continue
            size = 4
            for dim in dims:
                size *= dim
            infos.append(tensor(name, dims, self.types.get(name, 0), len(data)))
            data += f32(0.5) * (size // 4)
            data += b"\0" * (-len(data) % 32)
        entries = [entry(key, kind, value) for key, (kind, value) in self.entries.items()]
        head = b"GGUF" + u32(3) + u64(len(infos)) + u64(len(entries)) + b"".join(entries) + b"".join(infos)
        return head + b"\0" * (-len(head) % 32) + data


RUN = ["run", "{}", "-p", "x", "-n", "1", "--raw"]
CHAT = ["run", "{}", "-p", "x", "-n", "1"]
TOKENIZE = ["tokenize", "{}"]


def vocabulary_cases():
    """name, code, message, changed entries (None: left out)."""
    tokens = WholeModel().tokens
    yield "no_tokens", CORRUPT, "tokenizer.ggml.tokens", {"tokens": None}
    yield "empty_vocabulary", CORRUPT, "0 tokens for an embedding of 259 rows", {"tokens": (ARRAY, strings([]))}
    yield "tokens_of_numbers", CORRUPT, "tokenizer.ggml.tokens", {"tokens": (ARRAY, numbers([1, 2]))}
    yield "tokens_are_text", CORRUPT, "tokenizer.ggml.tokens", {"tokens": (STRING, text("a b"))}
    yield "a_token_too_few", CORRUPT, "258 tokens for an embedding of 259 rows", {
        "tokens": (ARRAY, strings(tokens[:-1]))}
    yield "a_token_twice", CORRUPT, "appears twice", {"tokens": (ARRAY, strings([*tokens[:-1], tokens[5]]))}
    yield "a_token_of_17_kib", EXHAUSTED, "at most 16384", {
        "tokens": (ARRAY, strings([*tokens[:-1], "q" * 17 * 1024]))}
    yield "unknown_tokenizer", UNSUPPORTED, "tokenizer model 'rwkv'", {"model": (STRING, text("rwkv"))}
    yield "no_tokenizer", CORRUPT, "tokenizer.ggml.model", {"model": None}
    yield "tokenizer_is_a_number", CORRUPT, "tokenizer.ggml.model", {"model": (U32, u32(1))}
    yield "unknown_pretokenizer", UNSUPPORTED, "pre-tokenizer", {"pre": (STRING, text("frobnicate"))}
    yield "pretokenizer_with_escapes", UNSUPPORTED, "\\x1b", {"pre": (STRING, text("\x1b[31m\n"))}
    yield "types_too_few", CORRUPT, "1 token types for 259 tokens", {"token_type": (ARRAY, numbers([1]))}
    yield "types_of_floats", CORRUPT, "token_type", {"token_type": (ARRAY, numbers([1.0] * 259, F32))}
    yield "merges_are_text", CORRUPT, "merges", {"merges": (STRING, text("t h"))}
    yield "merges_of_numbers", CORRUPT, "merges", {"merges": (ARRAY, numbers([1]))}
    # An id outside of the vocabulary, and a flag that is none, count as none.
    yield "bos_outside", OK, "", {"bos_token_id": (U32, u32(259))}
    yield "eos_negative", OK, "", {"eos_token_id": (I32, struct.pack("<i", -5))}
    yield "eos_huge", OK, "", {"eos_token_id": (U32, u32(2**32 - 1))}
    yield "add_bos_is_text", OK, "", {"add_bos_token": (STRING, text("yes"))}
    yield "bos_asked_for_and_not_named", CORRUPT, "names none", {
        "bos_token_id": None, "add_bos_token": (BOOL, b"\1")}
    pieces = {"model": (STRING, text("t5")), "pre": None, "merges": None,
              "scores": (ARRAY, numbers([-1.0] * 259, F32)), "unknown_token_id": (U32, u32(256))}
    yield "scores_too_few", CORRUPT, "1 token scores for 259 tokens", {
        **pieces, "scores": (ARRAY, numbers([0.0], F32))}
    yield "scores_not_numbers", CORRUPT, "score", {
        **pieces, "scores": (ARRAY, numbers([float("nan")] * 259, F32))}
    yield "normalizer_of_one_byte", CORRUPT, "a normalizer of 1 bytes", {
        **pieces, "precompiled_charsmap": (ARRAY, array(0, 1, b"\x05"))}
    yield "normalizer_beyond_itself", CORRUPT, "is not in its 4 bytes", {
        **pieces, "precompiled_charsmap": (ARRAY, array(0, 8, u32(2**32 - 1) + u32(0)))}


def template_cases():
    """name, code, message, template."""
    for name, message, source in (
            ("never_closed", "the tag is not closed", "{{ 'a'"), ("unknown_tag", "at 'frob'", "{% frob %}"),
            ("for_without_end", "missing 'endfor'", "{% for m in messages %}a"),
            ("end_without_for", "at 'endfor'", "a{% endfor %}"),
            ("a_string_never_closed", "the string is not closed", "{{ 'abc }}"),
            ("unknown_filter", "unknown filter 'launder'", "{{ messages | launder }}"),
            ("unknown_function", "'open' is not a function", "{{ open('secret') }}"),
            ("include", "at 'include'", "{% include 'secret' %}"), ("import", "at 'import'", "{% import 'os' as os %}"),
            ("host_attributes", "no attribute", "{{ messages.__class__.__mro__[1].__subclasses__() }}"),
            ("deep_parentheses", "nested too deep", "{{ " + "(" * 60000 + "1" + ")" * 60000 + " }}"),
            ("deep_ifs", "nested too deep", "{% if true %}" * 5000 + "{% endif %}" * 5000),
            ("it_refuses", "roles must alternate", "{{ raise_exception('roles must alternate') }}"),
            ("divided_by_zero", "division by zero", "{{ 1 // 0 }}"),
            ("called_with_too_much", "expected a string", "{{ messages[0]['content'].strip(1, 2, 3, 4) }}")):
        yield name, INVALID, message, source
    for name, message, source in (
            ("endless", "a range of more than", "{% for i in range(1000000000) %}{{ i }}{% endfor %}"),
            ("nested_loops", "steps", "{% for a in range(99999) %}{% for b in range(99999) %}{% endfor %}{% endfor %}"),
            ("doubling", "a text of more than", "{% set n = namespace(t='aaaaaaaa') %}{% for i in range(60) %}"
             "{% set n.t = n.t + n.t %}{% endfor %}"),
            ("a_gigabyte_of_text", "too large", "{{ 'a' * 1000000000 }}"),
            ("recursive_macro", "nested too deep", "{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}")):
        yield name, EXHAUSTED, message, source


def hyperparameter_cases():
    """name, code, message, changed entries of llama.*."""
    for name, key, bad in (("no_layers", "block_count", 0), ("layers_max", "block_count", 2**32 - 1),
                           ("no_width", "embedding_length", 0), ("width_max", "embedding_length", 2**31),
                           ("no_heads", "attention.head_count", 0), ("heads_max", "attention.head_count", 2**20),
                           ("no_feed_forward", "feed_forward_length", 0), ("no_context", "context_length", 0),
                           ("context_max", "context_length", 2**31), ("window_max", "attention.sliding_window", 2**31)):
        yield name, CORRUPT, f"llama.{key} is {bad}", {key: (U32, u32(bad))}
    yield "three_kv_heads_for_two", CORRUPT, "head_count_kv is 3", {"attention.head_count_kv": (U32, u32(3))}
    yield "head_of_8", UNSUPPORTED, "head dims 8", {"attention.head_count": (U32, u32(4))}
    yield "layers_are_text", CORRUPT, "llama.block_count", {"block_count": (STRING, text("1"))}
    yield "layers_missing", CORRUPT, "llama.block_count", {"block_count": None}
    yield "more_layers_than_tensors", CORRUPT, "'blk.1.attn_norm.weight' is missing", {"block_count": (U32, u32(2))}
    yield "epsilon_not_a_number", CORRUPT, "norm epsilon", {
        "attention.layer_norm_rms_epsilon": (F32, f32(float("nan")))}
    yield "epsilon_negative", CORRUPT, "norm epsilon -1", {"attention.layer_norm_rms_epsilon": (F32, f32(-1))}
    yield "base_0", CORRUPT, "rope.freq_base is 0", {"rope.freq_base": (F32, f32(0))}
    yield "base_infinite", CORRUPT, "rope.freq_base is inf", {"rope.freq_base": (F32, f32(float("inf")))}
    yield "odd_rotation", CORRUPT, "odd rope dimension", {"rope.dimension_count": (U32, u32(5))}
    yield "unknown_scaling", UNSUPPORTED, "rope scaling 'su'", {"rope.scaling.type": (STRING, text("su"))}
    yield "experts", UNSUPPORTED, "mixtures of experts", {"expert_count": (U32, u32(4))}


def tensor_cases():
    """name, code, message, what is done to the model."""
    def dims(name, value):
        return lambda model: model.shapes.update({name: value})

    def kind(name, value):
        return lambda model: model.types.update({name: value})
    def without(name):
        return lambda model: model.shapes.pop(name)
    for name in ("blk.0.ffn_down.weight", "token_embd.weight"):
        yield f"without_{name}", CORRUPT, f"'{name}' is missing", without(name)
    yield "tensor_too_narrow", CORRUPT, "is 16 x 16, expected 16 x 32", dims("blk.0.attn_k.weight", [16, 16])
    yield "tensor_turned", CORRUPT, "expected 64 x 32", dims("blk.0.ffn_up.weight", [FF, WIDTH])
    yield "tensor_of_three_dims", CORRUPT, "blk.0.ffn_up.weight", dims("blk.0.ffn_up.weight", [WIDTH, 32, 2])
    yield "norm_too_long", CORRUPT, "output_norm.weight", dims("output_norm.weight", [WIDTH + 1])
    yield "an_adapter", UNSUPPORTED, "has no place", dims("blk.0.attn_q.lora_a", [WIDTH, 4])
    yield "weights_of_whole_numbers", UNSUPPORTED, "I8", kind("blk.0.ffn_up.weight", 24)
    yield "unknown_weight_type", UNSUPPORTED, "blk.0.ffn_up.weight", kind("blk.0.ffn_up.weight", 200)


def write(directory, name, data):
    path = os.path.join(directory, name)
    with open(path, "wb") as out:
        out.write(data if isinstance(data, bytes) else data.encode())
    return path


def model_cases(directory):
    def case(name, code, message, data, commands):
        path = write(directory, name + ".gguf", data)
        return name, code, message, [[part.replace("{}", path) for part in command] for command in commands]

    def changed(prefix, changes):
        """The whole model with entries of that prefix replaced; None takes one away."""
        model = WholeModel()
        model.entries.update({prefix + key: value for key, value in changes.items()})
        model.entries = {key: value for key, value in model.entries.items() if value is not None}
        return model.build()

    yield case("whole_model", OK, "", WholeModel().build(), [RUN, CHAT, TOKENIZE])
    for name, code, message, changes in vocabulary_cases():
        yield case("vocabulary_" + name, code, message, changed("tokenizer.ggml.", changes), [RUN, TOKENIZE])
    for name, code, message, source in template_cases():
        model = WholeModel()
        model.entries["tokenizer.chat_template"] = (STRING, text(source))
        yield case("template_" + name, code, message, model.build(), [CHAT])
    for name, code, message, changes in hyperparameter_cases():
        yield case("model_" + name, code, message, changed("llama.", changes), [RUN, TOKENIZE])
    for name, code, message, change in tensor_cases():
        model = WholeModel()
        change(model)
        yield case("model_" + name, code, message, model.build(), [RUN])


def shard_cases(directory):
    """Two shards of the whole model, one of them wrong."""
    names = list(WholeModel().shapes)

    def shards(name, first=None, second=None, second_tensors=None, second_file=True):
        for number, own in ((0, first or {}), (1, second or {})):
            model = WholeModel()
            entries = model.entries if number == 0 else {
                "general.architecture": model.entries["general.architecture"]}
            kind = 2  # u16
            entries |= {"split.no": (kind, struct.pack("<H", number)), "split.count": (kind, struct.pack("<H", 2)),
                        "split.tensors.count": (I32, struct.pack("<i", len(names)))}
            entries |= own
            model.entries = entries
            tensors = names[:5] if number == 0 else second_tensors or names[5:]
            path = os.path.join(directory, f"shards_{name}-{number + 1:05}-of-00002.gguf")
            if number == 0 or second_file:
                write(directory, os.path.basename(path), model.build(tensors))
        first_path = os.path.join(directory, f"shards_{name}-00001-of-00002.gguf")
        return [[part.replace("{}", first_path) for part in command] for command in (RUN, TOKENIZE)]

    u16 = lambda value: (2, struct.pack("<H", value))
    yield "shards_whole", OK, "", shards("whole")
    yield "shard_missing", NOT_FOUND, "shard 2 of 2", shards("missing", second_file=False)
    yield "shard_of_another_number", CORRUPT, "says that it is shard", shards("number", second={"split.no": u16(0)})
    yield "shard_of_another_count", CORRUPT, "says that it is shard", shards("count", second={"split.count": u16(3)})
    yield "shards_too_many", EXHAUSTED, "65535 shards", shards("many", first={"split.count": u16(65535)})
    yield "shards_with_a_tensor_twice", CORRUPT, "twice", shards("twice", second_tensors=names[4:])
    yield "shards_with_a_tensor_too_few", CORRUPT, "expected 11", shards("few", second_tensors=names[6:])


def directory_cases(directory):
    """The golden checkpoint of a decoder as a directory, one of its files wrong."""
    golden = pathlib.Path(__file__).resolve().parent.parent / "golden" / "checkpoints" / "qwen2"
    weights = (golden / "model.safetensors").read_bytes()
    length = struct.unpack("<Q", weights[:8])[0]
    header = json.loads(weights[8:8 + length])

    def made(name, file=None, content=None):
        path = pathlib.Path(directory, "directory_" + name)
        shutil.copytree(golden, path)
        if file:
            (path / file).unlink()
            if content is not None:
                (path / file).write_bytes(content)
        return [[part.replace("{}", str(path)) for part in command] for command in (RUN, TOKENIZE)]

    def tensors(name, change):
        own = json.loads(json.dumps(header))
        change(own)
        text = json.dumps(own).encode()
        return made(name, "model.safetensors", struct.pack("<Q", len(text)) + text + weights[8 + length:])

    def replaced(name, file, old, new):
        content = (golden / file).read_text()
        assert old in content, (file, old)
        return made(name, file, content.replace(old, new).encode())

    norm = "model.norm.weight"
    end = header[norm]["data_offsets"][1]
    yield "directory_whole", OK, "", made("whole")
    yield "directory_without_config", NOT_FOUND, "config.json", made("config", "config.json")
    yield "directory_without_weights", NOT_FOUND, "without model.safetensors", made("weights", "model.safetensors")
    yield "directory_without_tokenizer", NOT_FOUND, "tokenizer.json", made("tokenizer", "tokenizer.json")
    yield "directory_of_another_model", UNSUPPORTED, "supported: bert", replaced(
        "model", "config.json", '"model_type": "qwen2"', '"model_type": "gpt_neox"')
    yield "directory_config_is_no_json", CORRUPT, "config.json: not valid JSON", made("json", "config.json", b"{")
    yield "directory_tokenizer_of_another_kind", UNSUPPORTED, "'Unigram'", replaced(
        "kind", "tokenizer.json", '"type": "BPE"', '"type": "Unigram"')
    yield "directory_token_id_over_the_limit", EXHAUSTED, "token id", replaced(
        "ids", "tokenizer.json", '"id": 1,', '"id": 4294967295,')
    yield "safetensors_empty", CORRUPT, "", made("empty", "model.safetensors", b"")
    yield "safetensors_header_over_the_file", CORRUPT, "claims 18446744073709551615 bytes", made(
        "header", "model.safetensors", b"\xff" * 8 + weights[8:])
    yield "safetensors_cut", CORRUPT, "of", made("cut", "model.safetensors", weights[:-1])
    yield "safetensors_longer", CORRUPT, "belong to no tensor", made("longer", "model.safetensors", weights + b"x")
    yield "safetensors_offset_wraps", CORRUPT, norm, tensors(
        "wraps", lambda h: h[norm].update(data_offsets=[end, 2 ** 64 - 1]))
    yield "safetensors_overlap", CORRUPT, "", tensors(
        "overlap", lambda h: h[norm].update(data_offsets=[0, end - header[norm]["data_offsets"][0]]))
    yield "safetensors_shape_wraps", CORRUPT, norm, tensors("shape", lambda h: h[norm].update(shape=[2 ** 32, 2 ** 32]))
    yield "safetensors_unknown_type", UNSUPPORTED, "'Q4'", tensors("type", lambda h: h[norm].update(dtype="Q4"))
    yield "safetensors_tensor_of_no_use", UNSUPPORTED, "has no place", tensors(
        "place", lambda h: h.update({"model.adapter.weight": h.pop(norm)}))
    yield "safetensors_other_shape", CORRUPT, "output_norm.weight", tensors(
        "other", lambda h: h[norm].update(shape=[1, *h[norm]["shape"][:-1], h[norm]["shape"][-1] // 2, 2]))


def record_cases(directory):
    record = {"schema": 1}
    for name, code, message, data in (
            ("empty", CORRUPT, "", b""), ("not_json", CORRUPT, "", b"GGUF"),
            ("cut", CORRUPT, "", b'{"schema": 1, "con'),
            ("a_list", CORRUPT, "", b"[]"), ("a_number", CORRUPT, "", b"7"), ("no_schema", CORRUPT, "", b"{}"),
            ("schema_0", CORRUPT, "schema", b'{"schema": 0}'), ("schema_text", CORRUPT, "schema", b'{"schema": "1"}'),
            ("schema_newer", UNSUPPORTED, "schema", b'{"schema": 1000000}'),
            ("deep", EXHAUSTED, "nested deeper", b"[" * 100000 + b"]" * 100000),
            ("nul", CORRUPT, "", b'{"schema": 1\0}'),
            ("not_utf8", CORRUPT, "", b'{"schema": 1, "producer": "\xff\xfe"}'),
            ("nodes_are_text", CORRUPT, "nodes", json.dumps({**record, "nodes": "none"}).encode()),
            ("operators_of_no_node", CORRUPT, "", json.dumps({**record, "operators": [{"node": 7}]}).encode()),
            ("too_large", EXHAUSTED, "", b'{"schema": 1, "x": "' + b"a" * (6 << 20) + b'"}'),
            ("too_many_keys", EXHAUSTED, "more than 2048 keys",
             json.dumps({f"k{i}": i for i in range(5000)}).encode())):
        path = write(directory, f"record_{name}.json", data)
        yield "record_" + name, code, message, [["explain", "--from", path], ["compare", path, path]]


def settings_cases(directory, model):
    for name, code, message, data in (
            ("not_toml", CORRUPT, "line 1", "schema = = 1\n"),
            ("no_schema", INVALID, "schema", "[session]\nthreads = 1\n"),
            ("schema_newer", UNSUPPORTED, "schema 9", "schema = 9\n"),
            ("schema_text", INVALID, "schema", 'schema = "1"\n'),
            ("unknown_key", INVALID, "no such setting", "schema = 1\n[session]\nthread = 1\n"),
            ("unknown_table", INVALID, "expected schema and", "schema = 1\n[sesion]\nthreads = 1\n"),
            ("threads_text", INVALID, "session.threads", 'schema = 1\n[session]\nthreads = "two"\n'),
            ("threads_max", INVALID, "threads", "schema = 1\n[session]\nthreads = 9223372036854775807\n"),
            ("pin_number", INVALID, "session.pin", "schema = 1\n[session]\npin = 1\n"),
            ("unknown_isa", INVALID, "isa", 'schema = 1\n[session]\nisa = "sse9"\n'),
            ("unknown_pass", INVALID, "", 'schema = 1\n[session]\nwithout = ["make_it_fast"]\n'),
            ("variant_without_name", INVALID, "FAMILY=NAME", 'schema = 1\n[session]\nvariants = ["linear"]\n'),
            ("too_large", EXHAUSTED, "bytes", "# " + "a" * (2 << 20) + "\n"),
            ("escapes", CORRUPT, "line", "schema = 1\n\x1b[31m = 2\n")):
        path = write(directory, f"settings_{name}.toml", data)
        yield "settings_" + name, code, message, [["run", model, "--config", path, "-p", "x", "-n", "1", "--raw"]]


RECIPE = {"schema": 1, "scenario": "realtime", "gate": "ppl:+1%", "steps": []}


def recipe_cases(directory, model):
    for name, code, message, data in (
            ("empty", CORRUPT, "", ""), ("not_json", CORRUPT, "", "{"), ("a_list", CORRUPT, "", "[]"),
            ("schema_newer", UNSUPPORTED, "schema", '{"schema": 1000}'),
            ("no_scenario", CORRUPT, "$.scenario: missing", '{"schema": 1}'),
            ("steps_are_text", CORRUPT, "$.steps", json.dumps({**RECIPE, "steps": "all"})),
            ("unknown_action", UNSUPPORTED, "'pray'", json.dumps({**RECIPE, "steps": [{"action": "pray"}]})),
            ("action_with_escapes", UNSUPPORTED, "\\x1b", json.dumps({**RECIPE, "steps": [{"action": "\x1b[31m"}]})),
            ("too_many_steps", EXHAUSTED, "steps", json.dumps({**RECIPE, "steps": [{"action": "threads=1"}] * 300}))):
        path = write(directory, f"recipe_{name}.json", data)
        ledger = os.path.join(directory, "never_made.db")
        yield "recipe_" + name, code, message, [["apply", path, model, "--ledger", ledger]]


def ledger_cases(directory):
    def database(name, statements):
        path = os.path.join(directory, name)
        connection = sqlite3.connect(path)
        for statement in statements:
            connection.execute(statement)
        connection.commit()
        connection.close()
        return path

    other = database("other.db", ["create table songs(name text)"])
    yield "ledger_of_another_program", CORRUPT, "another program", [["history", "--ledger", other]]
    yield "ledger_of_text", CORRUPT, "", [["history", "--ledger", write(directory, "text.db", "no database\n" * 500)]]
    with open(other, "rb") as whole:
        half = whole.read()[:1000]
    yield "ledger_cut", CORRUPT, "", [["history", "--ledger", write(directory, "cut.db", half)]]
    yield "ledger_missing", NOT_FOUND, "no ledger yet", [["history", "--ledger", os.path.join(directory, "none.db")]]


def prompt_cases(directory, model):
    for name, code, message, data in (
            ("empty", INVALID, "no prompts", ""), ("not_json", CORRUPT, "line 1: not valid JSON", "hello\n"),
            ("a_number", CORRUPT, "line 1: neither", "7\n"),
            ("no_text", CORRUPT, "line 1: neither", '{"prompt": "x"}\n'),
            ("token_outside", INVALID, "has token 100000", '{"tokens": [5, 100000]}\n'),
            ("token_negative", CORRUPT, "-1 is no token id", '{"tokens": [-1]}\n'),
            ("token_of_half", CORRUPT, "0.5 is no token id", '{"tokens": [0.5]}\n'),
            ("no_tokens", CORRUPT, "line 1: neither", '{"tokens": []}\n'),
            ("deep", EXHAUSTED, "nested deeper", "[" * 100000 + "\n")):
        path = write(directory, f"prompts_{name}.jsonl", data)
        yield "prompts_" + name, code, message, [["explain", model, "--prompts", path, "--budget", "1"]]
    yield "embed_of_a_decoder", UNSUPPORTED, "generates text", [["embed", model, "-p", "x"]]
    yield "embed_of_nothing", INVALID, "no text", [["embed", model]]


def main(directory):
    os.makedirs(directory, exist_ok=True)
    model = write(directory, "model.gguf", WholeModel().build())
    cases = [*model_cases(directory), *shard_cases(directory),
             *directory_cases(directory), *record_cases(directory),
             *settings_cases(directory, model), *recipe_cases(directory, model), *ledger_cases(directory),
             *prompt_cases(directory, model)]
    write_manifest(directory, cases)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
