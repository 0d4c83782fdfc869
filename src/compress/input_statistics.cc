#include "compress/input_statistics.h"

#include <algorithm>
#include <array>

#include "base/check.h"
#include "runtime/text_reader.h"

namespace hone::compress {
namespace {

using base::ErrorCode;
using base::fail;

// Rows of activations that are added at once: each element of the moments is then read and written
// once per so many products.
constexpr size_t kRowsAtOnce = 8;

void add_squares(const graph::LinearInput& x, size_t begin, size_t end, float* squares) {
    for (size_t r = 0; r < x.n_rows; ++r) {
        const float* row = x.rows + r * x.stride;
        for (size_t i = begin; i < end; ++i) squares[i] += row[i] * row[i];
    }
}

// moments[i] += sum of x_j x_i over `Count` rows, for i <= j.
template <size_t Count>
void add_products(const float* rows, size_t stride, size_t j, float* moments) {
    std::array<float, Count> factor;
    for (size_t r = 0; r < Count; ++r) factor[r] = rows[r * stride + j];
    for (size_t i = 0; i <= j; ++i) {
        float sum = 0;
        for (size_t r = 0; r < Count; ++r) sum += factor[r] * rows[r * stride + i];
        moments[i] += sum;
    }
}

void add_moments(const graph::LinearInput& x, size_t j, float* moments) {
    size_t r = 0;
    for (; r + kRowsAtOnce <= x.n_rows; r += kRowsAtOnce) {
        add_products<kRowsAtOnce>(x.rows + r * x.stride, x.stride, j, moments);
    }
    for (; r < x.n_rows; ++r) add_products<1>(x.rows + r * x.stride, x.stride, j, moments);
}

}  // namespace

InputCollector::InputCollector(graph::Executor& executor,
                               const std::function<bool(const std::string&)>& wants_moments)
    : executor_(&executor), by_node_(executor.plan().nodes.size()) {
    for (size_t n = 0; n < by_node_.size(); ++n) {
        const graph::PlanNode& node = executor.plan().nodes[n];
        if (node.segments.empty()) continue;
        auto statistics = std::make_shared<InputStatistics>();
        bool moments = false;
        for (const graph::PlanSegment& segment : node.segments) {
            for (const graph::WeightPart& part : segment.parts) {
                statistics->width = part.columns;
                moments = moments || (wants_moments && wants_moments(part.name));
                by_tensor_[part.name] = statistics;
            }
        }
        statistics->squares.assign(statistics->width, 0.0f);
        if (moments) statistics->moments.assign(statistics->width * statistics->width, 0.0f);
        by_node_[n] = std::move(statistics);
    }
}

graph::NodeHook InputCollector::hook() {
    return {[](void* context, uint32_t node, int thread) {
                static_cast<InputCollector*>(context)->observe(node, thread);
            },
            this};
}

void InputCollector::observe(uint32_t node, int thread) {
    InputStatistics* statistics = by_node_[node].get();
    if (statistics == nullptr) return;
    const auto input = executor_->linear_input(node, thread);
    HONE_CHECK(input.has_value());
    if (input->n_rows == 0) return;
    const int threads = executor_->team().threads();
    const auto width = static_cast<int64_t>(input->width);
    const auto range = machine::split_range(width, 16, thread, threads);
    add_squares(*input, static_cast<size_t>(range.begin), static_cast<size_t>(range.end),
                statistics->squares.data());
    if (thread == 0) statistics->n_rows += input->n_rows;
    if (statistics->moments.empty()) return;
    // Row j of the triangle has j + 1 elements: dealt out in turns, shares are alike.
    for (auto j = static_cast<size_t>(thread); j < input->width;
         j += static_cast<size_t>(threads)) {
        add_moments(*input, j, statistics->moments.data() + j * input->width);
    }
}

StatisticsByTensor InputCollector::finish() {
    for (const auto& statistics : by_node_) {
        if (statistics == nullptr || statistics->n_rows == 0) continue;
        const float factor = 1.0f / static_cast<float>(statistics->n_rows);
        for (float& value : statistics->squares) value *= factor;
        for (float& value : statistics->moments) value *= factor;
    }
    return std::move(by_tensor_);
}

runtime::LoadOptions calibration_load(uint32_t context, int threads) {
    runtime::LoadOptions options;
    options.threads = threads;
    options.limits = runtime::reader_limits(context);
    options.disabled_passes = {"quantize_activations"};
    options.warm_up = false;
    return options;
}

base::Result<StatisticsByTensor> calibrate(runtime::Session& session,
                                           std::span<const int32_t> tokens,
                                           const CalibrationOptions& options) {
    if (tokens.size() < kCalibrationTokensMin) {
        return fail(ErrorCode::invalid_argument,
                    "the calibration text has {} tokens; at least {} are needed", tokens.size(),
                    kCalibrationTokensMin);
    }
    HONE_TRY(auto reader, runtime::TextReader::create(session, options.context));
    InputCollector collector(session.executor(), options.wants_moments);
    for (size_t at = 0; at < tokens.size();) {
        const size_t end = std::min(at + options.context, tokens.size());
        reader.begin(static_cast<uint32_t>(end - at));
        while (at < end) {
            const double share = static_cast<double>(at) / static_cast<double>(tokens.size());
            if (options.go_on && !options.go_on(share)) {
                return fail(ErrorCode::cancelled, "stopped on request");
            }
            const size_t n = std::min(end - at, reader.rows_max());
            reader.read(tokens.subspan(at, n), runtime::WantedLogits::all, collector.hook());
            at += n;
        }
    }
    return collector.finish();
}

}  // namespace hone::compress
