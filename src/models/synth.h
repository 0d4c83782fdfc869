// Synthetic models: deterministic random weights in the shape of a real model, as a GGUF file.
//
// For tests and benchmarks that need a model of a certain size, type or architecture and do not
// care what it says. The same SynthSpec gives the same bytes on every x86-64 machine: the noise is
// made of integers, and nothing depends on the math library. Weights are noise of standard
// deviation 1 / sqrt(inputs), so that activations keep the size they have in a trained model. Files
// are streamed, one row at a time in memory. Not a converter and not a quantizer of real models.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/gguf_writer.h"
#include "tensor/dtype.h"

namespace hone::models {

// Things to be found in a synthetic model: what scans, diagnoses and experiments are tested with.
struct SynthPlants {
    // Every 8th weight of the matrices below the smallest normal number of their type (f32, f16,
    // bf16 only: quantized types have no such weights).
    bool denormals = false;
    // Every 4th block of 32 weights in a row of the matrices is 0.
    bool zero_blocks = false;
    // The last layer adds nothing: its two output projections are 0.
    bool zero_layer = false;
    // Layer 1 is layer 0 again, byte by byte.
    bool duplicate_layer = false;
    // The last quarter of the vocabulary has one row for all of its tokens.
    bool duplicate_rows = false;
};
// "denormals", "zero-blocks", "zero-layer", "duplicate-layer", "duplicate-rows"; otherwise
// invalid_argument.
base::Status add_plant(std::string_view name, SynthPlants& plants);

// The defaults are a model of about 1 million parameters that runs anywhere in no time.
struct SynthSpec {
    std::string architecture = "llama";
    uint32_t n_layers = 4;
    uint32_t n_embd = 128;
    uint32_t n_heads = 4;
    uint32_t n_kv_heads = 2;
    uint32_t head_dim = 0;  // 0: n_embd / n_heads
    uint32_t n_ff = 384;
    uint32_t n_vocab = 1024;
    uint32_t n_ctx = 2048;
    // Of the matrices; norms are always F32. Any type with tensor::can_quantize(). Where rows are
    // not whole blocks the type falls back as in llama-quantize: Q2_K, Q3_K, IQ4_XS to IQ4_NL, TQ
    // to Q4_0, Q4_K to Q5_0, Q5_K to Q5_1, Q6_K to Q8_0, and those to F16.
    tensor::DType type = tensor::DType::q8_0;
    // Of token_embd and output; empty: as `type`.
    std::optional<tensor::DType> embedding_type = std::nullopt;
    uint64_t seed = 1;
    bool tied_embeddings = true;
    // Positions that a windowed layer sees; 0: all layers are global.
    uint32_t sliding_window = 0;
    // n: layers n - 1, 2 n - 1, ... are global, the others windowed; 0: all are windowed.
    uint32_t sliding_window_pattern = 0;
    SynthPlants plants = {};
};

// Errors: unsupported (architecture), invalid_argument (a shape that no model can have), and those
// of GgufWriter::write. On error no file is left.
base::Status write_synth(const SynthSpec& spec, const std::string& path);

// The same before it is written, for tests that want the bytes.
base::Result<formats::GgufWriter> make_synth(const SynthSpec& spec);

}  // namespace hone::models
