// Layer "decomposition": where the wall time of the run went.
//
// wall = load (once) + the requests' time from scheduled start to end. Stages partition the wall;
// operators partition the forward steps; what nothing claims is `unattributed`, never relabelled.
// Not a judgement: causes are diagnose/attribution.h. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cost/speed_of_light.h"
#include "measure/record.h"

namespace hone::diagnose {

struct StagePart {
    std::string name;  // as the record has it: "tokenize", "prefill", "pack", ...
    double ns = 0;
    double share = 0;  // of wall
};

struct Stage {
    std::string id;  // load network queue pre_processing forward post_processing unattributed
    std::optional<double> ns;  // absent: this run has no such stage
    double share = 0;          // of wall
    std::vector<StagePart> parts;
};

// One row of the operator table: a kind, a kind within one slice kind, or a node.
struct OperatorRow {
    std::string kind;
    std::string slice;    // "" = all
    std::string name;     // node name, "" for a kind
    std::string variant;  // the only or the longest-running one
    uint64_t calls = 0;
    uint64_t tokens = 0;
    double wall_ns = 0;  // compute + barrier + dispatch
    double compute_ns = 0;
    double compute_mean_ns = 0;
    double barrier_ns = 0;
    double dispatch_ns = 0;
    double flops = 0;
    double bytes = 0;
    double share = 0;  // of the forward steps
    cost::LightTime light;
    // Bound / time: the share of the nearer roof reached; absent without ceilings.
    std::optional<double> roof_share() const;
};

struct SequenceRow {
    std::string slice;
    uint32_t position_bucket = 0;
    uint64_t tokens = 0;
    double wall_ns = 0;
    double share = 0;  // of the forward steps
    double ns_per_token() const { return tokens == 0 ? 0 : wall_ns / static_cast<double>(tokens); }
};

struct Breakdown {
    double wall_ns = 0;
    double forward_ns = 0;  // prefill + decode stages of the requests (without sampling)
    double steps_ns = 0;    // the steps that `operators` decomposes
    std::vector<Stage> stages;
    std::vector<OperatorRow> operators;           // by kind, longest first
    std::vector<OperatorRow> operators_by_slice;  // by kind and slice, longest first
    std::vector<OperatorRow> nodes;               // by node, longest first
    std::vector<SequenceRow> sequence;            // totals of a slice (bucket rows follow it)
    std::vector<SequenceRow> sequence_buckets;
    std::optional<double> unattributed_share;  // of the steps; absent without operator samples
    double cold_excess_ns = 0;                 // what the cold requests took longer than a warm one

    const Stage* stage(std::string_view id) const;
};

Breakdown break_down(const measure::RunRecord& record);

}  // namespace hone::diagnose
