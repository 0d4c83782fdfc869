// What-ifs: the run of a record simulated again with one thing changed.
//
// Where an experiment of the record made that very change, its interleaved pairs give the factor.
// Otherwise the whole run is simulated, request by request, prompt piece by prompt piece and token
// by token with a growing cache, before and after the change (cost/step_model.h): each node takes
// its speed of light over the utilization measured on this machine. Gains are therefore never
// additive across calls and never local to one operator. Where there are no samples either, the
// answer is a reason, never a made-up number. Not a measurement: applying the change and measuring
// it is the only proof. Pure.
#pragma once

#include <optional>
#include <span>
#include <string>

#include "cost/experiments.h"
#include "cost/note.h"
#include "cost/utilization.h"
#include "measure/record.h"

namespace hone::cost {

enum class WhatIfKind : uint8_t {
    threads,          // setting: thread count          thread_sweep; or ceilings at that count
    batch,            // setting: sequences             batch_sweep, batch*_tokens_per_s; or samples
    without_pass,     // subject: pass                  pass_ablation
    isa,              // setting: level                 isa_sweep; or kernels' points of the machine
    variant,          // subject: family, setting: name variant_sweep; or as isa, for linears
    weight_format,    // setting: packed format         kernels' points; or samples and ceilings
    last_logits,      // head only where logits are read   decode samples of the head
    fold_constants,   // constants not computed per step   their samples
    depth,            // setting: positions in the cache before a token   samples of attention
    kv_dtype,         // setting: f32 | f16 | q8 | q4   samples of attention
    remove_layers,    // setting: how many              samples of the layers
    trim_head,        // setting: share of the vocabulary that stays, 0..1, or "screened"
    step_tokens,      // setting: tokens of one step    samples at several sizes
    prefix_reuse,     // setting: tokens of the prompt that are in the cache already
    remove_padding,   // setting: share of the prompt that is padding, 0..1
    flush_denormals,  // setting: "on" | "off"          ftz
};

struct WhatIf {
    WhatIfKind kind = WhatIfKind::threads;
    std::string subject;
    std::string setting;
};

struct Simulation {
    Provenance tier = Provenance::none;
    // Time after / time before of a whole slice kind; absent where nothing was measured of it. The
    // interval of a measured factor is that of its pairs (n of them); that of a simulated one
    // (n = 0) comes from how well samples predict each other and from what the control shows.
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

// Samples of earlier records of this machine may fill gaps of this one's (`others`).
// Reasons: no_experiment, no_such_setting, no_slice_data, no_operator_samples, no_ceilings,
// no_node_shapes (a record of an older version), no_request_stages, nothing_to_change.
SimulationResult simulate(const measure::RunRecord& record, const WhatIf& what_if,
                          std::span<const measure::RunRecord> others = {});

// The output head, when it computes logits for every prompt position and not only for the last:
// rows computed per row needed (> 1.5); nullopt otherwise or without decode samples to compare.
struct WastedHead {
    uint32_t node = 0;
    double rows_per_call = 1;
    double wasted_ns = 0;  // over all prefill calls
};
std::optional<WastedHead> find_wasted_head(const measure::RunRecord& record);
// Bytes of one value in a cache of that type, scales included; nullopt for an unknown name.
std::optional<double> kv_value_bytes(const measure::RunRecord& record, const std::string& dtype);
// Time of nodes whose result never changes and that still run in every step.
double constant_node_ns(const measure::RunRecord& record);
}  // namespace hone::cost
