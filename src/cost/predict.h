// What-ifs: the run of a record simulated again with one thing changed.
//
// simulate() walks all operator aggregates of the record and sums predicted compute + barrier +
// dispatch of each, for the record's own workload; gains are therefore never additive across calls
// and never local to one operator. A factor comes from an experiment or from samples in the record;
// where neither exists the answer is a reason, never a made-up number. Not a measurement: applying
// the change and measuring it is the only proof. Pure.
#pragma once

#include <optional>
#include <string>

#include "cost/experiments.h"
#include "cost/note.h"
#include "cost/utilization.h"
#include "measure/record.h"

namespace hone::cost {

enum class WhatIfKind : uint8_t {
    threads,         // setting: thread count            data: thread_sweep
    batch,           // setting: sequences               data: batch_sweep or batch*_tokens_per_s
    without_pass,    // subject: pass                    data: pass_ablation
    isa,             // setting: level                   data: isa_sweep
    variant,         // subject: family, setting: name   data: variant_sweep
    weight_format,   // setting: packed format           data: operator samples and ceilings
    last_logits,     // head only where logits are read  data: decode samples of the head
    fold_constants,  // constants not computed per step  data: their samples
};

struct WhatIf {
    WhatIfKind kind = WhatIfKind::threads;
    std::string subject;
    std::string setting;
};

struct Simulation {
    Provenance tier = Provenance::none;
    // Time after / time before of a whole slice kind; absent where nothing was measured of it.
    std::optional<Ratio> prefill;
    std::optional<Ratio> decode;
    double before_ns = 0;  // forward time of the run, all slices
    double after_ns = 0;
    int batch = 1;  // sequences that share a step afterwards
};

struct SimulationResult {
    std::optional<Simulation> value;
    Note reason;  // why there is none
};

// Reasons: no_experiment, no_such_setting, no_slice_data, no_operator_samples, no_ceilings,
// nothing_to_change.
SimulationResult simulate(const measure::RunRecord& record, const WhatIf& what_if);

// The output head, when it computes logits for every prompt position and not only for the last:
// rows computed per row needed (> 1.5); nullopt otherwise or without decode samples to compare.
struct WastedHead {
    uint32_t node = 0;
    double rows_per_call = 1;
    double wasted_ns = 0;  // over all prefill calls
};
std::optional<WastedHead> find_wasted_head(const measure::RunRecord& record);
// Time of nodes whose result never changes and that still run in every step.
double constant_node_ns(const measure::RunRecord& record);
// Packed bytes per weight of a format (kernels' 16 x 32 tiles); nullopt for an unknown name.
std::optional<double> format_bytes_per_weight(std::string_view format);

}  // namespace hone::cost
