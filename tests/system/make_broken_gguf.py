#!/usr/bin/env python3
"""Writes broken GGUF files and manifest.json into a directory, for tests of the command line.

Each file is a small valid model file with one thing wrong. The manifest is a list of {"name",
"expected_exit_code", "message", "commands"}: each command must end with that code (docs/exit-codes.md)
and one line of error that contains the message. Plain Python, no packages.

    make_broken_gguf.py DIRECTORY
"""
import json
import os
import struct
import sys

UNSUPPORTED, CORRUPT, EXHAUSTED = 4, 5, 6
U64_MAX = 2**64 - 1


def u32(value):
    return struct.pack("<I", value)


def u64(value):
    return struct.pack("<Q", value)


def text(value):
    data = value if isinstance(value, bytes) else value.encode()
    return u64(len(data)) + data


def entry(key, type_id, value):
    return text(key) + u32(type_id) + value


def array(type_id, count, elements):
    return u32(type_id) + u64(count) + elements


def tensor(name, dims, type_id, offset):
    return text(name) + u32(len(dims)) + b"".join(map(u64, dims)) + u32(type_id) + u64(offset)


class Model:
    """The valid file, in parts that a case may replace."""

    def __init__(self):
        self.magic = b"GGUF"
        self.version = 3
        self.tensor_count = None
        self.entry_count = None
        self.entries = [
            entry("general.architecture", 8, text("llama")),
            entry("llama.block_count", 4, u32(1)),
            entry("tokenizer.ggml.tokens", 9, array(8, 2, text("a") + text("bc"))),
        ]
        # F32 {4, 2}: 32 bytes at 0. Q8_0 {32}: 34 bytes at 32.
        self.tensors = [tensor("a.weight", [4, 2], 0, 0), tensor("b.weight", [32], 8, 32)]
        self.data = b"\x5a" * 66

    def build(self):
        tensors = len(self.tensors) if self.tensor_count is None else self.tensor_count
        entries = len(self.entries) if self.entry_count is None else self.entry_count
        head = self.magic + u32(self.version) + u64(tensors) + u64(entries)
        head += b"".join(self.entries) + b"".join(self.tensors)
        return head + b"\0" * (-len(head) % 32) + self.data


def raw_cases():
    good = Model().build()
    yield "empty", CORRUPT, "empty", b""
    yield "one_byte", CORRUPT, "the file ends at byte 1", b"G"
    yield "only_magic", CORRUPT, "inside the version", b"GGUF"
    yield "only_version", CORRUPT, "inside the counts", good[:8]
    yield "half_header", CORRUPT, "inside the counts", good[:20]
    yield "cut_in_counts_of_entries", CORRUPT, "claims 3 metadata entries", good[:40]
    yield "cut_in_key", CORRUPT, "metadata entry 1: key", good[:92]
    yield "cut_in_value", CORRUPT, "'llama.block_count'", good[:100]
    yield "cut_in_tokens", CORRUPT, "tokenizer.ggml.tokens", good[:160]
    yield "cut_in_tensor_info", CORRUPT, "tensor", good[:200]
    yield "cut_before_data", CORRUPT, "a.weight", good[:-66]
    yield "cut_in_data", CORRUPT, "b.weight", good[:-1]
    yield "text_file", CORRUPT, "not a GGUF file", b"This is not a model.\n" * 10
    yield "zeros", CORRUPT, "not a GGUF file", b"\0" * 4096
    yield "gzip", CORRUPT, "not a GGUF file", b"\x1f\x8b\x08" + b"\0" * 100


def field_cases():
    for name, magic in (("old_ggml", b"ggml"), ("lower_case", b"gguf"), ("safetensors", b"\x80\0\0\0")):
        yield name, CORRUPT, "not a GGUF file", {"magic": magic}
    for version in (0, 1, 4, 2**32 - 1):
        yield f"version_{version}", UNSUPPORTED, f"GGUF version {version}", {"version": version}
    yield "big_endian", UNSUPPORTED, "big endian", {"version": 0x03000000}
    for count in (2**31, 2**32 - 1, 2**63, U64_MAX):
        yield f"tensors_{count}", CORRUPT, f"claims {count} tensors", {"tensor_count": count}
        yield (f"entries_{count}", CORRUPT, f"claims {count} metadata entries",
               {"entry_count": count})
    yield ("entries_above_limit", EXHAUSTED, "65537 metadata entries",
           {"entry_count": 65537, "data": b"\0" * (14 * 65537)})
    yield "one_tensor_too_many", CORRUPT, "", {"tensor_count": 3}
    yield "one_entry_too_many", CORRUPT, "", {"entry_count": 4}
    yield "no_data", CORRUPT, "data ends at byte", {"data": b""}


def entry_cases():
    yield "empty_key", CORRUPT, "empty key", entry("", 4, u32(1))
    yield "key_beyond_file", CORRUPT, "metadata entry 3: key of", u64(U64_MAX)
    yield "key_too_long", EXHAUSTED, "key of 65536 bytes", entry("k" * 65536, 4, u32(1))
    yield "duplicate_key", CORRUPT, "appears twice", entry("llama.block_count", 4, u32(1))
    yield "value_type_13", CORRUPT, "value type 13", entry("k", 13, u32(1))
    yield "bool_of_2", CORRUPT, "a bool of value 2", entry("k", 7, b"\2")
    yield "string_beyond_file", CORRUPT, "string of", entry("k", 8, u64(2**63))
    yield "array_of_arrays", UNSUPPORTED, "array of arrays", entry(
        "k", 9, array(9, 1, array(4, 1, u32(1))))
    yield "array_of_type_77", CORRUPT, "element type 77", entry("k", 9, array(77, 1, u32(1)))
    yield "array_count_max", CORRUPT, "claims", entry("k", 9, array(4, U64_MAX, u32(1)))
    yield "array_count_wraps", CORRUPT, "claims", entry("k", 9, array(4, 2**62 + 1, u32(1)))
    yield "string_array_count", CORRUPT, "claims", entry("k", 9, array(8, 2**32, b""))
    yield "escape_in_key", CORRUPT, "\\x1b", entry("a\x1b[31m\nb", 13, u32(1))
    for alignment in (0, 1, 7, 33, 131072, 2**31, 2**32 - 1):
        yield (f"alignment_{alignment}", CORRUPT, "not a power of two",
               entry("general.alignment", 4, u32(alignment)))
    yield "alignment_string", CORRUPT, "must be u32", entry("general.alignment", 8, text("32"))


def tensor_cases():
    yield "empty_name", CORRUPT, "empty name", tensor("", [32], 8, 32)
    yield "name_too_long", EXHAUSTED, "name of 1025", tensor("n" * 1025, [32], 8, 32)
    yield "duplicate_tensor", CORRUPT, "appears twice", tensor("a.weight", [32], 8, 32)
    yield "rank_0", CORRUPT, "rank 0", tensor("b", [], 8, 32)
    yield "rank_5", CORRUPT, "rank 5", tensor("b", [32, 1, 1, 1, 1], 8, 32)
    yield "rank_max", CORRUPT, "rank 4294967295", text("b") + u32(2**32 - 1)
    yield "zero_dimension", CORRUPT, "dimension 1 is zero", tensor("b", [32, 0], 8, 32)
    yield "elements_wrap", CORRUPT, "wraps", tensor("b", [2**32, 2**32], 8, 32)
    yield "elements_wrap_four", CORRUPT, "wraps", tensor("b", [65536] * 4, 8, 32)
    yield "bytes_wrap", CORRUPT, "wraps", tensor("b", [2**62], 0, 32)
    yield "not_whole_blocks", CORRUPT, "not whole Q8_0 blocks", tensor("b", [33], 8, 32)
    yield "offset_unaligned", CORRUPT, "not a multiple", tensor("b", [32], 8, 33)
    yield "offset_wraps", CORRUPT, "wraps", tensor("b", [32], 8, U64_MAX - 31)
    yield "offset_beyond_file", CORRUPT, "data ends at byte", tensor("b", [32], 8, 2**40)
    yield "size_beyond_file", CORRUPT, "data ends at byte", tensor("b", [32, 1000], 8, 32)
    yield "overlap", CORRUPT, "overlaps", tensor("b", [32], 8, 0)


def all_cases():
    yield from raw_cases()
    for name, code, message, fields in field_cases():
        model = Model()
        for field, value in fields.items():
            setattr(model, field, value)
        yield name, code, message, model.build()
    for name, code, message, bad_entry in entry_cases():
        model = Model()
        model.entries.append(bad_entry)
        yield name, code, message, model.build()
    for name, code, message, bad_tensor in tensor_cases():
        model = Model()
        model.tensors[1] = bad_tensor
        yield name, code, message, model.build()


def write_manifest(directory, cases):
    """Cases are (name, exit code, message, commands)."""
    keys = ("name", "expected_exit_code", "message", "commands")
    manifest = [dict(zip(keys, case, strict=True)) for case in cases]
    assert len({case["name"] for case in manifest}) == len(manifest) >= 40
    with open(os.path.join(directory, "manifest.json"), "w", encoding="utf-8") as out:
        json.dump(manifest, out, indent=1)


def main(directory):
    os.makedirs(directory, exist_ok=True)
    cases = []
    for name, code, message, data in all_cases():
        path = os.path.join(directory, name + ".gguf")
        with open(path, "wb") as out:
            out.write(data)
        commands = [["tokenize", path], ["run", path, "-p", "x", "-n", "1", "--raw"]]
        cases.append((name + ".gguf", code, message, commands))
    write_manifest(directory, cases)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main(sys.argv[1])
