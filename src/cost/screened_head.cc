#include "cost/screened_head.h"

#include "cost/kernel_curve.h"
#include "cost/simulate_run.h"
#include "cost/speed_of_light.h"

namespace hone::cost {
namespace {

using measure::RunRecord;

// What the rows that can win add, of the head's bytes: 0.5 to 7 % on real texts.
constexpr double kScreenedRowsShare = 0.02;

// What the scores read, of the head's bytes.
std::optional<double> scores_share(const RunRecord& record) {
    if (record.nodes.empty()) return std::nullopt;
    const measure::PlanNodeFacts& head = record.nodes.back();
    if (head.kind != op_kind_name(OpKind::linear) || !head.shape.per_output) return std::nullopt;
    const auto now = format_bytes_per_weight(parse_variant(head.variant).format);
    const auto then = format_bytes_per_weight(kScreenFormat);
    if (!now || !then || *then > kScreenShareMax * *now) return std::nullopt;
    return *then / *now;
}

}  // namespace

std::optional<double> screened_head_share(const RunRecord& record) {
    const auto scores = scores_share(record);
    if (!scores) return std::nullopt;
    return *scores + kScreenedRowsShare;
}

SimulationResult simulate_screened_head(const RunRecord& record,
                                        std::span<const RunRecord> others) {
    const auto scores = scores_share(record);
    if (!scores) return {std::nullopt, note("nothing_to_change").with("setting", "head")};
    // By the kernel that makes the scores where it was measured, else by bytes.
    RunPlan by_kernel;
    by_kernel.change.head_format = kScreenFormat;
    by_kernel.change.head_rows_share = 1 + kScreenedRowsShare / *scores;
    const SimulationResult simulated = simulate_run(record, by_kernel, others);
    if (simulated.value) return simulated;
    RunPlan by_bytes;
    by_bytes.change.head_rows_share = *scores + kScreenedRowsShare;
    return simulate_run(record, by_bytes, others);
}

}  // namespace hone::cost
