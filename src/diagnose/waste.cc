#include "diagnose/waste.h"

#include <algorithm>
#include <cmath>
#include <functional>

#include "cost/observations.h"
#include "cost/predict.h"

namespace hone::diagnose {
namespace {

using cost::note;
using cost::WhatIf;
using cost::WhatIfKind;
using measure::RunRecord;

// Smaller findings would not change a decision.
constexpr double kWasteMin = 0.01;
// A few empty blocks are usual; from here on a sparse format would be worth a thought.
constexpr double kZeroShareMin = 0.05;
constexpr double kConfidenceMeasured = 0.9;
constexpr double kConfidenceCounted = 0.85;
// Without the sweep, barriers say that threads wait but not what fewer of them would win.
constexpr double kConfidenceBarriers = 0.6;

bool is_prefill(const OperatorRow& row) {
    return row.slice != "decode";
}

// What an experiment's change surely gives back; nothing where the pairs do not agree, or not by
// more than the control changed by nothing.
double saved_share(const RunRecord& record, const std::optional<cost::Ratio>& ratio) {
    const double noise = std::max(kWasteMin, cost::control_noise(record).value_or(0));
    if (!ratio || ratio->n < 2 || ratio->high >= 1 - noise) return 0;
    return std::clamp(1 - ratio->value, 0.0, 0.95);
}

bool worth_naming(const Waste& waste) {
    return waste.prefill_share >= kWasteMin || waste.decode_share >= kWasteMin;
}

// Passes whose cost lies in single nodes are counted there (attribution.cc), not over the step.
bool is_counted_by_node(const std::string& pass) {
    return pass == "last_position_logits" || pass == "fold_constants";
}

// A pass that is off leaves nodes in the graph that need not be there. One of them changes the
// arithmetic instead: then the kernels are the cause.
void add_passes(const RunRecord& record, std::vector<Waste>& out) {
    for (const measure::PassRun& pass : record.passes) {
        if (pass.enabled || is_counted_by_node(pass.name)) continue;
        const auto simulated =
            cost::simulate(record, WhatIf{WhatIfKind::without_pass, pass.name, "on"});
        if (!simulated.value) continue;
        Waste waste;
        waste.subject = "pass/" + pass.name;
        if (pass.name == "quantize_activations") waste.bottleneck = Bottleneck::kernel_inefficiency;
        waste.confidence = kConfidenceMeasured;
        waste.prefill_share = saved_share(record, simulated.value->prefill);
        waste.decode_share = saved_share(record, simulated.value->decode);
        waste.evidence.push_back(note("pass_is_off")
                                     .with("pass", pass.name)
                                     .with("prefill_share", waste.prefill_share)
                                     .with("decode_share", waste.decode_share));
        out.push_back(std::move(waste));
    }
}

void add_prompt_tokens(const RunRecord& record, std::vector<Waste>& out) {
    const PromptTokens tokens = prompt_tokens(record);
    if (tokens.computed <= 0) return;
    const auto add = [&](const char* subject, const char* id, double unneeded) {
        Waste waste;
        waste.subject = subject;
        waste.confidence = kConfidenceCounted;
        waste.prefill_share = std::min(0.95, unneeded / tokens.computed);
        waste.evidence.push_back(note(id)
                                     .with("tokens_share", unneeded / tokens.computed)
                                     .with("tokens", static_cast<int64_t>(unneeded))
                                     .with("requests", tokens.requests));
        out.push_back(std::move(waste));
    };
    add("prompt/repeated_prefix", "repeated_prefix", tokens.repeated);
    add("prompt/padding", "padding", tokens.padding);
}

struct BarrierShares {
    double prefill = 0;
    double decode = 0;
};

BarrierShares barrier_shares(const Breakdown& breakdown) {
    BarrierShares waits;
    BarrierShares walls;
    for (const OperatorRow& row : breakdown.operators_by_slice) {
        (is_prefill(row) ? waits.prefill : waits.decode) += row.barrier_ns;
        (is_prefill(row) ? walls.prefill : walls.decode) += row.wall_ns;
    }
    return {walls.prefill > 0 ? waits.prefill / walls.prefill : 0,
            walls.decode > 0 ? waits.decode / walls.decode : 0};
}

// More threads than CPUs: they wait for each other at every barrier. That is the run's own doing
// and no interference, so it counts as dispatch overhead.
void add_oversubscription(const RunRecord& record, const Breakdown& breakdown,
                          std::vector<Waste>& out) {
    const int threads = record.context.threads;
    const int cpus = usable_cpus(record);
    if (cpus < 1 || threads <= cpus) return;
    const BarrierShares barriers = barrier_shares(breakdown);
    Waste waste;
    waste.subject = fmt::format("threads/{}", threads);
    waste.bottleneck = Bottleneck::startup_overhead;
    waste.evidence.push_back(
        note("more_threads_than_cpus").with("threads", threads).with("cpus", cpus));
    waste.evidence.push_back(note("barrier_shares")
                                 .with("prefill_share", barriers.prefill)
                                 .with("decode_share", barriers.decode));
    const auto simulated =
        cost::simulate(record, WhatIf{WhatIfKind::threads, "", std::to_string(cpus)});
    const cost::Simulation swept = simulated.value.value_or(cost::Simulation{});
    waste.confidence = kConfidenceMeasured;
    waste.prefill_share = saved_share(record, swept.prefill);
    waste.decode_share = saved_share(record, swept.decode);
    if (worth_naming(waste)) {
        waste.evidence.push_back(note("fewer_threads")
                                     .with("threads", cpus)
                                     .with("prefill_share", waste.prefill_share)
                                     .with("decode_share", waste.decode_share));
    } else {
        // Threads that wait for a CPU make a sweep scatter: one that leans to fewer threads without
        // being sure leaves the word to the barriers. One that sees no gain at all does not.
        const auto waited = [](const std::optional<cost::Ratio>& ratio, double share) {
            return ratio ? std::min(std::max(1 - ratio->value, 0.0), share) : share;
        };
        waste.confidence = kConfidenceBarriers;
        waste.prefill_share = waited(swept.prefill, barriers.prefill);
        waste.decode_share = waited(swept.decode, barriers.decode);
    }
    out.push_back(std::move(waste));
}

// Steps with denormals flushed to zero are shorter: some kernel meets them. Where the weights have
// none, they come up in the activations.
void add_denormals(const RunRecord& record, std::vector<Waste>& out) {
    const auto flush = cost::find_flush_denormals(record);
    if (!flush || flush->baseline == "on") return;
    Waste waste;
    waste.confidence = kConfidenceMeasured;
    waste.prefill_share =
        saved_share(record, cost::ratio_of(flush->on.prefill_ns, flush->off.prefill_ns));
    waste.decode_share =
        saved_share(record, cost::ratio_of(flush->on.decode_ns, flush->off.decode_ns));
    waste.subject = "activations/denormals";
    waste.evidence.push_back(note("flush_saves")
                                 .with("prefill_share", waste.prefill_share)
                                 .with("decode_share", waste.decode_share));
    if (const auto scan = cost::find_weight_scan(record)) {
        const cost::TensorScan* worst = nullptr;
        uint64_t total = 0;
        for (const cost::TensorScan& tensor : scan->findings) {
            total += tensor.denormals;
            if (worst == nullptr || tensor.denormals > worst->denormals) worst = &tensor;
        }
        if (total > 0) {
            waste.subject = "weights/denormals";
            waste.evidence.push_back(
                note("denormal_tensor")
                    .with("count", static_cast<int64_t>(total))
                    .with("tensor", worst->name)
                    .with("tensor_count", static_cast<int64_t>(worst->denormals))
                    .with("elements", static_cast<int64_t>(worst->elements)));
        }
    }
    out.push_back(std::move(waste));
}

double share_of_slice(const Breakdown& breakdown, bool prefill,
                      const std::function<bool(const OperatorRow&)>& counts) {
    double part = 0;
    double whole = 0;
    for (const OperatorRow& row : breakdown.operators_by_slice) {
        if (is_prefill(row) != prefill) continue;
        whole += row.wall_ns;
        if (counts(row)) part += row.wall_ns;
    }
    return whole > 0 ? part / whole : 0;
}

bool has_weights(const OperatorRow& row) {
    return row.kind == cost::op_kind_name(cost::OpKind::linear) ||
           row.kind == cost::op_kind_name(cost::OpKind::linear_gated);
}

// Blocks of weights that are all zero are read and multiplied like any other.
void add_zero_blocks(const RunRecord& record, const Breakdown& breakdown, std::vector<Waste>& out) {
    const auto scan = cost::find_weight_scan(record);
    if (!scan || scan->bytes_scanned == 0) return;
    double zero_bytes = 0;
    const cost::TensorScan* worst = nullptr;
    for (const cost::TensorScan& tensor : scan->findings) {
        if (tensor.blocks == 0 || tensor.zero_blocks == 0) continue;
        zero_bytes += static_cast<double>(tensor.bytes) * static_cast<double>(tensor.zero_blocks) /
                      static_cast<double>(tensor.blocks);
        if (worst == nullptr || tensor.zero_blocks > worst->zero_blocks) worst = &tensor;
    }
    const double share = zero_bytes / static_cast<double>(scan->bytes_scanned);
    if (share < kZeroShareMin) return;
    Waste waste;
    waste.subject = "weights/zero_blocks";
    // That the bytes are there is counted; that time follows bytes is an estimate.
    waste.confidence = kConfidenceBarriers;
    waste.prefill_share = share * share_of_slice(breakdown, true, has_weights);
    waste.decode_share = share * share_of_slice(breakdown, false, has_weights);
    waste.evidence.push_back(note("zero_blocks")
                                 .with("bytes_share", share)
                                 .with("tensor", worst->name)
                                 .with("blocks", static_cast<int64_t>(worst->zero_blocks))
                                 .with("of", static_cast<int64_t>(worst->blocks)));
    out.push_back(std::move(waste));
}

}  // namespace

int usable_cpus(const RunRecord& record) {
    const auto& facts = record.machine.facts;
    if (facts.cpu_quota <= 0) return facts.cpus_allowed;
    const int quota = std::max(1, static_cast<int>(std::ceil(facts.cpu_quota)));
    return facts.cpus_allowed > 0 ? std::min(facts.cpus_allowed, quota) : quota;
}

PromptTokens prompt_tokens(const RunRecord& record) {
    PromptTokens out;
    for (const measure::RequestSample& request : record.requests) {
        if (request.phase != "warm" || !std::isfinite(request.total_ns)) continue;
        const int reused = std::clamp(request.prompt_tokens_reused, 0, request.prompt_tokens);
        const int computed = request.prompt_tokens - reused;
        ++out.requests;
        out.computed += computed;
        out.reused += reused;
        out.repeated += std::clamp(request.prompt_tokens_repeated - reused, 0, computed);
        // Padding in front is the first thing that the prefix cache keeps.
        const int padding = std::clamp(request.padding_tokens, 0, request.prompt_tokens);
        out.padding += std::clamp(padding - reused, 0, computed);
    }
    return out;
}

std::vector<Waste> find_waste(const RunRecord& record, const Breakdown& breakdown) {
    std::vector<Waste> out;
    add_oversubscription(record, breakdown, out);
    add_prompt_tokens(record, out);
    add_passes(record, out);
    add_denormals(record, out);
    add_zero_blocks(record, breakdown, out);
    std::erase_if(out, [](const Waste& waste) { return !worth_naming(waste); });
    return out;
}

}  // namespace hone::diagnose
