// What the probe room's experiments look like inside a RunRecord: typed both ways.
//
// measure::ExperimentResult is free-form JSON; this is the one place that knows its shapes, so that
// the writer (probe) and the readers (cost, diagnose) cannot drift apart. Not an interpretation:
// only times and what was varied. All times are ns per unit of work of that experiment; readers use
// ratios between points of one experiment only. Samples with the same index were taken in the same
// interleaved round. Readers answer nullopt for another name, `valid == false`, or a wrong shape.
//
//   name           subject         settings              times
//   thread_sweep   "" or a kind    "1", "2", ...         prefill / decode per token
//   batch_sweep    ""              "1", "2", "4", "8"    decode per step (all sequences together)
//   pass_ablation  pass name       "on", "off"           prefill / decode per token
//   isa_sweep      ""              ISA names             prefill / decode per token
//   variant_sweep  kernel family   variant names         prefill / decode per token
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/record.h"

namespace hone::cost {

struct SweepPoint {
    std::string setting;
    std::vector<double> prefill_ns;  // empty: that slice was not measured
    std::vector<double> decode_ns;
};

// One knob turned through several settings.
struct Sweep {
    std::string name;
    std::string subject;
    std::string baseline;  // the setting of the run itself
    std::vector<SweepPoint> points;

    const SweepPoint* point(std::string_view setting) const;
};

// The same node on its own weights and on a copy of a few tiles that stays in a cache.
struct HotCopy {
    std::string kind;   // subject
    std::string slice;  // "prefill" | "decode"
    uint64_t cold_bytes = 0;
    uint64_t hot_bytes = 0;
    std::vector<double> cold_ns;  // per call
    std::vector<double> hot_ns;   // per call, same arithmetic
};

// As many empty nodes as the plan has, with their barriers.
struct NullGraph {
    int nodes = 0;
    int threads = 1;
    std::vector<double> graph_ns;  // per walk through all nodes
};

// Reading with the page cache dropped or bypassed, against warm.
struct ColdWarm {
    std::string subject;  // "load" or "" (the model file) | "first_run"
    std::vector<double> cold_ns;
    std::vector<double> warm_ns;
    uint64_t bytes_read = 0;  // from storage in the cold case, 0 = unknown
};

measure::ExperimentResult to_experiment(const Sweep& sweep);
measure::ExperimentResult to_experiment(const HotCopy& hot_copy);
measure::ExperimentResult to_experiment(const NullGraph& null_graph);
measure::ExperimentResult to_experiment(const ColdWarm& cold_warm);

std::optional<Sweep> as_sweep(const measure::ExperimentResult& experiment);
std::optional<HotCopy> as_hot_copy(const measure::ExperimentResult& experiment);
std::optional<NullGraph> as_null_graph(const measure::ExperimentResult& experiment);
std::optional<ColdWarm> as_cold_warm(const measure::ExperimentResult& experiment);

// The first valid one of that name and subject.
std::optional<Sweep> find_sweep(const measure::RunRecord& record, std::string_view name,
                                std::string_view subject = {});
std::optional<HotCopy> find_hot_copy(const measure::RunRecord& record, std::string_view kind,
                                     std::string_view slice);
std::optional<NullGraph> find_null_graph(const measure::RunRecord& record);
std::optional<ColdWarm> find_cold_warm(const measure::RunRecord& record, std::string_view subject);

// after / before of two interleaved sample lists: the median of paired ratios. low and high are its
// 95 % order-statistic interval, or, below 6 pairs (has_interval false), the smallest and largest
// pair. nullopt without samples or with a zero among them.
struct Ratio {
    double value = 1;
    double low = 1;
    double high = 1;
    bool has_interval = false;
    size_t n = 0;
};
std::optional<Ratio> ratio_of(const std::vector<double>& after, const std::vector<double>& before);

// The same thing measured twice, interleaved ("control"; values first_ns, second_ns): how far from
// 1 a ratio of this record lies when nothing was changed. nullopt without that experiment.
std::optional<double> control_noise(const measure::RunRecord& record);

}  // namespace hone::cost
