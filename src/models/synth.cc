#include "models/synth.h"

#include <cmath>
#include <cstdlib>
#include <memory>
#include <utility>
#include <vector>

#include "base/random.h"
#include "models/architecture.h"
#include "models/hyperparameters.h"
#include "models/synth_vocabulary.h"
#include "tensor/codec.h"

namespace hone::models {

namespace {

using base::ErrorCode;
using base::fail;
using base::Status;
using formats::GgufWriter;
using tensor::DType;

constexpr float kRopeBase = 10000.0f;
constexpr float kNormEpsilon = 1e-5f;
// How far norm weights stray from 1 and biases from 0.
constexpr float kVectorSpread = 0.1f;

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

// What the architecture's tensors follow from.
ModelConfig config_of(const SynthSpec& spec) {
    ModelConfig c;
    c.architecture = spec.architecture;
    c.n_layers = spec.n_layers;
    c.n_embd = spec.n_embd;
    c.n_heads = spec.n_heads;
    c.n_kv_heads = spec.n_kv_heads;
    c.head_dim = spec.head_dim != 0 ? spec.head_dim : spec.n_embd / spec.n_heads;
    c.n_ff = spec.n_ff;
    c.n_vocab = spec.n_vocab;
    c.rope_dims = c.head_dim;
    c.tied_embeddings = spec.tied_embeddings;
    c.qkv_bias = spec.architecture == "qwen2";
    c.head_norms = spec.architecture == "gemma3" || spec.architecture == "qwen3" ||
                   spec.architecture == "qwen3moe";
    if (spec.architecture == "gemma2") {
        c.attention_soft_cap = 50.0f;
        c.logit_soft_cap = 30.0f;
    }
    if (spec.architecture == "stablelm") c.rope_dims = c.head_dim / 4 / 2 * 2;
    if (spec.architecture == "bert") {
        c.causal = false;
        c.qkv_bias = true;
        c.linear_bias = true;
        c.n_token_types = 2;
        c.context_max = spec.n_ctx;
        c.rope_dims = 0;
    }
    if (spec.architecture == "qwen3moe") {
        c.n_experts = 8;
        c.n_experts_used = 2;
        c.n_ff_expert = spec.n_ff;
    }
    return c;
}

class SynthBuilder {
  public:
    explicit SynthBuilder(const SynthSpec& spec) : spec_(spec), config_(config_of(spec)) {}

    base::Result<GgufWriter> build() {
        HONE_TRY(const Architecture* architecture, find_architecture(spec_.architecture));
        HONE_TRY(const SynthVocabulary vocabulary, make_synth_vocabulary(spec_.n_vocab));
        add_hyperparameters();
        add_vocabulary(vocabulary);
        add_tensors(*architecture);
        return std::move(writer_);
    }

  private:
    std::string key(const char* name) const { return spec_.architecture + "." + name; }

    void add_hyperparameters() {
        writer_.add_string("general.architecture", spec_.architecture);
        writer_.add_string("general.name",
                           fmt::format("synth-{}-{}", spec_.n_layers, spec_.n_embd));
        writer_.add_u32("general.quantization_version", 2);
        writer_.add_u32(key("block_count"), spec_.n_layers);
        writer_.add_u32(key("context_length"), spec_.n_ctx);
        writer_.add_u32(key("embedding_length"), spec_.n_embd);
        writer_.add_u32(key("feed_forward_length"), spec_.n_ff);
        writer_.add_u32(key("attention.head_count"), spec_.n_heads);
        writer_.add_u32(key("attention.head_count_kv"), spec_.n_kv_heads);
        writer_.add_f32(key(layer_norms() ? "attention.layer_norm_epsilon"
                                          : "attention.layer_norm_rms_epsilon"),
                        kNormEpsilon);
        if (config_.rope_dims > 0) {
            writer_.add_u32(key("rope.dimension_count"), config_.rope_dims);
            writer_.add_f32(key("rope.freq_base"), kRopeBase);
        }
        writer_.add_u32(key("vocab_size"), spec_.n_vocab);
        if (config_.q_width() != spec_.n_embd) {
            writer_.add_u32(key("attention.key_length"), config_.head_dim);
            writer_.add_u32(key("attention.value_length"), config_.head_dim);
        }
        if (spec_.sliding_window > 0) {
            writer_.add_u32(key("attention.sliding_window"), spec_.sliding_window);
            writer_.add_u32(key("attention.sliding_window_pattern"), spec_.sliding_window_pattern);
        }
        add_own_hyperparameters();
    }

    bool layer_norms() const {
        return spec_.architecture == "bert" || spec_.architecture == "stablelm";
    }

    // What only some architectures have.
    void add_own_hyperparameters() {
        if (config_.attention_soft_cap > 0) {
            writer_.add_f32(key("attn_logit_softcapping"), config_.attention_soft_cap);
            writer_.add_f32(key("final_logit_softcapping"), config_.logit_soft_cap);
        }
        if (!config_.causal) {
            writer_.add_bool(key("attention.causal"), false);
            writer_.add_u32(key("pooling_type"), static_cast<uint32_t>(config_.pooling));
        }
        if (config_.n_experts > 0) {
            writer_.add_u32(key("expert_count"), config_.n_experts);
            writer_.add_u32(key("expert_used_count"), config_.n_experts_used);
            writer_.add_u32(key("expert_feed_forward_length"), config_.n_ff_expert);
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

    void add_tensors(const Architecture& architecture) {
        const DType embedding_type = spec_.embedding_type.value_or(spec_.type);
        base::Random first_layer = seeds_;
        int layer = -1;
        for (const ExpectedTensor& tensor : architecture.tensors(config_)) {
            const int now = layer_of(tensor.name);
            if (now != layer) {
                layer = now;
                if (layer == 0) first_layer = seeds_;
                if (spec_.plants.duplicate_layer && layer == 1) seeds_ = first_layer;
                zero_outputs_ =
                    spec_.plants.zero_layer && layer + 1 == static_cast<int>(spec_.n_layers);
            }
            if (tensor.rows == 1) {
                add_vector(tensor);
            } else {
                add_matrix(tensor, layer < 0 ? embedding_type : spec_.type, layer < 0);
            }
        }
    }

    // "blk.7.attn_q.weight": 7; -1 for a tensor of no layer.
    static int layer_of(const std::string& name) {
        return name.starts_with("blk.") ? std::atoi(name.c_str() + 4) : -1;
    }

    void add_matrix(const ExpectedTensor& tensor, DType dtype, bool vocabulary) {
        const float deviation = 1.0f / std::sqrt(static_cast<float>(tensor.columns));
        dtype = tensor::fitting_type(dtype, tensor.columns);
        Fill fill{dtype, tensor.columns, 0.0f, deviation, seeds_.next_u64()};
        fill.denormals = spec_.plants.denormals;
        fill.zero_blocks = spec_.plants.zero_blocks;
        fill.zero = zero_outputs_ && (tensor.name.ends_with("attn_output.weight") ||
                                      tensor.name.find("ffn_down") != std::string::npos);
        if (spec_.plants.duplicate_rows && vocabulary) {
            fill.same_rows_from = tensor.rows - tensor.rows / 4;
        }
        std::vector<uint64_t> dims = {tensor.columns, tensor.rows};
        if (tensor.experts > 1) dims.push_back(tensor.experts);
        writer_.add_tensor(tensor.name, dtype, dims, noise_source(fill));
    }

    // Norms stray from 1, biases from 0.
    void add_vector(const ExpectedTensor& tensor) {
        const float mean = tensor.name.ends_with(".bias") ? 0.0f : 1.0f;
        writer_.add_tensor(
            tensor.name, DType::f32, {tensor.columns},
            noise_source({DType::f32, tensor.columns, mean, kVectorSpread, seeds_.next_u64()}));
    }

    const SynthSpec& spec_;
    ModelConfig config_;
    base::Random seeds_{spec_.seed};
    bool zero_outputs_ = false;
    GgufWriter writer_;
};

Status check_range(const char* what, uint64_t value, uint64_t low, uint64_t high) {
    if (value >= low && value <= high) return {};
    return fail(ErrorCode::invalid_argument, "{} is {}, must be {} to {}", what, value, low, high);
}

Status check_spec(const SynthSpec& spec) {
    HONE_TRY_STATUS(find_architecture(spec.architecture));
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
