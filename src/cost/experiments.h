// What the probe room's experiments look like inside a RunRecord: typed both ways.
//
// measure::ExperimentResult is free-form JSON; this and cost/observations.h are the one place that
// knows its shapes, so that the writer (probe) and the readers (cost, diagnose) cannot drift apart.
// Here are interventions, which compare times; observations.h has what was counted or watched. Not
// an interpretation: only times and what was varied. All times are ns per unit of work of that
// experiment; readers use ratios between points of one experiment only. Samples with the same index
// were taken in the same interleaved round. Readers answer nullopt for another name,
// `valid == false`, or a wrong shape.
//
//   name           subject         settings              times
//   thread_sweep   "" or a kind    "1", "2", ...         prefill / decode per token
//   batch_sweep    ""              "1", "2", "4", "8"    decode per step (all sequences together),
//                                                        prefill of the prompts of all of them
//   length_sweep   ""              "16", "32", ...       prefill per prompt of that many tokens
//   pass_ablation  pass name       "on", "off"           prefill / decode per token
//   isa_sweep      ""              ISA names             prefill / decode per token
//   variant_sweep  kernel family   variant names         prefill / decode per token
//   ftz            ""              "off", "on"           prefill / decode per token
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

// The same node, and a load-only sum over the bytes of its weights by the same threads: what the
// memory alone costs. The opposite of a hot copy, which leaves the arithmetic alone.
struct ComputeSubstitution {
    std::string kind;             // subject
    std::string slice;            // "prefill" | "decode"
    uint64_t bytes = 0;           // of weights that one call reads
    std::vector<double> full_ns;  // per call
    std::vector<double> read_ns;  // per call, the same bytes
};

// A busy wait after every node of a kind, and what the whole step took more. Coz (Curtsinger and
// Berger 2015) speeds a line up virtually by slowing the others down; slowing one kind down itself
// needs no sampling and answers the same question.
struct DelayInjection {
    std::string kind;                // subject
    std::string slice;               // "prefill" | "decode"
    std::string threads;             // "all" | "one": which of the team's threads waited
    uint64_t calls = 0;              // delayed nodes in one step
    double delay_ns = 0;             // of each
    std::vector<double> base_ns;     // per step, without
    std::vector<double> delayed_ns;  // per step, with

    // Of each added ns, what the step became slower by: 1 on the critical path, 0 hidden behind
    // something else. The median of the rounds; nullopt where nothing was added.
    std::optional<double> criticality() const;
};

// Steps with denormal numbers flushed to zero (MXCSR bits FTZ and DAZ) on every thread against
// steps as IEEE 754 wants them, and whether the logits of the same tokens differ.
struct FlushDenormals {
    std::string baseline;  // "off" | "on": as the run itself had it
    SweepPoint off;
    SweepPoint on;
    uint64_t rows = 0;            // of logits that were compared
    uint64_t rows_differing = 0;  // in any bit
    uint64_t top_differing = 0;   // rows whose best token is another
    double logit_difference_max = 0;
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
    // Of the file's pages, those that were out of memory before a cold reading (mincore), at least.
    std::optional<double> dropped_share = std::nullopt;
};

// The same thing twice, interleaved, and the time of a fixed loop of dependent additions before and
// after: what differs is noise, and how the clock of the CPU moved.
struct Control {
    std::vector<double> first_ns;  // per step
    std::vector<double> second_ns;
    double spin_before_ns = 0;  // 0 = not measured
    double spin_after_ns = 0;

    // |after / before - 1|: nullopt without the loop.
    std::optional<double> frequency_drift() const;
};

measure::ExperimentResult to_experiment(const Sweep& sweep);
measure::ExperimentResult to_experiment(const HotCopy& hot_copy);
measure::ExperimentResult to_experiment(const ComputeSubstitution& substitution);
measure::ExperimentResult to_experiment(const DelayInjection& delay);
measure::ExperimentResult to_experiment(const FlushDenormals& flush);
measure::ExperimentResult to_experiment(const NullGraph& null_graph);
measure::ExperimentResult to_experiment(const ColdWarm& cold_warm);
measure::ExperimentResult to_experiment(const Control& control);

std::optional<Sweep> as_sweep(const measure::ExperimentResult& experiment);
std::optional<HotCopy> as_hot_copy(const measure::ExperimentResult& experiment);
std::optional<ComputeSubstitution> as_compute_substitution(
    const measure::ExperimentResult& experiment);
std::optional<DelayInjection> as_delay_injection(const measure::ExperimentResult& experiment);
std::optional<FlushDenormals> as_flush_denormals(const measure::ExperimentResult& experiment);
std::optional<NullGraph> as_null_graph(const measure::ExperimentResult& experiment);
std::optional<ColdWarm> as_cold_warm(const measure::ExperimentResult& experiment);
std::optional<Control> as_control(const measure::ExperimentResult& experiment);

// The first valid one of that name and subject.
std::optional<Sweep> find_sweep(const measure::RunRecord& record, std::string_view name,
                                std::string_view subject = {});
std::optional<HotCopy> find_hot_copy(const measure::RunRecord& record, std::string_view kind,
                                     std::string_view slice);
std::optional<ComputeSubstitution> find_compute_substitution(const measure::RunRecord& record,
                                                             std::string_view kind,
                                                             std::string_view slice);
std::optional<DelayInjection> find_delay_injection(const measure::RunRecord& record,
                                                   std::string_view kind, std::string_view slice,
                                                   std::string_view threads);
std::optional<FlushDenormals> find_flush_denormals(const measure::RunRecord& record);
std::optional<NullGraph> find_null_graph(const measure::RunRecord& record);
std::optional<ColdWarm> find_cold_warm(const measure::RunRecord& record, std::string_view subject);
std::optional<Control> find_control(const measure::RunRecord& record);

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

// How far from 1 a ratio of this record lies when nothing was changed ("control"). nullopt without
// that experiment.
std::optional<double> control_noise(const measure::RunRecord& record);

}  // namespace hone::cost
