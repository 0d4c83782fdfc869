#include "reference/float_reference.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <numeric>
#include <utility>
#include <vector>

#include "base/random.h"
#include "formats/gguf_writer.h"
#include "tensor/codec.h"

namespace hone::reference {
namespace {

using base::ErrorCode;
using base::fail;
using Order = std::vector<uint32_t>;
using Factors = std::vector<float>;

// One side of a matrix: element i of the result is element order[i] of the source, times factor[i].
struct Side {
    Order order;
    Factors factors;
};

Side identity(uint64_t n) {
    Side side{Order(n), Factors(n, 1.0f)};
    std::iota(side.order.begin(), side.order.end(), 0u);
    return side;
}

Side inverse_factors(Side side) {
    for (float& factor : side.factors) factor = 1.0f / factor;
    return side;
}

Side without_factors(Side side) {
    std::fill(side.factors.begin(), side.factors.end(), 1.0f);
    return side;
}

class Transformation {
  public:
    Transformation(const formats::GgufFile& file, const ReferenceSpec& spec)
        : file_(file), spec_(spec), random_(spec.seed) {}

    base::Status read_shape() {
        HONE_TRY(const std::string_view architecture, file_.get_string("general.architecture"));
        if (architecture != "llama") {
            return fail(ErrorCode::unsupported, "a float reference of architecture '{}'",
                        architecture);
        }
        HONE_TRY(n_layers_, file_.get_u64("llama.block_count"));
        HONE_TRY(n_embd_, file_.get_u64("llama.embedding_length"));
        HONE_TRY(n_ff_, file_.get_u64("llama.feed_forward_length"));
        HONE_TRY(n_heads_, file_.get_u64("llama.attention.head_count"));
        HONE_TRY(n_kv_heads_, file_.get_u64_or("llama.attention.head_count_kv", n_heads_));
        HONE_TRY(head_dim_, file_.get_u64_or("llama.attention.key_length", n_embd_ / n_heads_));
        return {};
    }

    base::Status add_tensors(formats::GgufWriter& writer) {
        const Side residual = permuted(n_embd_);
        const bool tied = file_.find_tensor("output.weight") == nullptr;
        HONE_TRY_STATUS(add(writer, "token_embd.weight", std::nullopt, residual));
        Side head = residual;
        if (!tied) draw_factors(head);
        HONE_TRY_STATUS(add(writer, "output_norm.weight", std::nullopt, head));
        if (!tied) {
            HONE_TRY_STATUS(add(writer, "output.weight", std::nullopt, inverse_factors(head)));
        }
        for (uint64_t layer = 0; layer < n_layers_; ++layer) {
            const std::string prefix = fmt::format("blk.{}.", layer);
            HONE_TRY_STATUS(add_attention(writer, prefix, residual));
            HONE_TRY_STATUS(add_feed_forward(writer, prefix, residual));
        }
        return {};
    }

  private:
    base::Status add_attention(formats::GgufWriter& writer, const std::string& prefix,
                               const Side& residual) {
        Side norm = residual;
        draw_factors(norm);
        const Side columns = inverse_factors(norm);
        // Values: a permutation within each KV head, and the same for each query head that reads
        // it.
        Side values = identity(n_kv_heads_ * head_dim_);
        draw_factors(values);
        for (uint64_t head = 0; head < n_kv_heads_; ++head) {
            shuffle(values.order.begin() + static_cast<std::ptrdiff_t>(head * head_dim_),
                    head_dim_);
        }
        Side outputs = identity(n_heads_ * head_dim_);
        const uint64_t sharing = n_heads_ / n_kv_heads_;
        for (uint64_t i = 0; i < outputs.order.size(); ++i) {
            const uint64_t head = i / head_dim_, kv = head / sharing;
            const uint64_t at = kv * head_dim_ + i % head_dim_;
            outputs.order[i] =
                static_cast<uint32_t>(values.order[at] - kv * head_dim_ + head * head_dim_);
            outputs.factors[i] = 1.0f / values.factors[at];
        }
        HONE_TRY_STATUS(add(writer, prefix + "attn_norm.weight", std::nullopt, norm));
        HONE_TRY_STATUS(add(writer, prefix + "attn_q.weight", std::nullopt, columns));
        HONE_TRY_STATUS(add(writer, prefix + "attn_k.weight", std::nullopt, columns));
        HONE_TRY_STATUS(add(writer, prefix + "attn_v.weight", values, columns));
        return add(writer, prefix + "attn_output.weight", without_factors(residual), outputs);
    }

    base::Status add_feed_forward(formats::GgufWriter& writer, const std::string& prefix,
                                  const Side& residual) {
        Side norm = residual;
        draw_factors(norm);
        const Side columns = inverse_factors(norm);
        Side hidden = permuted(n_ff_);
        draw_factors(hidden);
        HONE_TRY_STATUS(add(writer, prefix + "ffn_norm.weight", std::nullopt, norm));
        HONE_TRY_STATUS(add(writer, prefix + "ffn_gate.weight", without_factors(hidden), columns));
        HONE_TRY_STATUS(add(writer, prefix + "ffn_up.weight", hidden, columns));
        return add(writer, prefix + "ffn_down.weight", without_factors(residual),
                   inverse_factors(hidden));
    }

    base::Status add(formats::GgufWriter& writer, const std::string& name, std::optional<Side> rows,
                     Side columns) {
        HONE_TRY(const tensor::TensorView view, file_.tensor(name));
        if (!rows) rows = identity(view.rows());
        if (rows->order.size() != view.rows() || columns.order.size() != view.columns()) {
            return fail(ErrorCode::corrupt, "tensor '{}': unexpected shape", name);
        }
        const tensor::DType type = view.rank >= 2 ? spec_.type : tensor::DType::f32;
        auto source = [view, type, rows = std::move(*rows), columns = std::move(columns)](
                          uint64_t offset, std::span<std::byte> out) -> base::Status {
            const uint64_t row_bytes = *tensor::row_bytes(type, view.columns());
            std::vector<float> from(view.columns()), to(view.columns());
            for (uint64_t at = 0; at < out.size(); at += row_bytes) {
                const uint64_t r = (offset + at) / row_bytes;
                tensor::dequantize(view.dtype, view.row(rows.order[r]), from.size(), from.data());
                for (size_t c = 0; c < to.size(); ++c) {
                    to[c] = from[columns.order[c]] * rows.factors[r] * columns.factors[c];
                }
                tensor::quantize(type, to.data(), to.size(), out.data() + at);
            }
            return {};
        };
        writer.add_tensor(name, type, {view.dims.begin(), view.dims.begin() + view.rank},
                          std::move(source));
        return {};
    }

    void shuffle(Order::iterator begin, uint64_t n) {
        for (uint64_t i = n; i > 1; --i) {
            std::swap(begin[static_cast<std::ptrdiff_t>(i - 1)],
                      begin[static_cast<std::ptrdiff_t>(random_.next_below(i))]);
        }
    }
    Side permuted(uint64_t n) {
        Side side = identity(n);
        shuffle(side.order.begin(), n);
        return side;
    }
    void draw_factors(Side& side) {
        for (float& factor : side.factors) {
            factor = static_cast<float>(std::exp2(spec_.spread * (2 * random_.next_double() - 1)));
        }
    }

    const formats::GgufFile& file_;
    const ReferenceSpec& spec_;
    base::Random random_;
    uint64_t n_layers_ = 0, n_embd_ = 0, n_ff_ = 0, n_heads_ = 0, n_kv_heads_ = 0, head_dim_ = 0;
};

}  // namespace

base::Status write_float_reference(const formats::GgufFile& file, const ReferenceSpec& spec,
                                   const std::string& path) {
    Transformation transformation(file, spec);
    HONE_TRY_STATUS(transformation.read_shape());
    formats::GgufWriter writer;
    for (const formats::GgufEntry& entry : file.metadata()) {
        const bool about_types = entry.key == "general.file_type" ||
                                 entry.key == "general.alignment" ||
                                 entry.key == "general.quantization_version";
        if (!about_types) writer.add_value(entry.key, entry.value);
    }
    writer.add_u32("general.file_type", spec.type == tensor::DType::f16 ? 1 : 0);
    writer.add_u32("general.quantization_version", 2);
    HONE_TRY_STATUS(transformation.add_tensors(writer));
    return writer.write(path);
}

base::Result<uint64_t> fewest_distinct(const formats::GgufFile& file, const std::string& tensor) {
    HONE_TRY(const tensor::TensorView view, file.tensor(tensor));
    constexpr size_t kBlock = 32;
    uint64_t fewest = kBlock;
    std::vector<float> row(view.columns());
    for (uint64_t r = 0; r < view.rows(); ++r) {
        tensor::dequantize(view.dtype, view.row(r), row.size(), row.data());
        for (size_t at = 0; at + kBlock <= row.size(); at += kBlock) {
            const auto begin = row.begin() + static_cast<std::ptrdiff_t>(at);
            std::sort(begin, begin + kBlock);
            fewest = std::min<uint64_t>(
                fewest, static_cast<uint64_t>(std::unique(begin, begin + kBlock) - begin));
        }
    }
    return fewest;
}

}  // namespace hone::reference
