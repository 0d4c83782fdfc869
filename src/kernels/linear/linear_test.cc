#include "kernels/linear/linear.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <limits>
#include <random>
#include <string>
#include <vector>

#include "kernels/linear/packed_matrix.h"
#include "kernels/linear/tile_reader.h"
#include "tensor/buffer.h"
#include "tensor/codec.h"
#include "tensor/half.h"
#include "tensor/random_blocks.h"

namespace hone::kernels {
namespace {

using tensor::DType;

std::vector<DType> packed_dtypes() {
    std::vector<DType> out;
    for (const tensor::DTypeTraits& traits : tensor::kDTypes) {
        if (traits.dtype != DType::i32) out.push_back(traits.dtype);
    }
    return out;
}

tensor::Buffer allocate(size_t bytes) {
    auto buffer = tensor::Buffer::allocate(bytes);
    EXPECT_TRUE(buffer.has_value());
    return std::move(*buffer);
}

std::vector<float> random_values(size_t count, uint32_t seed) {
    std::mt19937 random(seed);
    std::normal_distribution<float> normal(0.0f, 0.7f);
    std::vector<float> out(count);
    for (float& value : out) value = normal(random);
    return out;
}

// A stored matrix, its packed form, and its rows dequantized by the tensor codec.
struct Weights {
    tensor::Buffer stored;
    tensor::Buffer packed;
    tensor::TensorView view;
    PackedMatrix matrix;
    std::vector<float> values;  // [rows][columns]

    const float* row(size_t r) const { return values.data() + r * matrix.columns; }
};

void pack(Weights& weights) {
    const tensor::TensorView& view = weights.view;
    PackedMatrix& matrix = weights.matrix;
    matrix.format = pack_format_for(view.dtype);
    matrix.rows = static_cast<uint32_t>(view.rows());
    matrix.columns = static_cast<uint32_t>(view.columns());
    matrix.tile_bytes = packed_tile_bytes(matrix.format, matrix.columns);
    weights.packed = allocate(matrix.bytes());
    std::memset(weights.packed.data(), 0x7f, matrix.bytes());
    ASSERT_TRUE(pack_tiles(view, 0, matrix.tiles(), weights.packed.data()).has_value());
    matrix.data = weights.packed.data();
    weights.values.resize(view.elements());
    tensor::dequantize(view.dtype, view.data, view.elements(), weights.values.data());
}

Weights make_weights(DType dtype, size_t rows, size_t columns, uint32_t seed) {
    Weights weights;
    const size_t bytes = rows * *tensor::row_bytes(dtype, columns);
    weights.stored = allocate(bytes);
    tensor::random_blocks(dtype, seed, rows * columns, 0.7f, weights.stored.data());
    weights.view = {dtype, {columns, rows, 1, 1}, 2, weights.stored.data(), bytes};
    pack(weights);
    return weights;
}

// Activation rows in both classes.
struct Activations {
    size_t rows = 0;
    size_t columns = 0;
    std::vector<float> values;
    tensor::Buffer memory;
    QuantizedRows quantized;

    const float* row(size_t r) const { return values.data() + r * columns; }
};

void quantize_block(const float* x, QuantizedRows& out, size_t row, size_t block) {
    float largest = 0;
    for (size_t i = 0; i < kBlock; ++i) largest = std::max(largest, std::fabs(x[i]));
    const float scale = largest / 127.0f;
    int sums[2] = {0, 0};
    for (size_t i = 0; i < kBlock; ++i) {
        const float q = scale == 0.0f ? 0.0f : std::nearbyintf(x[i] / scale);
        out.q[row * out.columns + block * kBlock + i] = static_cast<int8_t>(q);
        sums[i / 16] += static_cast<int>(q);
    }
    const size_t at = row * (out.columns / kBlock) + block;
    out.scale[at] = scale;
    out.scaled_sum[at] = scale * static_cast<float>(sums[0] + sums[1]);
    out.sum16[2 * at] = static_cast<int16_t>(sums[0]);
    out.sum16[2 * at + 1] = static_cast<int16_t>(sums[1]);
}

void quantize_all(Activations& x) {
    x.memory = allocate(quantized_rows_bytes(x.rows, x.columns));
    x.quantized = quantized_rows_at(x.memory.data(), x.rows, x.columns);
    for (size_t row = 0; row < x.rows; ++row) {
        for (size_t block = 0; block < x.columns / kBlock; ++block) {
            quantize_block(x.row(row) + block * kBlock, x.quantized, row, block);
        }
    }
}

Activations make_activations(size_t rows, size_t columns, uint32_t seed) {
    Activations x;
    x.rows = rows;
    x.columns = columns;
    x.values = random_values(rows * columns, seed);
    // A zero block, and a block whose codes are all at the end of their range.
    for (size_t i = 0; i < kBlock; ++i) x.values[i] = 0.0f;
    for (size_t i = 0; i < kBlock; ++i) x.values[columns - kBlock + i] = -1.0f;
    quantize_all(x);
    return x;
}

// The result of a call, in a buffer whose surroundings are poisoned.
struct Output {
    static constexpr size_t kMargin = 16;
    size_t rows;
    size_t stride;
    size_t n_cols;
    std::vector<float> values;

    Output(size_t tiles, size_t columns)
        : rows(tiles * kTileRows),
          stride(rows + 5),
          n_cols(columns),
          values(2 * kMargin + stride * n_cols, poison()) {}

    static float poison() { return std::numeric_limits<float>::quiet_NaN(); }
    float* data() { return values.data() + kMargin; }
    float at(size_t c, size_t r) const { return values[kMargin + c * stride + r]; }

    bool padding_is_intact() const {
        for (size_t i = 0; i < values.size(); ++i) {
            const bool inside =
                i >= kMargin && i < kMargin + stride * n_cols && (i - kMargin) % stride < rows;
            if (!inside && !std::isnan(values[i])) return false;
        }
        return true;
    }
};

struct Call {
    size_t first_tile = 0;
    size_t tiles = 0;
    size_t first_row = 0;
    size_t n_cols = 0;
    bool accumulate = false;
};

LinearArgs make_args(const Weights& weights, const Activations& x, ActivationClass activation,
                     const Call& call, Output& out) {
    LinearArgs args;
    args.tiles = weights.matrix.tile(call.first_tile);
    args.tile_bytes = weights.matrix.tile_bytes;
    args.n_tiles = call.tiles;
    args.columns = weights.matrix.columns;
    if (activation == ActivationClass::quantized) {
        args.quantized = &x.quantized;
        args.first_row = call.first_row;
    } else {
        args.rows = x.row(call.first_row);
        args.rows_stride = x.columns;
    }
    args.n_cols = call.n_cols;
    args.out = out.data();
    args.out_stride = out.stride;
    args.accumulate = call.accumulate;
    return args;
}

Output run(const LinearVariant& variant, const Weights& weights, const Activations& x,
           const Call& call) {
    Output out(call.tiles, call.n_cols);
    if (call.accumulate) {
        for (size_t c = 0; c < call.n_cols; ++c) {
            for (size_t r = 0; r < out.rows; ++r) out.data()[c * out.stride + r] = 0.5f;
        }
    }
    variant.fn(make_args(weights, x, variant.activation, call, out));
    return out;
}

bool can_run(const LinearVariant& variant) {
    return variant.isa <= machine::detect_isa();
}

std::string label(const LinearVariant& variant) {
    return std::string(variant.name) + " " + pack_format_name(variant.format) +
           (variant.activation == ActivationClass::quantized ? " int8" : " f32");
}

std::vector<DType> dtypes_of(PackFormat format) {
    std::vector<DType> out;
    for (const DType dtype : packed_dtypes()) {
        if (pack_format_for(dtype) == format) out.push_back(dtype);
    }
    return out;
}

const LinearVariant& reference_of(const LinearVariant& variant) {
    const auto found =
        select_linear(machine::Isa::portable, variant.format, variant.activation, "reference");
    EXPECT_TRUE(found.has_value());
    return **found;
}

double norm(const float* values, size_t count) {
    double sum = 0;
    for (size_t i = 0; i < count; ++i) sum += double{values[i]} * double{values[i]};
    return std::sqrt(sum);
}

// The class of linear.h: 1e-5 of |w| |x| / sqrt(K), the size that sums of independent terms have,
// times sqrt(K).
void expect_close(const Output& got, const Output& want, const Weights& weights,
                  const Activations& x, const Call& call) {
    for (size_t c = 0; c < call.n_cols; ++c) {
        const double x_norm = norm(x.row(call.first_row + c), x.columns);
        for (size_t r = 0; r < got.rows; ++r) {
            const size_t row = call.first_tile * kTileRows + r;
            const double w_norm =
                row < weights.matrix.rows ? norm(weights.row(row), x.columns) : 0.0;
            const double tolerance = 1e-5 * (w_norm * x_norm + (call.accumulate ? 0.5 : 0.0));
            const double error = std::fabs(double{got.at(c, r)} - double{want.at(c, r)});
            ASSERT_LE(error, tolerance) << "column " << c << " row " << row;
        }
    }
}

// Calls work(variant, dtype) for every line this CPU can run and every stored type of its format.
template <class Work>
void for_each_case(Work&& work) {
    for (const LinearVariant& variant : linear_variants()) {
        if (!can_run(variant)) continue;
        for (const DType dtype : dtypes_of(variant.format)) {
            SCOPED_TRACE(label(variant) + " from " + std::string(tensor::name(dtype)));
            work(variant, dtype);
            if (::testing::Test::HasFatalFailure()) return;
        }
    }
}

size_t at_least_block(DType dtype, size_t columns) {
    const size_t block = tensor::block_elements(dtype);
    return (columns + block - 1) / block * block;
}

TEST(LinearVariants, ListsTheLinesThatThisCpuCannotRun) {
    size_t skipped = 0;
    for (const LinearVariant& variant : linear_variants()) {
        if (can_run(variant)) continue;
        ++skipped;
        printf("not run: linear %s\n", label(variant).c_str());
    }
    printf("%zu of %zu linear variants not run on %s\n", skipped, linear_variants().size(),
           machine::isa_name(machine::detect_isa()));
}

TEST(LinearVariants, EveryFormatHasAReference) {
    for (int f = 0; f < kPackFormatCount; ++f) {
        const auto format = static_cast<PackFormat>(f);
        EXPECT_TRUE(select_linear(machine::Isa::portable, format, ActivationClass::f32));
        const auto quantized =
            select_linear(machine::Isa::portable, format, ActivationClass::quantized);
        EXPECT_EQ(quantized.has_value(), is_quantized(format));
    }
}

TEST(LinearVariants, SelectsTheHighestIsaAndTheNamedLine) {
    const auto portable =
        select_linear(machine::Isa::portable, PackFormat::u4, ActivationClass::quantized);
    ASSERT_TRUE(portable.has_value());
    EXPECT_EQ((*portable)->isa, machine::Isa::portable);
    EXPECT_STRNE((*portable)->name, "reference");
    const auto best =
        select_linear(machine::Isa::avx512bf16, PackFormat::u4, ActivationClass::quantized);
    ASSERT_TRUE(best.has_value());
    EXPECT_STREQ((*best)->name, "avx512vnni");
    const auto named = select_linear(machine::Isa::avx512bf16, PackFormat::u4,
                                     ActivationClass::quantized, "reference");
    ASSERT_TRUE(named.has_value());
    EXPECT_STREQ((*named)->name, "reference");
}

TEST(LinearVariants, AnUnknownNameOrAnIsaThatIsMissingIsAnError) {
    const auto unknown =
        select_linear(machine::Isa::avx2, PackFormat::u4, ActivationClass::quantized, "fastest");
    ASSERT_FALSE(unknown.has_value());
    EXPECT_EQ(unknown.error().code, base::ErrorCode::unsupported);
    EXPECT_FALSE(select_linear(machine::Isa::avx2, PackFormat::u4, ActivationClass::quantized,
                               "avx512vnni"));
    EXPECT_FALSE(select_linear(machine::Isa::avx2, PackFormat::f16, ActivationClass::quantized));
}

TEST(Linear, AgreesWithTheReference) {
    const size_t columns[] = {32, 96, 256, 576, 1536};
    for_each_case([&](const LinearVariant& variant, DType dtype) {
        for (const size_t k : columns) {
            const size_t n_columns = at_least_block(dtype, k);
            const size_t rows = k == 576 ? 70 : 21;
            const Weights weights = make_weights(dtype, rows, n_columns, 11);
            const Activations x = make_activations(9, n_columns, 12);
            const Call call{0, weights.matrix.tiles(), 0, k > 600 ? 2u : 9u, false};
            const Output got = run(variant, weights, x, call);
            const Output want = run(reference_of(variant), weights, x, call);
            expect_close(got, want, weights, x, call);
            EXPECT_TRUE(got.padding_is_intact());
        }
    });
}

TEST(Linear, EveryCountOfColumnsEqualsTheSoloRunBitForBit) {
    for_each_case([&](const LinearVariant& variant, DType dtype) {
        const size_t n_columns = at_least_block(dtype, 96);
        const Weights weights = make_weights(dtype, 40, n_columns, 21);
        const Activations x = make_activations(20, n_columns, 22);
        for (size_t n_cols = 1; n_cols <= 19; ++n_cols) {
            const Output batch = run(variant, weights, x, {0, 3, 1, n_cols, false});
            ASSERT_TRUE(batch.padding_is_intact()) << n_cols << " columns";
            for (size_t c = 0; c < n_cols; ++c) {
                const Output solo = run(variant, weights, x, {1, 1, 1 + c, 1, false});
                for (size_t r = 0; r < kTileRows; ++r) {
                    ASSERT_EQ(batch.at(c, kTileRows + r), solo.at(0, r))
                        << n_cols << " columns, column " << c << ", row " << r;
                }
            }
        }
    });
}

TEST(Linear, ManyTilesEqualOneTileBitForBit) {
    for_each_case([&](const LinearVariant& variant, DType dtype) {
        const size_t n_columns = at_least_block(dtype, 32);
        const Weights weights = make_weights(dtype, 9 * kTileRows, n_columns, 31);
        const Activations x = make_activations(3, n_columns, 32);
        for (const size_t n_cols : {1u, 2u, 3u}) {
            const Output all = run(variant, weights, x, {0, 9, 0, n_cols, false});
            for (size_t t = 0; t < 9; ++t) {
                const Output one = run(variant, weights, x, {t, 1, 0, n_cols, false});
                for (size_t i = 0; i < kTileRows; ++i) {
                    ASSERT_EQ(all.at(0, t * kTileRows + i), one.at(0, i)) << "tile " << t;
                }
            }
        }
    });
}

TEST(Linear, ColumnChunksOfALongPromptEqualTheSoloRun) {
    const Activations x = make_activations(299, 1536, 42);
    for_each_case([&](const LinearVariant& variant, DType dtype) {
        if (std::string_view(variant.name) == "reference") return;
        const Weights weights = make_weights(dtype, kTileRows, 1536, 41);
        const Output batch = run(variant, weights, x, {0, 1, 0, 299, false});
        for (const size_t c : {0u, 63u, 130u, 171u, 256u, 298u}) {
            const Output solo = run(variant, weights, x, {0, 1, c, 1, false});
            for (size_t r = 0; r < kTileRows; ++r) ASSERT_EQ(batch.at(c, r), solo.at(0, r));
        }
    });
}

TEST(Linear, AccumulateAddsToWhatIsThere) {
    for_each_case([&](const LinearVariant& variant, DType dtype) {
        const size_t n_columns = at_least_block(dtype, 160);
        const Weights weights = make_weights(dtype, 33, n_columns, 51);
        const Activations x = make_activations(5, n_columns, 52);
        const Call call{0, 3, 0, 5, true};
        const Output got = run(variant, weights, x, call);
        const Output want = run(reference_of(variant), weights, x, call);
        expect_close(got, want, weights, x, call);
    });
}

// Codes and activations at the ends of their ranges: where a narrow intermediate would saturate.
TEST(Linear, ExtremeCodesDoNotSaturate) {
    for_each_case([&](const LinearVariant& variant, DType dtype) {
        const size_t n_columns = at_least_block(dtype, 64);
        Weights weights = make_weights(dtype, kTileRows, n_columns, 61);
        if (!is_quantized(weights.matrix.format)) return;
        // Every bit of every code set, or none: largest and smallest code of each format. For s8
        // that is -1 and 0, so its own extremes follow.
        for (const int byte : {0xff, 0x00, 0x7f, 0x80, 0x81}) {
            const TileLayout layout = tile_layout(weights.matrix.format);
            for (size_t block = 0; block < weights.matrix.blocks(); ++block) {
                std::byte* blocks = weights.packed.data() + layout.table_bytes;
                std::memset(blocks + layout.codes_at(block), byte, layout.code_bytes);
            }
            for (size_t r = 0; r < kTileRows; ++r) {
                unpack_row(weights.matrix, r, weights.values.data() + r * n_columns);
            }
            for (const float value : {1.0f, -1.0f}) {
                Activations x = make_activations(2, n_columns, 62);
                for (float& v : x.values) v = value;
                quantize_all(x);
                const Call call{0, 1, 0, 2, false};
                const Output got = run(variant, weights, x, call);
                expect_close(got, run(reference_of(variant), weights, x, call), weights, x, call);
            }
        }
    });
}

}  // namespace
}  // namespace hone::kernels
