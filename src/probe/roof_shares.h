// What a step must at least do on this machine, to say how near a measured rate came to its roof.
//
// prefill_compute_share = sum over nodes of FLOPs / peak(the variant's arithmetic and level) /
// wall; decode_bandwidth_share = bytes that must be read (weights in their packed size, KV) / wall
// / rate of only reading the weights, just before and after (WeightReader). Pure functions.
#pragma once

#include <optional>

#include "cost/node_desc.h"
#include "graph/plan.h"
#include "machine/profile.h"

namespace hone::probe {

// The time the arithmetic of one step takes at the measured peaks; nullopt when one is missing.
std::optional<double> step_compute_ns(const graph::Plan& plan, const cost::StepShape& shape,
                                      const machine::MachineProfile& profile);

// Bytes of weights and KV that one step must stream.
double step_stream_bytes(const graph::Plan& plan, const cost::StepShape& shape);

}  // namespace hone::probe
