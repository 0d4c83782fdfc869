#include "graph/screen.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "cost/screened_head.h"
#include "graph/node_parts.h"
#include "kernels/linear/packed_matrix.h"

namespace hone::graph {
namespace {

using base::ErrorCode;
using base::fail;

// |x|, rounded up, of the one output row of a step as the kernels see it.
double input_norm(const StepContext& step, ValueId x, int thread) {
    const Value& value = step.plan->graph.values[x];
    double sum = 0;
    if (value.type == ElementType::q8) {
        const kernels::QuantizedRows rows = quantized(step, x, thread);
        const int8_t* q = rows.row_q(0);
        for (size_t block = 0; block < rows.columns / kernels::kBlock; ++block) {
            int32_t squares = 0;
            for (size_t i = 0; i < kernels::kBlock; ++i) {
                const int32_t code = q[block * kernels::kBlock + i];
                squares += code * code;
            }
            const double scale = rows.row_scale(0)[block];
            sum += scale * scale * squares;
        }
    } else {
        const float* row = step.f32(x, thread);
        for (size_t i = 0; i < value.width(); ++i) sum += double{row[i]} * double{row[i]};
    }
    // The sum of some thousand terms in double precision.
    return std::sqrt(sum) * (1 + 1e-9);
}

bool reaches(const float* scores, const float* bounds, float norm, float threshold) {
    int hits = 0;
    // Written so that a score or a bound that is no number counts.
    for (size_t r = 0; r < kernels::kTileRows; ++r) {
        hits += !(scores[r] + bounds[r] * norm < threshold);
    }
    return hits > 0;
}

// The largest logit of the tile with the best score; all threads find the same. Not finite: there
// is nothing to go by.
float best_logit(const StepContext& step, uint32_t index, int thread, const float* scores,
                 size_t vocab) {
    const size_t best = step.plan->rows->argmax(scores, vocab);
    if (best >= vocab) return std::numeric_limits<float>::quiet_NaN();
    const size_t tile = best / kernels::kTileRows;
    alignas(64) float logits[kernels::kTileRows];
    run_linear_tiles(step, index, thread, {tile, tile + 1}, logits);
    const size_t rows = std::min(kernels::kTileRows, vocab - tile * kernels::kTileRows);
    float largest = -std::numeric_limits<float>::infinity();
    for (size_t r = 0; r < rows; ++r) {
        if (!std::isfinite(logits[r])) return logits[r];
        largest = std::max(largest, logits[r]);
    }
    return largest;
}

}  // namespace

base::Status screen_head(Graph& graph) {
    const bool linear = !graph.nodes.empty() && graph.nodes.back().kind == OpKind::linear &&
                        graph.nodes.back().outputs[0] == graph.output &&
                        graph.nodes.back().inputs.size() == 2;
    if (!linear) {
        return fail(ErrorCode::unsupported,
                    "this model's logits are not the plain product of one matrix: its head cannot "
                    "be screened");
    }
    Node head = graph.nodes.back();
    const Value weight = graph.values[head.inputs[1]];
    if (weight.parts.size() != 1 || weight.parts[0].first_row != 0 ||
        weight.parts[0].columns % kernels::kBlock != 0 ||
        graph.values[graph.output].dims.front().symbol != Symbol::outputs) {
        return fail(ErrorCode::unsupported, "a head of this shape cannot be screened");
    }
    const WeightPart& part = weight.parts[0];
    const kernels::PackFormat screen_format = kernels::pack_format_for(kScreenType);
    HONE_CHECK(std::string_view(kernels::pack_format_name(screen_format)) == cost::kScreenFormat);
    const size_t full =
        kernels::packed_tile_bytes(kernels::pack_format_for(part.dtype), part.columns);
    const size_t screen = kernels::packed_tile_bytes(screen_format, part.columns);
    if (static_cast<double>(screen) > cost::kScreenShareMax * static_cast<double>(full)) {
        return fail(ErrorCode::unsupported,
                    "a screen of {} bytes for each 16 rows of the head saves too little of {}",
                    screen, full);
    }
    Value rounded = weight;
    rounded.name += ".screen";
    rounded.parts[0].dtype = kScreenType;
    rounded.parts[0].rounded = true;
    graph.nodes.pop_back();
    const ValueId scores =
        graph.add_op(OpKind::linear, head.name + "_screen", head.layer,
                     {head.inputs[0], graph.add_value(std::move(rounded))}, ScreenAttributes{});
    head.kind = OpKind::linear_screened;
    head.inputs.push_back(scores);
    graph.nodes.push_back(std::move(head));
    return {};
}

void run_linear_screened(const StepContext& step, uint32_t index, int thread) {
    const Node& node = step.plan->nodes[index].node;
    auto* out = reinterpret_cast<float*>(step.memory(node.outputs[0], thread));
    const kernels::PackedMatrix& matrix = step.weights->segments(index)[0];
    const Range mine = split(matrix.tiles(), 1, thread, step.threads);
    float threshold = std::numeric_limits<float>::quiet_NaN();
    const float* scores = nullptr;
    if (step.screened) {
        scores = step.f32(node.inputs[2], thread);
        threshold =
            best_logit(step, index, thread, scores, matrix.rows) - *step.input->logits_margin;
    }
    if (!std::isfinite(threshold)) {
        return run_linear_tiles(step, index, thread, mine, out + mine.begin * kernels::kTileRows);
    }
    const float* bounds = step.weights->screen_bounds(node.inputs[1]);
    // Up to the next float, as the bounds are.
    const float norm = std::nextafter(static_cast<float>(input_norm(step, node.inputs[0], thread)),
                                      std::numeric_limits<float>::infinity());
    uint32_t computed = 0;
    for (size_t tile = mine.begin; tile < mine.end; ++tile) {
        const size_t row = tile * kernels::kTileRows;
        if (reaches(scores + row, bounds + row, norm, threshold)) {
            run_linear_tiles(step, index, thread, {tile, tile + 1}, out + row);
            ++computed;
        } else {
            std::fill_n(out + row, kernels::kTileRows, -std::numeric_limits<float>::infinity());
        }
    }
    step.tasks[index].fetch_add(computed, std::memory_order_relaxed);
}

void ScreenMeter::add(size_t tiles_computed, size_t tiles) {
    const auto share = static_cast<double>(tiles_computed) / static_cast<double>(tiles);
    if (share > kPauseShare) pause_steps_ = kPauseSteps;
}

bool ScreenMeter::wants_screen() {
    if (pause_steps_ == 0) return true;
    --pause_steps_;
    return false;
}

}  // namespace hone::graph
