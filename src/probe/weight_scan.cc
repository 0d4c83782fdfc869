#include "probe/weight_scan.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <map>
#include <tuple>
#include <utility>

#include "models/checkpoint.h"
#include "probe/experiment_bench.h"
#include "tensor/codec.h"

namespace hone::probe {
namespace {

using cost::TensorScan;
using tensor::DType;
using tensor::TensorView;

constexpr size_t kBlock = 32;
// Decoded at a time: whole blocks of every type, and small enough for a first-level cache.
constexpr size_t kChunkElements = 2048;
// Between two looks at the clock.
constexpr size_t kChunksPerLook = 512;

constexpr uint32_t kMantissa = 0x007f'ffff;
constexpr uint32_t kExponent = 0x7f80'0000;
constexpr uint32_t kMagnitude = 0x7fff'ffff;

// Where a block keeps its halves (tensor/codec.h). Not of the K types: their scale of scales is a
// 63rd or 127th of what a block of 32 has, and below the smallest normal half as a rule.
struct HalfFields {
    DType dtype;
    int count;
};
constexpr HalfFields kHalfFields[] = {{DType::f16, 1},   {DType::q4_0, 1}, {DType::q4_1, 2},
                                      {DType::q5_0, 1},  {DType::q5_1, 2}, {DType::q8_0, 1},
                                      {DType::iq4_nl, 1}};

uint64_t count_half_denormals(DType dtype, const std::byte* data, size_t elements) {
    const auto* fields = std::find_if(std::begin(kHalfFields), std::end(kHalfFields),
                                      [&](const HalfFields& f) { return f.dtype == dtype; });
    if (fields == std::end(kHalfFields)) return 0;
    uint64_t count = 0;
    const size_t blocks = elements / tensor::block_elements(dtype);
    for (size_t block = 0; block < blocks; ++block) {
        for (int i = 0; i < fields->count; ++i) {
            uint16_t half = 0;
            std::memcpy(
                &half,
                data + block * tensor::block_bytes(dtype) + static_cast<size_t>(i) * sizeof(half),
                sizeof(half));
            count += (half & 0x7c00) == 0 && (half & 0x03ff) != 0;
        }
    }
    return count;
}

// Multiply and rotate by eight bytes, as fast hashes of memory do. Not for an adversary: whatever
// is equal by hash is compared.
uint64_t mix(uint64_t hash, const std::byte* data, size_t bytes) {
    constexpr uint64_t kOdd = 0x9e37'79b9'7f4a'7c15;  // 2^64 / golden ratio
    while (bytes > 0) {
        uint64_t word = 0;
        const size_t now = std::min<size_t>(bytes, sizeof(word));
        std::memcpy(&word, data, now);
        hash = std::rotl((hash ^ word) * kOdd, 29);
        data += now;
        bytes -= now;
    }
    return hash * kOdd;
}

// Counts of one chunk; the return is whether all of it was 0.
bool count_values(const float* values, size_t elements, TensorScan& scan) {
    bool all_zero = true;
    for (size_t begin = 0; begin < elements; begin += kBlock) {
        const size_t end = std::min(begin + kBlock, elements);
        uint32_t any = 0;
        uint32_t denormals = 0;
        uint32_t nans = 0;
        uint32_t infinities = 0;
        for (size_t i = begin; i < end; ++i) {
            const auto bits = std::bit_cast<uint32_t>(values[i]);
            const uint32_t magnitude = bits & kMagnitude;
            any |= magnitude;
            denormals += (bits & kExponent) == 0 && (bits & kMantissa) != 0;
            nans += magnitude > kExponent;
            infinities += magnitude == kExponent;
        }
        scan.denormals += denormals;
        scan.nans += nans;
        scan.infinities += infinities;
        all_zero = all_zero && any == 0;
        if (end - begin < kBlock) continue;
        ++scan.blocks;
        scan.zero_blocks += any == 0;
    }
    return all_zero;
}

bool is_vocabulary(std::string_view name) {
    return name == "output.weight" || name == "token_embd.weight";
}

class Scanner {
  public:
    Scanner(const formats::GgufFile& file, const base::Clock& clock,
            const WeightScanOptions& options, const Conduct& conduct)
        : file_(file),
          clock_(clock),
          conduct_(conduct),
          findings_max_(options.findings_max),
          end_ns_(clock.now_ns() + static_cast<int64_t>(options.budget_s * 1e9)),
          values_(kChunkElements) {}

    base::Result<cost::WeightScan> run() {
        for (const formats::GgufTensor& tensor : file_.tensors()) {
            if (!tensor.dtype || *tensor.dtype == DType::i32) continue;
            ++result_.tensors;
            result_.bytes += tensor.bytes;
        }
        for (const formats::GgufTensor& tensor : file_.tensors()) {
            if (!tensor.dtype || *tensor.dtype == DType::i32) continue;
            HONE_TRY(const bool whole, scan_tensor(tensor));
            if (!whole) return std::move(result_);
        }
        result_.complete = true;
        return std::move(result_);
    }

  private:
    // Equal tensors have all of it equal.
    using Key = std::tuple<DType, std::array<uint64_t, 4>, uint64_t>;

    // False when the time was over before the end of the tensor.
    base::Result<bool> scan_tensor(const formats::GgufTensor& tensor) {
        TensorScan scan;
        scan.name = std::string(tensor.name);
        scan.dtype = tensor.type_name;
        const TensorView& view = tensor.view;
        std::vector<std::pair<uint64_t, uint64_t>> row_hashes;
        const bool keeps_rows = is_vocabulary(tensor.name);
        uint64_t hash = 0;
        uint64_t row = 0;
        for (; row < view.rows(); ++row) {
            HONE_TRY(const bool more, time_left());
            if (!more) break;
            const bool zero = scan_row(view, row, scan);
            const uint64_t row_hash = mix(1, view.row(row), view.row_size_bytes());
            hash = mix(hash, reinterpret_cast<const std::byte*>(&row_hash), sizeof(row_hash));
            scan.zero_rows += zero;
            if (keeps_rows && !zero) row_hashes.emplace_back(row_hash, row);
        }
        scan.rows = row;
        scan.elements = row * view.columns();
        scan.bytes = row * view.row_size_bytes();
        scan.duplicate_rows = count_duplicate_rows(view, row_hashes);
        const bool whole = row == view.rows();
        if (whole) {
            scan.all_zero = scan.zero_rows == scan.rows;
            if (!scan.all_zero) scan.duplicate_of = find_duplicate({view, hash}, scan.name);
        }
        result_.bytes_scanned += scan.bytes;
        result_.tensors_scanned += whole;
        keep(std::move(scan), view.rank);
        file_.release(tensor);
        return whole;
    }

    bool scan_row(const TensorView& view, uint64_t row, TensorScan& scan) {
        const std::byte* data = view.row(row);
        bool all_zero = true;
        for (uint64_t column = 0; column < view.columns(); column += kChunkElements) {
            const size_t count = std::min<uint64_t>(kChunkElements, view.columns() - column);
            const std::byte* chunk = data + *tensor::row_bytes(view.dtype, column);
            tensor::dequantize(view.dtype, chunk, count, values_.data());
            all_zero = count_values(values_.data(), count, scan) && all_zero;
            scan.half_denormals += count_half_denormals(view.dtype, chunk, count);
        }
        chunks_ += view.columns() / kChunkElements + 1;
        return all_zero;
    }

    base::Result<bool> time_left() {
        if (chunks_ < kChunksPerLook) return true;
        chunks_ = 0;
        HONE_TRY_STATUS(conduct_.check());
        return clock_.now_ns() < end_ns_;
    }

    static uint64_t count_duplicate_rows(const TensorView& view,
                                         std::vector<std::pair<uint64_t, uint64_t>>& hashes) {
        std::sort(hashes.begin(), hashes.end());
        uint64_t count = 0;
        for (size_t i = 1; i < hashes.size(); ++i) {
            count += hashes[i].first == hashes[i - 1].first &&
                     std::memcmp(view.row(hashes[i].second), view.row(hashes[i - 1].second),
                                 view.row_size_bytes()) == 0;
        }
        return count;
    }

    struct Hashed {
        const TensorView& view;
        uint64_t hash;
    };
    // The earlier tensor with the same bytes, or "": then this one is kept for later ones.
    std::string find_duplicate(const Hashed& tensor, const std::string& name) {
        const Key key{tensor.view.dtype, tensor.view.dims, tensor.hash};
        const auto [at, added] = seen_.try_emplace(key, tensor.view, name);
        if (added) return "";
        const auto& [view, earlier] = at->second;
        const bool equal = std::memcmp(view.data, tensor.view.data, tensor.view.bytes) == 0;
        return equal ? earlier : "";
    }

    // Norms of a layer are small: only matrices are worth telling when they exist twice.
    void keep(TensorScan scan, int rank) {
        const bool worth = scan.denormals + scan.half_denormals + scan.nans + scan.infinities +
                                   scan.zero_blocks + scan.zero_rows + scan.duplicate_rows >
                               0 ||
                           (!scan.duplicate_of.empty() && rank > 1);
        if (!worth) return;
        if (result_.findings.size() >= findings_max_) {
            ++result_.findings_left_out;
            return;
        }
        result_.findings.push_back(std::move(scan));
    }

    const formats::GgufFile& file_;
    const base::Clock& clock_;
    const Conduct& conduct_;
    size_t findings_max_;
    int64_t end_ns_;
    std::vector<float> values_;
    size_t chunks_ = kChunksPerLook;  // the first row looks at the clock
    std::map<Key, std::pair<TensorView, std::string>> seen_;
    cost::WeightScan result_;
};

}  // namespace

base::Result<cost::WeightScan> scan_weights(const formats::GgufFile& file, const base::Clock& clock,
                                            const WeightScanOptions& options,
                                            const Conduct& conduct) {
    return Scanner(file, clock, options, conduct).run();
}

ExperimentOutcome weight_scan(const ExperimentBench& bench, const ExperimentOrder&,
                              const TimeBox& box) {
    HONE_TRY(const auto file, models::open_model_file(bench.session.model().path()));
    WeightScanOptions options;
    // It is done once: a little of what the others have is well spent on the last tensors.
    options.budget_s = std::min(box.to_the_end_s(), 2 * std::max(0.0, box.left_s()));
    HONE_TRY(const cost::WeightScan scan, scan_weights(file, bench.clock, options, bench.conduct));
    return ExperimentResults{cost::to_experiment(scan)};
}

double weight_scan_s(const ExperimentBench& bench, const ExperimentOrder&) {
    // The plain decoder of a nibble format; all others are faster by the byte.
    constexpr double kBytesPerSecond = 100e6;
    return static_cast<double>(bench.session.model().file_bytes()) / kBytesPerSecond;
}

}  // namespace hone::probe
