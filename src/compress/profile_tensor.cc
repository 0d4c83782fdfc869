#include "compress/profile_tensor.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <string>

#include "base/closest.h"
#include "base/text.h"
#include "compress/block_scales.h"
#include "compress/encode.h"
#include "compress/recipe.h"
#include "measure/float_histogram.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

using base::ErrorCode;
using base::fail;
using measure::FloatHistogram;
using tensor::DType;

// Whole blocks of every type, and small enough for a first-level cache.
constexpr size_t kPieceElements = 4096;
constexpr int kProfileLanes = 8;
// Pieces of each lane between two looks at go_on.
constexpr uint64_t kPiecesPerLook = 64;
// Enough for a wide terminal and for a picture; divisible by the columns of narrow ones.
constexpr size_t kBins = 120;
// A plot of values ends at so many standard deviations; what lies beyond is counted.
constexpr double kPlotDeviations = 6;
// Errors are drawn up to this quantile of the largest.
constexpr double kErrorQuantile = 0.999;

// The smallest normal number of the type that a value is stored in.
double smallest_normal(DType dtype) {
    return dtype == DType::f16 ? 0x1p-14 : 0x1p-126;
}

measure::Bins bins_of(const FloatHistogram& values, double low, double high) {
    if (!(low < high)) {
        // All values are one: it stands in the middle.
        const double half = std::max(std::fabs(low) / 2, 1e-30);
        high = low + half;
        low -= half;
    }
    measure::Bins bins{low, high, values.bins(low, high, kBins), 0, 0};
    bins.below = values.outside(low, INFINITY);
    bins.above = values.outside(-INFINITY, high);
    return bins;
}

measure::ValueProfile profile_of(const FloatHistogram& values, double normal_min) {
    measure::ValueProfile out;
    out.count = values.count();
    out.nans = values.nans();
    out.infinities = values.infinities();
    if (out.count == 0) return out;
    out.min = values.min();
    out.max = values.max();
    out.mean = values.mean();
    out.stddev = values.stddev();
    out.rms = values.rms();
    out.median = values.quantile(0.5);
    out.magnitude_p50 = values.magnitude_quantile(0.5);
    out.magnitude_p90 = values.magnitude_quantile(0.9);
    out.magnitude_p99 = values.magnitude_quantile(0.99);
    out.magnitude_p999 = values.magnitude_quantile(0.999);
    const auto n = static_cast<double>(out.count);
    out.zero_share = static_cast<double>(values.zeros()) / n;
    out.denormal_share = static_cast<double>(values.nearer_to_zero(normal_min)) / n;
    const double far = measure::kOutlierDeviations * out.stddev;
    out.outlier_share = static_cast<double>(values.outside(out.mean - far, out.mean + far)) / n;
    const double shown = kPlotDeviations * out.stddev;
    out.bins =
        bins_of(values, std::max(out.min, out.mean - shown), std::min(out.max, out.mean + shown));
    return out;
}

// What one lane saw of one type.
struct TypeSums {
    FloatHistogram error;
    FloatHistogram scales;
    uint64_t to_zero = 0;
    std::optional<std::pair<uint64_t, float>> bad;  // index of the first element it cannot hold
};

struct Lane {
    FloatHistogram values;
    FloatHistogram scales;  // of the stored type
    std::vector<TypeSums> types;
    std::vector<float> weights = std::vector<float>(kPieceElements);
    std::vector<float> decoded = std::vector<float>(kPieceElements);
    std::vector<std::byte> blocks = std::vector<std::byte>(kPieceElements * sizeof(double));
};

void add_scales(DType dtype, const std::byte* blocks, size_t elements, FloatHistogram& scales) {
    if (!tensor::is_quantized(dtype)) return;
    const size_t count = elements / tensor::block_elements(dtype);
    for (size_t i = 0; i < count; ++i) {
        const BlockScales found = block_scales(dtype, blocks + i * tensor::block_bytes(dtype));
        // The sign only says on which side the larger extreme was.
        for (int g = 0; g < found.groups; ++g) scales.add(std::fabs(found.scale[g]));
    }
}

class Profiler {
  public:
    Profiler(const formats::GgufTensor& tensor, const ProfileOptions& options)
        : tensor_(tensor), view_(tensor.view), options_(options), lanes_(kProfileLanes) {
        // Two that fall back to the same are tried once.
        for (const DType asked : options.types) {
            const DType type = tensor::fitting_type(asked, view_.columns());
            const auto found = std::find(types_.begin(), types_.end(), type);
            slots_.push_back(static_cast<size_t>(found - types_.begin()));
            if (found == types_.end()) types_.push_back(type);
        }
        for (Lane& lane : lanes_) lane.types.resize(types_.size());
        pieces_per_row_ = (view_.columns() + kPieceElements - 1) / kPieceElements;
    }

    base::Result<measure::TensorProfile> run(machine::ThreadTeam& team) {
        const uint64_t pieces = pieces_per_row_ * view_.rows();
        const uint64_t at_once = kProfileLanes * kPiecesPerLook;
        for (uint64_t begin = 0; begin < pieces; begin += at_once) {
            if (options_.go_on &&
                !options_.go_on(static_cast<double>(begin) / static_cast<double>(pieces))) {
                return fail(ErrorCode::cancelled, "stopped on request");
            }
            const uint64_t end = std::min(pieces, begin + at_once);
            team.run([&](int thread) {
                for (int lane = thread; lane < kProfileLanes; lane += team.threads()) {
                    for (uint64_t piece = begin + static_cast<uint64_t>(lane); piece < end;
                         piece += kProfileLanes) {
                        add_piece(piece, lanes_[static_cast<size_t>(lane)]);
                    }
                }
            });
        }
        merge_lanes();
        return result();
    }

  private:
    void add_piece(uint64_t piece, Lane& lane) const {
        const uint64_t row = piece / pieces_per_row_;
        const uint64_t column = piece % pieces_per_row_ * kPieceElements;
        const size_t n = std::min<uint64_t>(kPieceElements, view_.columns() - column);
        const std::byte* data = view_.row(row) + *tensor::row_bytes(view_.dtype, column);
        tensor::dequantize(view_.dtype, data, n, lane.weights.data());
        for (size_t i = 0; i < n; ++i) lane.values.add(lane.weights[i]);
        add_scales(view_.dtype, data, n, lane.scales);
        const uint64_t first = row * view_.columns() + column;
        for (size_t t = 0; t < types_.size(); ++t) {
            add_type(types_[t], std::span(lane.weights).first(n), first, lane, lane.types[t]);
        }
    }

    static void add_type(DType type, std::span<const float> weights, uint64_t first, Lane& lane,
                         TypeSums& sums) {
        if (sums.bad) return;
        if (const auto bad = find_bad(type, weights)) {
            sums.bad = {first + bad->column, bad->value};
            return;
        }
        encode_row(type, weights, {}, lane.blocks.data());
        tensor::dequantize(type, lane.blocks.data(), weights.size(), lane.decoded.data());
        for (size_t i = 0; i < weights.size(); ++i) {
            sums.error.add(lane.decoded[i] - weights[i]);
            sums.to_zero += weights[i] != 0 && lane.decoded[i] == 0 ? 1 : 0;
        }
        add_scales(type, lane.blocks.data(), weights.size(), sums.scales);
    }

    void merge_lanes() {
        Lane& all = lanes_.front();
        for (size_t i = 1; i < lanes_.size(); ++i) {
            all.values.add(lanes_[i].values);
            all.scales.add(lanes_[i].scales);
            for (size_t t = 0; t < types_.size(); ++t) {
                TypeSums& to = all.types[t];
                const TypeSums& from = lanes_[i].types[t];
                to.error.add(from.error);
                to.scales.add(from.scales);
                to.to_zero += from.to_zero;
                if (from.bad && (!to.bad || from.bad->first < to.bad->first)) to.bad = from.bad;
            }
        }
    }

    measure::TensorProfile result() const {
        const Lane& all = lanes_.front();
        measure::TensorProfile out;
        out.name = std::string(tensor_.name);
        out.type = tensor_.type_name;
        out.dims.assign(tensor_.dims.begin(), tensor_.dims.begin() + tensor_.rank);
        out.bytes = tensor_.bytes;
        out.bits_per_weight = bits_of(view_.dtype);
        out.values = profile_of(all.values, smallest_normal(view_.dtype));
        if (all.scales.count() > 0) out.scales = profile_of(all.scales, 0x1p-14);
        out.block = stored_block();
        double reach = 0, farthest = 0;
        for (const TypeSums& sums : all.types) {
            if (sums.bad) continue;
            reach = std::max(reach, sums.error.magnitude_quantile(kErrorQuantile));
            farthest = std::max(farthest, sums.error.magnitude_max());
        }
        // Where nearly nothing changed, the few errors are what there is to see.
        if (reach == 0) reach = farthest;
        for (size_t i = 0; i < slots_.size(); ++i) {
            out.stored_as.push_back(stored_as(slots_[i], all, reach));
            out.stored_as.back().asked = std::string(tensor::name(options_.types[i]));
        }
        return out;
    }

    measure::StoredAs stored_as(size_t slot, const Lane& all, double reach) const {
        const DType type = types_[slot];
        const TypeSums& sums = all.types[slot];
        const FloatHistogram& values = all.values;
        measure::StoredAs out;
        out.type = std::string(tensor::name(type));
        out.bits_per_weight = bits_of(type);
        out.bytes = *tensor::row_bytes(type, view_.columns()) * view_.rows();
        if (sums.bad) {
            const auto& [element, value] = *sums.bad;
            out.reason = fmt::format(
                "row {}, column {}: {} {}", element / view_.columns(), element % view_.columns(),
                value, std::isfinite(value) ? "does not fit into F16" : "is not a finite number");
            return out;
        }
        out.error = profile_of(sums.error, 0x1p-126);
        out.error.bins = bins_of(sums.error, -reach, reach);
        out.rmse = sums.error.rms();
        out.max_error = sums.error.magnitude_max();
        if (values.sum_squares() > 0) out.relative_rmse = out.rmse / values.rms();
        if (values.sum_squares() > 0 && sums.error.sum_squares() > 0) {
            out.snr_db = 10 * std::log10(values.sum_squares() / sums.error.sum_squares());
        }
        const uint64_t nonzero = values.count() - values.zeros();
        if (nonzero > 0) {
            out.to_zero_share = static_cast<double>(sums.to_zero) / static_cast<double>(nonzero);
        }
        if (sums.scales.count() > 0) out.scales = profile_of(sums.scales, 0x1p-14);
        out.block = block_view(type, nullptr);
        return out;
    }

    bool has_example(DType type) const {
        return has_grid(type) && options_.example < example_count(tensor_);
    }

    std::optional<measure::BlockView> stored_block() const {
        if (!has_example(view_.dtype)) return std::nullopt;
        const uint64_t element = options_.example * kExampleElements;
        const uint64_t whole = element / tensor::block_elements(view_.dtype);
        return block_view(view_.dtype, view_.data + whole * tensor::block_bytes(view_.dtype));
    }

    // Of the block that holds the example: as it is stored, or encoded now.
    std::optional<measure::BlockView> block_view(DType type, const std::byte* stored) const {
        if (!has_example(type)) return std::nullopt;
        const GridShape shape = grid_shape(type);
        const auto n = static_cast<size_t>(shape.elements());
        const uint64_t element = options_.example * kExampleElements;
        const uint64_t first = element / n * n;
        std::array<float, kBlockElementsMax> weights{};
        std::array<float, kBlockElementsMax> decoded{};
        std::array<std::byte, kBlockElementsMax * sizeof(float)> block{};
        read_elements(first, n, weights.data());
        if (stored == nullptr) {
            encode_row(type, std::span(weights).first(n), {}, block.data());
            stored = block.data();
        }
        tensor::dequantize(type, stored, n, decoded.data());
        // A foreign block may have a scale that is no number: there is no grid then.
        if (find_bad(DType::f32, std::span(decoded).first(n))) return std::nullopt;
        const BlockScales scales = block_scales(type, stored);
        const size_t group = (element - first) / static_cast<size_t>(shape.group_elements);
        BlockGrid grid;
        grid.scale = scales.scale;
        grid.minimum = scales.minimum;
        measure::BlockView out;
        out.first = first + group * static_cast<size_t>(shape.group_elements);
        out.scale = grid.scale[group];
        out.minimum = grid.minimum[group];
        const int of = static_cast<int>(group);
        for (int code = shape.low; code <= shape.high; ++code) {
            out.levels.push_back(code_value(shape, grid, of, code));
        }
        std::sort(out.levels.begin(), out.levels.end());
        const size_t begin = group * static_cast<size_t>(shape.group_elements);
        for (size_t i = begin; i < begin + static_cast<size_t>(shape.group_elements); ++i) {
            out.values.push_back(weights[i]);
            out.stored.push_back(decoded[i]);
            out.codes.push_back(nearest_code(shape, grid, of, decoded[i]));
        }
        return out;
    }

    // `first` and n: whole blocks of a type that fits the rows, so they lie in one row; of the
    // stored type they may be a part of a larger block.
    void read_elements(uint64_t first, size_t n, float* out) const {
        const size_t per_block = tensor::block_elements(view_.dtype);
        std::array<float, 2 * kBlockElementsMax> decoded{};
        const uint64_t begin = first / per_block * per_block;
        const uint64_t end = (first + n + per_block - 1) / per_block * per_block;
        tensor::dequantize(view_.dtype,
                           view_.data + begin / per_block * tensor::block_bytes(view_.dtype),
                           end - begin, decoded.data());
        std::copy_n(decoded.data() + (first - begin), n, out);
    }

    const formats::GgufTensor& tensor_;
    const tensor::TensorView& view_;
    const ProfileOptions& options_;
    std::vector<DType> types_;   // that rows of this length can have, each once
    std::vector<size_t> slots_;  // which of them each type asked for became
    std::vector<Lane> lanes_;
    uint64_t pieces_per_row_ = 1;
};

}  // namespace

uint64_t example_count(const formats::GgufTensor& tensor) {
    return (tensor.elements() + kExampleElements - 1) / kExampleElements;
}

base::Result<std::vector<const formats::GgufTensor*>> find_tensors(const formats::GgufFile& file,
                                                                   std::string_view pattern) {
    std::vector<const formats::GgufTensor*> found;
    std::vector<std::string_view> names;
    for (const formats::GgufTensor& tensor : file.tensors()) {
        names.push_back(tensor.name);
        if (tensor.name == pattern || matches_pattern(pattern, tensor.name)) {
            found.push_back(&tensor);
        }
    }
    if (!found.empty()) return found;
    if (names.empty()) return fail(ErrorCode::not_found, "{}: has no tensors", file.name());
    return fail(ErrorCode::not_found, "{}: no tensor '{}'; the closest of {} is '{}'", file.name(),
                base::printable(pattern), names.size(),
                base::printable(base::closest(pattern, names)));
}

base::Result<measure::TensorProfile> profile_tensor(const formats::GgufTensor& tensor,
                                                    const ProfileOptions& options,
                                                    machine::ThreadTeam& team) {
    if (!tensor.dtype) {
        return fail(ErrorCode::unsupported, "tensor '{}': its type {} cannot be read",
                    base::printable(tensor.name), base::printable(tensor.type_name));
    }
    return Profiler(tensor, options).run(team);
}

}  // namespace hone::compress
