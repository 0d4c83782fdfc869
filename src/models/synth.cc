#include "models/synth.h"

#include <cmath>
#include <memory>
#include <utility>
#include <vector>

#include "base/random.h"
#include "models/synth_vocabulary.h"
#include "tensor/codec.h"

namespace hone::models {

namespace {

using base::ErrorCode;
using base::fail;
using base::Status;
using formats::GgufWriter;
using tensor::DType;

constexpr uint32_t kLayersMax = 1024;
constexpr uint32_t kHeadsMax = 1024;
constexpr uint32_t kWidthMax = 1u << 20;
constexpr uint32_t kContextMax = 1u << 24;
constexpr float kRopeBase = 10000.0f;
constexpr float kRmsEpsilon = 1e-5f;
// How far norm weights stray from 1.
constexpr float kNormSpread = 0.1f;

// Noise of variance 1: the sum of four uniform 16-bit numbers (Irwin-Hall), centred. Its tails end
// at 3.5 sigma, which suits quantized blocks, and it costs one draw and no transcendental function.
float noise(base::Random& random) {
    constexpr float kMean = 4 * 32767.5f;
    constexpr float kDeviation = 37837.2258f;  // sqrt(4 * (65536^2 - 1) / 12)
    const uint64_t bits = random.next_u64();
    const auto sum = static_cast<uint32_t>((bits & 0xffff) + (bits >> 16 & 0xffff) +
                                           (bits >> 32 & 0xffff) + (bits >> 48));
    return (static_cast<float>(sum) - kMean) / kDeviation;
}

struct Fill {
    DType dtype;
    uint64_t columns;
    float mean;
    float deviation;
    uint64_t seed;
    bool denormals = false;
    bool zero_blocks = false;
    bool zero = false;
    uint64_t same_rows_from = UINT64_MAX;  // the rows from here on are one row
};

constexpr uint64_t kDenormalEvery = 8;
constexpr uint64_t kZeroBlockEvery = 4;
constexpr uint64_t kZeroBlockElements = 32;

// Below the smallest normal number, and not 0, in the type itself.
float denormal_of(DType dtype, float value) {
    const float magnitude = dtype == DType::f16 ? 0x1p-18f : 0x1p-130f;
    return value < 0 ? -magnitude : magnitude;
}

void plant(const Fill& fill, std::vector<float>& row) {
    for (uint64_t i = 0; i < row.size(); ++i) {
        const bool zero_block =
            fill.zero_blocks && i / kZeroBlockElements % kZeroBlockEvery == kZeroBlockEvery - 1;
        if (fill.zero || zero_block) {
            row[i] = 0;
        } else if (fill.denormals && i % kDenormalEvery == 0) {
            row[i] = denormal_of(fill.dtype, row[i]);
        }
    }
}

// A source draws its tensor from its own generator, begun anew at offset 0, so that a tensor's
// bytes depend on its seed only and a writer can be run twice.
formats::TensorSource noise_source(const Fill& fill) {
    const auto random = std::make_shared<base::Random>(fill.seed);
    return [fill, random](uint64_t offset, std::span<std::byte> out) -> Status {
        if (offset == 0) *random = base::Random(fill.seed);
        std::vector<float> row(fill.columns);
        const uint64_t row_bytes = *tensor::row_bytes(fill.dtype, fill.columns);
        for (uint64_t at = 0; at < out.size(); at += row_bytes) {
            // Rows that are to be one start from one state.
            if ((offset + at) / row_bytes >= fill.same_rows_from) *random = base::Random(fill.seed);
            for (float& value : row) value = fill.mean + fill.deviation * noise(*random);
            plant(fill, row);
            tensor::quantize(fill.dtype, row.data(), row.size(), out.data() + at);
        }
        return {};
    };
}

DType fitting_type(DType dtype, uint64_t columns) {
    if (columns % tensor::block_elements(dtype) == 0) return dtype;
    switch (dtype) {
        case DType::q2_k:
        case DType::q3_k:
        case DType::iq4_xs:
            return fitting_type(DType::iq4_nl, columns);
        case DType::tq1_0:
        case DType::tq2_0:
            return fitting_type(DType::q4_0, columns);
        case DType::q4_k:
            return fitting_type(DType::q5_0, columns);
        case DType::q5_k:
            return fitting_type(DType::q5_1, columns);
        case DType::q6_k:
            return fitting_type(DType::q8_0, columns);
        default:
            return DType::f16;
    }
}

class SynthBuilder {
  public:
    explicit SynthBuilder(const SynthSpec& spec)
        : spec_(spec), head_dim_(spec.head_dim ? spec.head_dim : spec.n_embd / spec.n_heads) {}

    base::Result<GgufWriter> build() {
        HONE_TRY(const SynthVocabulary vocabulary, make_synth_vocabulary(spec_.n_vocab));
        add_hyperparameters();
        add_vocabulary(vocabulary);
        add_tensors();
        return std::move(writer_);
    }

  private:
    void add_hyperparameters() {
        writer_.add_string("general.architecture", "llama");
        writer_.add_string("general.name",
                           fmt::format("synth-{}-{}", spec_.n_layers, spec_.n_embd));
        writer_.add_u32("general.quantization_version", 2);
        writer_.add_u32("llama.block_count", spec_.n_layers);
        writer_.add_u32("llama.context_length", spec_.n_ctx);
        writer_.add_u32("llama.embedding_length", spec_.n_embd);
        writer_.add_u32("llama.feed_forward_length", spec_.n_ff);
        writer_.add_u32("llama.attention.head_count", spec_.n_heads);
        writer_.add_u32("llama.attention.head_count_kv", spec_.n_kv_heads);
        writer_.add_f32("llama.attention.layer_norm_rms_epsilon", kRmsEpsilon);
        writer_.add_u32("llama.rope.dimension_count", head_dim_);
        writer_.add_f32("llama.rope.freq_base", kRopeBase);
        writer_.add_u32("llama.vocab_size", spec_.n_vocab);
        if (uint64_t{head_dim_} * spec_.n_heads != spec_.n_embd) {
            writer_.add_u32("llama.attention.key_length", head_dim_);
            writer_.add_u32("llama.attention.value_length", head_dim_);
        }
        if (spec_.sliding_window > 0) {
            writer_.add_u32("llama.attention.sliding_window", spec_.sliding_window);
            writer_.add_u32("llama.attention.sliding_window_pattern", spec_.sliding_window_pattern);
        }
    }

    void add_vocabulary(const SynthVocabulary& vocabulary) {
        writer_.add_string("tokenizer.ggml.model", "gpt2");
        writer_.add_string("tokenizer.ggml.pre", "gpt-2");
        writer_.add_strings("tokenizer.ggml.tokens", vocabulary.tokens);
        writer_.add_i32s("tokenizer.ggml.token_type", vocabulary.types);
        writer_.add_strings("tokenizer.ggml.merges", vocabulary.merges);
        writer_.add_u32("tokenizer.ggml.bos_token_id", vocabulary.bos_id);
        writer_.add_u32("tokenizer.ggml.eos_token_id", vocabulary.eos_id);
        writer_.add_u32("tokenizer.ggml.unknown_token_id", vocabulary.unknown_id);
        // As many real models: the end token pads.
        writer_.add_u32("tokenizer.ggml.padding_token_id", vocabulary.eos_id);
        writer_.add_bool("tokenizer.ggml.add_bos_token", false);
        writer_.add_string("tokenizer.chat_template", vocabulary.chat_template);
    }

    void add_tensors() {
        const DType embedding_type = spec_.embedding_type.value_or(spec_.type);
        const uint64_t q = uint64_t{spec_.n_heads} * head_dim_;
        const uint64_t kv = uint64_t{spec_.n_kv_heads} * head_dim_;
        add_matrix("token_embd.weight", embedding_type, spec_.n_embd, spec_.n_vocab);
        add_norm("output_norm.weight");
        if (!spec_.tied_embeddings) {
            add_matrix("output.weight", embedding_type, spec_.n_embd, spec_.n_vocab);
        }
        vocabulary_done_ = true;
        base::Random first_layer = seeds_;
        for (uint32_t layer = 0; layer < spec_.n_layers; ++layer) {
            const std::string prefix = fmt::format("blk.{}.", layer);
            if (spec_.plants.duplicate_layer && layer == 1) seeds_ = first_layer;
            zero_outputs_ = spec_.plants.zero_layer && layer + 1 == spec_.n_layers;
            add_norm(prefix + "attn_norm.weight");
            add_matrix(prefix + "attn_q.weight", spec_.type, spec_.n_embd, q);
            add_matrix(prefix + "attn_k.weight", spec_.type, spec_.n_embd, kv);
            add_matrix(prefix + "attn_v.weight", spec_.type, spec_.n_embd, kv);
            add_matrix(prefix + "attn_output.weight", spec_.type, q, spec_.n_embd);
            add_norm(prefix + "ffn_norm.weight");
            add_matrix(prefix + "ffn_gate.weight", spec_.type, spec_.n_embd, spec_.n_ff);
            add_matrix(prefix + "ffn_up.weight", spec_.type, spec_.n_embd, spec_.n_ff);
            add_matrix(prefix + "ffn_down.weight", spec_.type, spec_.n_ff, spec_.n_embd);
        }
    }

    void add_matrix(const std::string& name, DType dtype, uint64_t columns, uint64_t rows) {
        const float deviation = 1.0f / std::sqrt(static_cast<float>(columns));
        dtype = fitting_type(dtype, columns);
        Fill fill{dtype, columns, 0.0f, deviation, seeds_.next_u64()};
        fill.denormals = spec_.plants.denormals;
        fill.zero_blocks = spec_.plants.zero_blocks;
        fill.zero = zero_outputs_ &&
                    (name.ends_with("attn_output.weight") || name.ends_with("ffn_down.weight"));
        if (spec_.plants.duplicate_rows && !vocabulary_done_) fill.same_rows_from = rows - rows / 4;
        writer_.add_tensor(name, dtype, {columns, rows}, noise_source(fill));
    }

    void add_norm(const std::string& name) {
        writer_.add_tensor(
            name, DType::f32, {spec_.n_embd},
            noise_source({DType::f32, spec_.n_embd, 1.0f, kNormSpread, seeds_.next_u64()}));
    }

    const SynthSpec& spec_;
    uint32_t head_dim_;
    base::Random seeds_{spec_.seed};
    bool vocabulary_done_ = false;
    bool zero_outputs_ = false;
    GgufWriter writer_;
};

Status check_range(const char* what, uint64_t value, uint64_t low, uint64_t high) {
    if (value >= low && value <= high) return {};
    return fail(ErrorCode::invalid_argument, "{} is {}, must be {} to {}", what, value, low, high);
}

Status check_spec(const SynthSpec& spec) {
    if (spec.architecture != "llama") {
        return fail(ErrorCode::unsupported, "cannot synthesize architecture '{}', only 'llama'",
                    spec.architecture);
    }
    HONE_TRY_STATUS(check_range("the layer count", spec.n_layers, 1, kLayersMax));
    HONE_TRY_STATUS(check_range("the embedding width", spec.n_embd, 1, kWidthMax));
    HONE_TRY_STATUS(check_range("the head count", spec.n_heads, 1, kHeadsMax));
    HONE_TRY_STATUS(check_range("the KV head count", spec.n_kv_heads, 1, spec.n_heads));
    HONE_TRY_STATUS(check_range("the feed-forward width", spec.n_ff, 1, kWidthMax));
    HONE_TRY_STATUS(check_range("the context length", spec.n_ctx, 1, kContextMax));
    HONE_TRY_STATUS(check_range("the head dimension", spec.head_dim, 0, kWidthMax));
    if (spec.n_heads % spec.n_kv_heads != 0) {
        return fail(ErrorCode::invalid_argument, "{} heads are not a multiple of {} KV heads",
                    spec.n_heads, spec.n_kv_heads);
    }
    if (spec.head_dim == 0 && spec.n_embd % spec.n_heads != 0) {
        return fail(ErrorCode::invalid_argument,
                    "an embedding of {} does not divide into {} heads; give the head dimension",
                    spec.n_embd, spec.n_heads);
    }
    if ((spec.head_dim == 0 ? spec.n_embd / spec.n_heads : spec.head_dim) % 2 != 0) {
        return fail(ErrorCode::invalid_argument, "an odd head dimension cannot be rotated");
    }
    for (DType dtype : {spec.type, spec.embedding_type.value_or(spec.type)}) {
        if (dtype == DType::i32) {
            return fail(ErrorCode::invalid_argument, "weights cannot be {}", tensor::name(dtype));
        }
        if (!tensor::can_quantize(dtype)) {
            return fail(ErrorCode::invalid_argument, "weights cannot be made {}, only read",
                        tensor::name(dtype));
        }
        if (spec.plants.denormals && tensor::is_quantized(dtype)) {
            return fail(ErrorCode::invalid_argument,
                        "{} has no denormal weights; F32, F16 and BF16 have", tensor::name(dtype));
        }
    }
    if (spec.plants.duplicate_layer && spec.n_layers < 2) {
        return fail(ErrorCode::invalid_argument, "one layer has nothing to be a duplicate of");
    }
    return {};
}

}  // namespace

Status add_plant(std::string_view name, SynthPlants& plants) {
    struct Plant {
        std::string_view name;
        bool SynthPlants::*flag;
    };
    constexpr Plant kPlants[] = {{"denormals", &SynthPlants::denormals},
                                 {"zero-blocks", &SynthPlants::zero_blocks},
                                 {"zero-layer", &SynthPlants::zero_layer},
                                 {"duplicate-layer", &SynthPlants::duplicate_layer},
                                 {"duplicate-rows", &SynthPlants::duplicate_rows}};
    for (const Plant& plant : kPlants) {
        if (plant.name != name) continue;
        plants.*plant.flag = true;
        return {};
    }
    return fail(ErrorCode::invalid_argument,
                "unknown plant '{}': denormals, zero-blocks, zero-layer, duplicate-layer or "
                "duplicate-rows",
                name);
}

base::Result<GgufWriter> make_synth(const SynthSpec& spec) {
    HONE_TRY_STATUS(check_spec(spec));
    return SynthBuilder(spec).build();
}

Status write_synth(const SynthSpec& spec, const std::string& path) {
    HONE_TRY(const GgufWriter writer, make_synth(spec));
    return writer.write(path);
}

}  // namespace hone::models
