// The linear family as its formula says it, one value at a time and never optimized: what every
// other variant is tested against, and what runs where no other variant does.
//
// Sums are kept in double, so that a difference to a variant is that variant's rounding alone.

#include "kernels/linear/tile_reader.h"
#include "kernels/linear/variants.h"

namespace hone::kernels {
namespace {

// sum over groups of x.scale * (w.scale * (sum over k of code * q) + w.min * (sum over k of q)),
// where a group is half a block, which may have a scale and a minimum of its own.
double quantized_sum(const TileReader& weights, const QuantizedRows& x, size_t x_row) {
    double sum = 0;
    constexpr size_t kGroup = kBlock / 2;
    for (size_t block = 0; block < x.columns / kBlock; ++block) {
        const int8_t* q = x.row_q(x_row) + block * kBlock;
        double scaled = 0;
        for (size_t first = 0; first < kBlock; first += kGroup) {
            int exact = 0, plain = 0;
            for (size_t i = first; i < first + kGroup; ++i) {
                exact += weights.code(block, i) * q[i];
                plain += q[i];
            }
            scaled += static_cast<double>(weights.scale(block, first)) * exact +
                      static_cast<double>(weights.min(block, first)) * plain;
        }
        sum += static_cast<double>(x.row_scale(x_row)[block]) * scaled;
    }
    return sum;
}

double f32_sum(const TileReader& weights, const float* x, size_t columns) {
    double sum = 0;
    for (size_t k = 0; k < columns; ++k) {
        sum += static_cast<double>(weights.value(k)) * static_cast<double>(x[k]);
    }
    return sum;
}

void run(PackFormat format, const LinearArgs& args) {
    for (size_t r = 0; r < args.n_tiles * kTileRows; ++r) {
        const std::byte* tile = args.tiles + r / kTileRows * args.tile_bytes;
        const TileReader weights(format, tile, r % kTileRows);
        for (size_t c = 0; c < args.n_cols; ++c) {
            const double sum =
                args.quantized != nullptr
                    ? quantized_sum(weights, *args.quantized, args.first_row + c)
                    : f32_sum(weights, args.rows + c * args.rows_stride, args.columns);
            float& out = args.out[c * args.out_stride + r];
            out = static_cast<float>(args.accumulate ? static_cast<double>(out) + sum : sum);
        }
    }
}

template <PackFormat kFormat>
void run_quantized(const LinearArgs& args) {
    run(kFormat, args);
}

template <PackFormat kFormat>
void run_f32(const LinearArgs& args) {
    run(kFormat, args);
}

}  // namespace

HONE_LINEAR_QUANTIZED_FORMATS(HONE_DEFINE_QUANTIZED, reference)
HONE_LINEAR_F32_FORMATS(HONE_DEFINE_F32, reference)

}  // namespace hone::kernels
