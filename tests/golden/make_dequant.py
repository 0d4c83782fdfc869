#!/usr/bin/env python3
"""Writes dequant.bin: random blocks of every block type and the floats that they stand for.

The floats come from the `gguf` Python package (needs numpy), which is independent of Hone's codec.
Run in a virtual environment with `pip install gguf`:

    python3 tests/golden/make_dequant.py tests/golden/dequant.bin

File layout, little endian: for each type a record of
    8 bytes   type name, padded with NUL
    u32       block count
    blocks    as in GGUF
    floats    f32, one per element
"""
import struct
import sys

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize

BLOCKS = 3

# Byte offsets of the half-precision scales inside a block: random bits there could be NaN, whose
# payload is not part of the contract, so they are drawn as finite numbers instead.
HALF_FIELDS = {
    "F16": [0], "BF16": [], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q8_0": [0],
    "Q4_K": [0, 2], "Q6_K": [208], "Q5_1": [0, 2], "Q2_K": [80, 82], "Q3_K": [108], "Q5_K": [0, 2],
    "IQ1_S": [0], "IQ1_M": [], "IQ2_XXS": [0], "IQ2_XS": [0], "IQ2_S": [0], "IQ3_XXS": [0], "IQ3_S": [0],
    "IQ4_NL": [0], "IQ4_XS": [0], "TQ1_0": [52], "TQ2_0": [64], "MXFP4": [], "F64": [],
}


def make_blocks(rng, name, block_bytes):
    raw = rng.integers(0, 256, size=(BLOCKS, block_bytes), dtype=np.uint8)
    if name == "BF16":
        raw[:, 1] &= 0xBF
    if name == "MXFP4":
        raw[:2, 0] = [0, 1]  # the exponents whose scales are subnormal floats
    if name == "F64":
        raw = rng.normal(0, 1, size=(BLOCKS, 1)).view(np.uint8)
    if name == "IQ1_M":
        # The scale's nibbles are the top ones of four 16-bit words.
        scales = rng.normal(0, 1, size=BLOCKS).astype(np.float16)
        scales[0] = np.float16(3e-6)
        for i in range(4):
            nibble = (scales.view(np.uint16) >> (4 * i) & 15).astype(np.uint8)
            raw[:, 49 + 2 * i] = raw[:, 49 + 2 * i] & 15 | nibble << 4
    for offset in HALF_FIELDS[name]:
        scales = rng.normal(0, 1, size=BLOCKS).astype(np.float16)
        # One block of each type has a subnormal scale.
        scales[0] = np.float16(3e-6)
        raw[:, offset:offset + 2] = scales.view(np.uint8).reshape(BLOCKS, 2)
    return raw


def floats_of(raw, name, dtype):
    if name == "F64":
        return raw.view(np.float64).astype(np.float32)
    return dequantize(raw.view(np.float16) if name == "F16" else raw, dtype)


def main(path):
    rng = np.random.default_rng(20240601)
    with open(path, "wb") as out:
        for name in HALF_FIELDS:
            dtype = GGMLQuantizationType[name]
            block_elements, block_bytes = GGML_QUANT_SIZES[dtype]
            raw = make_blocks(rng, name, block_bytes)
            values = floats_of(raw, name, dtype)
            values = np.ascontiguousarray(values, dtype="<f4")
            assert values.size == BLOCKS * block_elements, name
            out.write(struct.pack("<8sI", name.encode(), BLOCKS))
            out.write(raw.tobytes())
            out.write(values.tobytes())


if __name__ == "__main__":
    main(sys.argv[1])
