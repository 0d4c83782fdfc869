// The graph pipeline: named rewrites, each with a switch, a timer and the verifier after it.
//
// The order is part of the design (docs/ARCHITECTURE.md). Every pass declares its numeric class,
// and a test holds pipeline-on against pipeline-off to it: `exact` = the same logits bit for bit,
// `reordered` = the same f32 terms added in another order (last bits differ), `close` = the
// activations are rounded differently (int8), so only the quality gate can judge it.
#pragma once

#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "graph/graph.h"
#include "measure/record.h"

namespace hone::graph {

enum class NumericClass : uint8_t { exact, reordered, close };

struct Pass {
    const char* name;
    const char* summary;
    NumericClass numeric;
    int (*run)(Graph& graph);  // returns the number of rewrites
};

std::span<const Pass> passes();

// invalid_argument for an unknown name in `disabled`; internal when a pass breaks the graph.
base::Result<std::vector<measure::PassRun>> run_passes(Graph& graph,
                                                       std::span<const std::string> disabled,
                                                       const base::Clock& clock);

int fold_constants(Graph& graph);
int last_position_logits(Graph& graph);
int merge_qkv(Graph& graph);
int merge_gate_up(Graph& graph);
int fuse_residual(Graph& graph);
int quantize_activations(Graph& graph);
int fuse_norm_add(Graph& graph);
int fuse_norm_quantize(Graph& graph);
int fuse_gated_quantize(Graph& graph);
int share_common(Graph& graph);
int dead_code(Graph& graph);

}  // namespace hone::graph
