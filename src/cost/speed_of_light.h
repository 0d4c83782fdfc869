// How long a node must take at least on this machine, and how near the measured time comes.
//
//   t_compute = FLOPs / peak(arithmetic, ISA, threads)      t_memory = bytes / bandwidth(set,
//   threads) bound = max(t_compute, t_memory)                         utilization = bound / time
// (the roofline model: Williams, Waterman, Patterson, 2009). Two compute roofs: the variant's own
// arithmetic, and the best arithmetic for the format on this machine, so that a good f32 kernel on
// 4-bit weights does not pass for efficient. A roof that was not measured is absent, never guessed.
// Pure functions.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "cost/node_desc.h"
#include "machine/profile.h"
#include "measure/record.h"

namespace hone::cost {

// "u4m/avx512vnni" -> format u4m, isa avx512vnni; "u4m/f32/avx2": f32 activations; "avx2": no
// format (elementwise).
struct VariantName {
    std::string format;
    std::string isa;
    bool f32_activations = false;
};
VariantName parse_variant(std::string_view variant);
// The integer formats whose kernels multiply bytes.
bool is_integer_format(std::string_view format);
// What a linear of the run computes in where its weights have that format: the planner rounds
// activations to 8 bits for integer weights, unless that pass is off.
Arithmetic linear_arithmetic(const measure::RunRecord& record, std::string_view format);
// Some linear of the run would compute in something else with weights of that format: of what that
// takes, its bytes say nothing.
bool changes_arithmetic(const measure::RunRecord& record, std::string_view format);
Arithmetic variant_arithmetic(const VariantName& variant);

struct RoofQuery {
    Arithmetic arithmetic = Arithmetic::f32;
    std::string format;  // "" without weights
    std::string isa;     // of the variant; "" = best measured
    int threads = 1;
    uint64_t working_set_bytes = 0;  // what is streamed between two uses of the same byte
};

struct LightTime {
    std::optional<double> compute_ns;       // the variant's own arithmetic
    std::optional<double> compute_best_ns;  // the best arithmetic for this format here
    std::optional<double> memory_ns;
    // Of a sum: each part has its own nearer roof, so this is the sum of their bounds, which is
    // more than the bound of the sums.
    std::optional<double> bound_sum_ns;
    std::optional<double> bound_best_sum_ns;

    // nullopt unless both roofs are known.
    std::optional<double> bound_ns() const;
    std::optional<double> bound_best_ns() const;
    bool memory_side() const { return memory_ns.value_or(0) > compute_ns.value_or(0); }
    LightTime& operator+=(const LightTime& other);
};

LightTime light_time(const Work& work, const RoofQuery& query,
                     const machine::MachineProfile& profile);

// Sum of the bounds of all nodes of one step; nullopt when any roof is missing. `isa` as in
// RoofQuery.
std::optional<double> light_step_ns(std::span<const NodeDesc> nodes, const StepShape& step,
                                    const machine::MachineProfile& profile, int threads,
                                    uint64_t working_set_bytes, const std::string& isa = "");

// Row operators of a small step are done by every thread into a copy of its own, which saves a
// barrier: then all threads together are as fast as one. The planner follows this rule.
bool done_by_every_thread(OpKind kind, double tokens);

// The bound of one aggregate of a record (all its calls together).
LightTime sample_light(const measure::RunRecord& record, const measure::OperatorSample& sample);
// Wall of an aggregate: slowest thread's compute + barrier + dispatch.
double sample_wall_ns(const measure::OperatorSample& sample);
const measure::PlanNodeFacts* node_of(const measure::RunRecord& record, uint32_t index);
// Bytes that pass through the caches between two uses of a weight or KV byte.
uint64_t streamed_bytes(const measure::RunRecord& record);

}  // namespace hone::cost
