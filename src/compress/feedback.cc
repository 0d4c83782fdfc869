#include "compress/feedback.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "base/check.h"
#include "compress/block_grid.h"

namespace hone::compress {
namespace {

// Rows of the factor that are subtracted from the rest at once.
constexpr size_t kPanel = 8;
// Columns of a block that are fed back to at once; blocks are whole multiples of it.
constexpr size_t kColumnsAtOnce = 4;
// A pivot below this share of the mean is as good as zero; the damping keeps pivots above it, but
// for rounding.
constexpr float kPivotMin = 1e-6f;

// One column of a tile: a row in each lane. Spelled out in vectors, since GCC 12 otherwise
// transposes the columns instead and shuffles for most of the time.
using FourRows = float __attribute__((vector_size(16)));
struct RowLanes {
    std::array<FourRows, kFeedbackRows / 4> parts;

    float operator[](size_t row) const { return parts[row / 4][row % 4]; }
    void set(size_t row, float value) { parts[row / 4][row % 4] = value; }
};

// Row j loses factor[k] times row k, for `Count` rows k at once; i <= j.
template <size_t Count>
void subtract_rows(const float* rows, size_t width, const std::array<float, Count>& factors,
                   size_t j, float* row_j) {
    for (size_t i = 0; i <= j; ++i) {
        float sum = 0;
        for (size_t k = 0; k < Count; ++k) sum += factors[k] * rows[k * width + i];
        row_j[i] -= sum;
    }
}

// The moments become, from the last row to the first, rows S[k] of H = sum over k of S[k]^T S[k].
void factor_in_place(std::vector<float>& h, size_t n, float pivot_min) {
    for (size_t end = n; end > 0;) {
        const size_t begin = end >= kPanel ? end - kPanel : 0;
        for (size_t k = end; k-- > begin;) {
            float* row = h.data() + k * n;
            const float pivot = std::sqrt(std::max(row[k], pivot_min));
            for (size_t i = 0; i < k; ++i) row[i] /= pivot;
            row[k] = pivot;
            for (size_t j = begin; j < k; ++j) {
                subtract_rows<1>(row, n, {row[j]}, j, h.data() + j * n);
            }
        }
        for (size_t j = 0; j < begin; ++j) {
            // A panel with rows before it is a whole one.
            std::array<float, kPanel> factors;
            for (size_t k = 0; k < kPanel; ++k) factors[k] = h[(begin + k) * n + j];
            subtract_rows<kPanel>(h.data() + begin * n, n, factors, j, h.data() + j * n);
        }
        end = begin;
    }
}

// sums[c] += sum over i in [begin, end) of a[c][i] * errors[i], for `Columns` rows of `a` at once:
// additions that wait for each other leave a core idle for most of the time.
template <size_t Columns>
void add_feedback(const float* a, size_t width, const RowLanes* errors, size_t begin, size_t end,
                  RowLanes* sums) {
    std::array<RowLanes, Columns> sum;
    std::copy_n(sums, Columns, sum.begin());
    for (size_t i = begin; i < end; ++i) {
        for (size_t c = 0; c < Columns; ++c) {
            const float factor = a[c * width + i];
            for (size_t p = 0; p < sum[c].parts.size(); ++p) {
                sum[c].parts[p] += factor * errors[i].parts[p];
            }
        }
    }
    std::copy_n(sum.begin(), Columns, sums);
}

// A tile of rows under work: element [column][row].
class FeedbackTile {
  public:
    FeedbackTile(tensor::DType dtype, std::span<const float> rows, const FeedbackFactor& factor)
        : dtype_(dtype),
          shape_(grid_shape(dtype)),
          factor_(factor),
          n_rows_(rows.size() / factor.width),
          weights_(factor.width),
          errors_(factor.width) {
        for (size_t r = 0; r < n_rows_; ++r) {
            for (size_t k = 0; k < factor.width; ++k) {
                weights_[k].set(r, rows[r * factor.width + k]);
            }
        }
    }

    void encode(std::byte* out) {
        const auto n = static_cast<size_t>(shape_.elements());
        const size_t block_bytes = tensor::block_bytes(dtype_);
        const size_t row_bytes = factor_.width / n * block_bytes;
        for (size_t at = 0; at < factor_.width; at += n) {
            start_block(at, n);
            for (size_t k = at; k < at + n; ++k) round_column(k, at);
            for (size_t r = 0; r < n_rows_; ++r) {
                pack_block(dtype_, grids_[r], codes_[r],
                           out + r * row_bytes + at / n * block_bytes);
            }
        }
    }

    EncodeError error() const {
        EncodeError sum;
        for (size_t k = 0; k < factor_.width; ++k) {
            for (size_t r = 0; r < n_rows_; ++r) {
                const double off = errors_[k][r], x = weights_[k][r];
                sum.squared += off * off;
                sum.magnitude += x * x;
            }
        }
        sum.weighted = cost_ * factor_.scale;
        return sum;
    }

  private:
    void start_block(size_t at, size_t n) {
        std::copy_n(weights_.begin() + static_cast<ptrdiff_t>(at), n, base_.begin());
        for (size_t c = 0; c < n; c += kColumnsAtOnce) {
            add_feedback<kColumnsAtOnce>(factor_.lower.data() + (at + c) * factor_.width,
                                         factor_.width, errors_.data(), 0, at, &base_[c]);
        }
        std::array<float, kBlockElementsMax> x{};
        for (size_t r = 0; r < n_rows_; ++r) {
            for (size_t c = 0; c < n; ++c) x[c] = base_[c][r];
            grids_[r] = fit_grid(dtype_, x.data(), factor_.diagonal.data() + at);
        }
    }

    void round_column(size_t k, size_t at) {
        RowLanes target = base_[k - at];
        add_feedback<1>(factor_.lower.data() + k * factor_.width, 0, errors_.data(), at, k,
                        &target);
        const int group = static_cast<int>(k - at) / shape_.group_elements;
        for (size_t r = 0; r < n_rows_; ++r) {
            const int code = nearest_code(shape_, grids_[r], group, target[r]);
            const float value = code_value(shape_, grids_[r], group, code);
            codes_[r][k - at] = static_cast<int8_t>(code);
            errors_[k].set(r, weights_[k][r] - value);
            const double off = double{target[r]} - value;
            cost_ += factor_.diagonal[k] * off * off;
        }
    }

    tensor::DType dtype_;
    GridShape shape_;
    const FeedbackFactor& factor_;
    size_t n_rows_;
    std::vector<RowLanes> weights_;
    std::vector<RowLanes> errors_;
    std::array<RowLanes, kBlockElementsMax> base_{};  // u of the block's columns, when it began
    std::array<BlockGrid, kFeedbackRows> grids_{};
    std::array<BlockCodes, kFeedbackRows> codes_{};
    double cost_ = 0;  // sum of D (u - w')^2, D of mean 1
};

}  // namespace

FeedbackFactor make_factor(InputStatistics& statistics, float damping) {
    const size_t n = statistics.width;
    HONE_CHECK_EQ(statistics.moments.size(), n * n);
    FeedbackFactor factor;
    factor.width = n;
    factor.lower = std::move(statistics.moments);
    statistics.moments.clear();
    double sum = 0;
    for (size_t k = 0; k < n; ++k) sum += factor.lower[k * n + k];
    const auto mean = static_cast<float>(sum / static_cast<double>(n));
    // Columns that never move leave their weights as they are: any positive pivot does.
    const float floor = mean > 0 ? mean : 1.0f;
    for (size_t k = 0; k < n; ++k) factor.lower[k * n + k] += damping * floor;
    factor_in_place(factor.lower, n, kPivotMin * floor);
    factor.diagonal.resize(n);
    for (size_t k = 0; k < n; ++k) {
        float* row = factor.lower.data() + k * n;
        for (size_t i = 0; i < k; ++i) row[i] /= row[k];
        factor.diagonal[k] = row[k] * row[k];
    }
    double pivots = 0;
    for (const float value : factor.diagonal) pivots += value;
    factor.scale = static_cast<float>(pivots / static_cast<double>(n));
    error_weights(std::vector<float>(factor.diagonal), factor.diagonal);
    return factor;
}

EncodeError encode_rows_with_feedback(tensor::DType dtype, std::span<const float> rows,
                                      const FeedbackFactor& factor, std::byte* out) {
    HONE_CHECK_EQ(rows.size() % factor.width, size_t{0});
    HONE_CHECK_LE(rows.size(), factor.width * kFeedbackRows);
    FeedbackTile tile(dtype, rows, factor);
    tile.encode(out);
    return tile.error();
}

}  // namespace hone::compress
