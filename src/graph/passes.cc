#include "graph/passes.h"

#include <algorithm>
#include <array>

namespace hone::graph {
namespace {

// quantize_activations comes after the merges, so that a merged linear asks for its input once;
// share_common then unites what several linears asked for, and the fusions see single users.
constexpr std::array<Pass, 11> kPasses = {{
    {"fold_constants", "computes rotation tables once", NumericClass::exact, fold_constants},
    {"last_position_logits", "runs the head only for rows whose logits are wanted",
     NumericClass::exact, last_position_logits},
    {"merge_qkv", "one linear for q, k and v", NumericClass::exact, merge_qkv},
    {"merge_gate_up", "gate, up and their product in one tile", NumericClass::exact, merge_gate_up},
    {"fuse_residual", "starts the sums of a linear at residual or bias", NumericClass::reordered,
     fuse_residual},
    {"fuse_norm_add", "adds a norm to the residual in one pass over the row", NumericClass::exact,
     fuse_norm_add},
    {"quantize_activations", "int8 activations for quantized weights", NumericClass::close,
     quantize_activations},
    {"share_common", "computes equal nodes once", NumericClass::exact, share_common},
    {"fuse_norm_quantize", "norm and quantization in one pass over the row", NumericClass::exact,
     fuse_norm_quantize},
    {"fuse_gated_quantize", "quantizes the gated product in its tile", NumericClass::exact,
     fuse_gated_quantize},
    {"dead_code", "removes nodes nobody reads", NumericClass::exact, dead_code},
}};

}  // namespace

std::span<const Pass> passes() {
    return kPasses;
}

base::Result<std::vector<measure::PassRun>> run_passes(Graph& graph,
                                                       std::span<const std::string> disabled,
                                                       const base::Clock& clock) {
    for (const std::string& name : disabled) {
        const bool known = std::any_of(kPasses.begin(), kPasses.end(),
                                       [&](const Pass& pass) { return name == pass.name; });
        if (known) continue;
        std::string names;
        for (const Pass& pass : kPasses)
            names += std::string(names.empty() ? "" : ", ") + pass.name;
        return base::fail(base::ErrorCode::invalid_argument, "unknown pass '{}'; passes: {}", name,
                          names);
    }
    std::vector<measure::PassRun> runs;
    for (const Pass& pass : kPasses) {
        measure::PassRun run;
        run.name = pass.name;
        run.enabled = std::find(disabled.begin(), disabled.end(), run.name) == disabled.end();
        if (run.enabled) {
            const int64_t start_ns = clock.now_ns();
            run.rewrites = pass.run(graph);
            run.ms = static_cast<double>(clock.now_ns() - start_ns) * 1e-6;
            if (auto status = verify(graph); !status) {
                return base::fail(base::ErrorCode::internal, "pass {} broke the graph: {}",
                                  run.name, status.error().message);
            }
        }
        runs.push_back(std::move(run));
    }
    return runs;
}

}  // namespace hone::graph
