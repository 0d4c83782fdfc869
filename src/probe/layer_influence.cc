// layer_influence: how far each layer turns the residual stream, on a text of common words.
//
// The model's own graph, with the stream at the borders of all layers as its output instead of
// logits, runs on a second executor. Block influence: Men et al. 2024, ShortGPT.
#include <algorithm>
#include <cmath>

#include "cost/observations.h"
#include "graph/plan.h"
#include "probe/experiment_bench.h"
#include "probe/synthetic_prompt.h"

namespace hone::probe {
namespace {

using graph::Graph;
using graph::Node;
using graph::OpKind;
using graph::ValueId;

// Tokens of a step; the stream is looked at behind the last of them.
constexpr uint32_t kStepTokens = 8;
constexpr uint32_t kStepsMax = 32;
// Fewer say nothing about a text.
constexpr uint32_t kStepsMin = 4;

// The stream before the first layer and behind each: what the last node before it, and the last
// node of each, makes.
struct Stream {
    std::vector<int> layers;
    std::vector<ValueId> borders;  // [1 + layers]
};

Stream stream_of(const Graph& graph) {
    Stream stream;
    for (size_t n = 1; n < graph.nodes.size(); ++n) {
        const Node& before = graph.nodes[n - 1];
        if (before.layer == graph.nodes[n].layer) continue;
        if (before.layer >= 0) stream.layers.push_back(before.layer);
        if (before.layer >= 0 || stream.borders.empty()) {
            stream.borders.push_back(before.outputs[0]);
        }
    }
    return stream;
}

// The borders side by side, where the logits were.
void show_stream(Graph& graph, const Stream& stream) {
    const auto rows =
        std::find_if(graph.values.begin(), graph.values.end(), [](const graph::Value& value) {
            return value.origin == graph::ValueOrigin::input_output_rows;
        });
    const auto output_rows = static_cast<ValueId>(rows - graph.values.begin());
    const ValueId all = graph.add_op(OpKind::concat, "stream", -1, stream.borders);
    graph.output = graph.add_op(OpKind::select_rows, "stream.selected", -1, {all, output_rows});
}

double cosine(const float* a, const float* b, size_t n) {
    double ab = 0;
    double aa = 0;
    double bb = 0;
    for (size_t i = 0; i < n; ++i) {
        ab += double{a[i]} * double{b[i]};
        aa += double{a[i]} * double{a[i]};
        bb += double{b[i]} * double{b[i]};
    }
    return aa > 0 && bb > 0 ? ab / std::sqrt(aa * bb) : 1;
}

uint32_t steps_of(const ExperimentBench& bench) {
    const uint32_t context = bench.session.options().limits.context;
    return std::min(kStepsMax, context / kStepTokens);
}

std::vector<int32_t> text_of(const ExperimentBench& bench, uint32_t tokens) {
    const text::Tokenizer& tokenizer = bench.session.tokenizer();
    const SyntheticPrompt prompt =
        make_prompt(tokenizer, static_cast<int>(tokens), bench.options.seed);
    return tokenizer.encode(prompt.text);
}

}  // namespace

ExperimentOutcome layer_influence(const ExperimentBench& bench, const ExperimentOrder&,
                                  const TimeBox& box) {
    HONE_TRY_STATUS(check_affordable(bench, 1, box));
    const uint32_t positions = steps_of(bench) * kStepTokens;
    const std::vector<int32_t> text = text_of(bench, positions);
    const models::Model& model = bench.session.model();
    HONE_TRY(Graph graph, model.build_graph(bench.session.options().limits.context));
    const Stream stream = stream_of(graph);
    show_stream(graph, stream);
    HONE_TRY_STATUS(graph::verify(graph));
    graph::PrepareOptions prepare = bench.session.plan().options;
    prepare.tokens_max = kStepTokens;
    prepare.outputs_max = 1;
    prepare.screen_head = false;
    HONE_TRY(auto plan, graph::prepare(std::move(graph), prepare, bench.clock));
    machine::ThreadTeam& team = bench.session.executor().team();
    HONE_TRY(const auto executor, graph::Executor::create(std::move(plan), model, team));
    HONE_TRY(Stepper stepper, Stepper::create(model.config(), *executor, 1, positions));

    std::vector<double> sums(stream.layers.size(), 0.0);
    const size_t width = model.config().n_embd;
    uint64_t steps = 0;
    for (; (steps + 1) * kStepTokens <= text.size(); ++steps) {
        HONE_TRY_STATUS(bench.conduct.check());
        if (steps >= kStepsMin && !box.stretchable()) break;
        stepper.append(0, std::span(text).subspan(steps * kStepTokens, kStepTokens), true);
        const float* x = stepper.last_logits().data();
        for (size_t i = 0; i < sums.size(); ++i, x += width) {
            sums[i] += 1 - cosine(x, x + width, width);
        }
    }
    if (steps < kStepsMin) {
        return base::fail(base::ErrorCode::exhausted, "a context of {} tokens is too short",
                          bench.session.options().limits.context);
    }
    cost::LayerInfluences result;
    result.tokens = steps;
    for (size_t i = 0; i < sums.size(); ++i) {
        const double mean = sums[i] / static_cast<double>(steps);
        if (!std::isfinite(mean)) {
            return base::fail(base::ErrorCode::corrupt, "layer {} makes values that are no numbers",
                              stream.layers[i]);
        }
        // Rounding may leave a layer that does nothing a little below 0.
        result.layers.push_back({stream.layers[i], std::max(0.0, mean)});
    }
    return ExperimentResults{cost::to_experiment(result)};
}

double layer_influence_s(const ExperimentBench& bench, const ExperimentOrder&) {
    return bench.costs.open_s +
           steps_of(bench) * kStepTokens * bench.costs.prefill_token_ns * 2 * 1e-9;
}

}  // namespace hone::probe
