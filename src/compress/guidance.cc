#include "compress/guidance.h"

#include <algorithm>
#include <atomic>

#include "compress/block_grid.h"
#include "tensor/codec.h"

namespace hone::compress {

float TensorScaling::at(uint64_t row, size_t column) const {
    const float factor = rows.empty() ? 1.0f : rows[row];
    return columns.empty() ? factor : factor * columns[column];
}

void TensorScaling::apply(uint64_t row, std::span<float> values) const {
    for (size_t i = 0; i < values.size(); ++i) values[i] *= at(row, i);
}

void TensorScaling::undo(uint64_t row, std::span<float> values) const {
    for (size_t i = 0; i < values.size(); ++i) values[i] /= at(row, i);
}

TensorGuidance Guidance::of(std::string_view name, tensor::DType type) const {
    TensorGuidance out;
    const auto found = importance.find(name);
    if (found != importance.end()) out.importance = found->second;
    const auto factor = factors.find(name);
    if (factor != factors.end() && has_grid(type)) out.factor = factor->second.get();
    const auto scaled = scaling.find(name);
    if (scaled != scaling.end()) out.scaling = &scaled->second;
    return out;
}

Guidance make_guidance(StatisticsByTensor statistics, machine::ThreadTeam& team) {
    std::vector<InputStatistics*> distinct;
    Guidance guidance;
    for (const auto& [name, item] : statistics) {
        guidance.importance[name] = item->squares;
        if (!item->moments.empty()) distinct.push_back(item.get());
    }
    std::sort(distinct.begin(), distinct.end());
    distinct.erase(std::unique(distinct.begin(), distinct.end()), distinct.end());
    std::vector<std::shared_ptr<const FeedbackFactor>> factors(distinct.size());
    std::atomic<size_t> next = 0;
    team.run([&](int) {
        for (size_t i = next++; i < distinct.size(); i = next++) {
            factors[i] = std::make_shared<FeedbackFactor>(make_factor(*distinct[i]));
        }
    });
    for (const auto& [name, item] : statistics) {
        const auto found = std::lower_bound(distinct.begin(), distinct.end(), item.get());
        if (found == distinct.end() || *found != item.get()) continue;
        guidance.factors[name] = factors[static_cast<size_t>(found - distinct.begin())];
    }
    return guidance;
}

RangeResult encode_range(const tensor::TensorView& source, tensor::DType to,
                         const TensorGuidance& guidance, uint64_t first_row, uint64_t rows,
                         std::byte* out) {
    RangeResult result;
    const uint64_t columns = source.columns();
    const uint64_t row_bytes = *tensor::row_bytes(to, columns);
    const uint64_t at_once = guidance.factor != nullptr ? kFeedbackRows : 1;
    std::vector<float> buffer(columns * at_once);
    for (uint64_t r = 0; r < rows; r += at_once) {
        const uint64_t n = std::min(at_once, rows - r);
        for (uint64_t i = 0; i < n; ++i) {
            const uint64_t at = first_row + r + i;
            const auto row = std::span(buffer).subspan(i * columns, columns);
            tensor::dequantize(source.dtype, source.row(at), columns, row.data());
            if (guidance.scaling != nullptr) guidance.scaling->apply(at, row);
            if (const auto bad = find_bad(to, row)) {
                result.bad = BadWeight{at, *bad};
                return result;
            }
        }
        const auto tile = std::span(buffer).first(n * columns);
        std::byte* to_bytes = out + r * row_bytes;
        result.error.add(guidance.factor != nullptr
                             ? encode_rows_with_feedback(to, tile, *guidance.factor, to_bytes)
                             : encode_row(to, tile, guidance.importance, to_bytes));
    }
    return result;
}

std::vector<RangeResult> encode_with_team(const tensor::TensorView& source, tensor::DType to,
                                          const TensorGuidance& guidance, uint64_t first_row,
                                          uint64_t rows, std::byte* out,
                                          machine::ThreadTeam& team) {
    const uint64_t row_bytes = *tensor::row_bytes(to, source.columns());
    std::vector<RangeResult> results(static_cast<size_t>(team.threads()));
    team.run([&](int thread) {
        const auto range = machine::split_range(static_cast<int64_t>(rows), int64_t{kFeedbackRows},
                                                thread, team.threads());
        const auto begin = static_cast<uint64_t>(range.begin);
        results[static_cast<size_t>(thread)] =
            encode_range(source, to, guidance, first_row + begin,
                         static_cast<uint64_t>(range.end - range.begin), out + begin * row_bytes);
    });
    return results;
}

}  // namespace hone::compress
