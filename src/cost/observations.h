// What the probe room counted or watched, inside a RunRecord: typed both ways.
//
// The sibling of cost/experiments.h for rows of `experiments` that turn no knob: what is in the
// weights, what the machine did meanwhile, what the counters say. Not an interpretation. Readers
// answer nullopt for another name, `valid == false`, or a wrong shape; what was not observable is
// an absent optional, never 0.
//
//   name             what it is
//   weight_scan      values in the model file that cost time or do nothing
//   bandwidth_probe  short readings of the read bandwidth between the requests of the run
//   interference     what the rest of the machine did, in slices of the run
//   load_reads       what loading the model fetched from storage
//   counters         perf_event counters over the run's warm requests
//   layer_influence  how far each layer turns what passes through it
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "measure/record.h"

namespace hone::cost {

// One tensor of the file with something to say about it. Elements are counted as the codec of its
// type gives them; a block is 32 of them in a row.
struct TensorScan {
    std::string name;
    std::string dtype;
    uint64_t elements = 0;   // that were looked at
    uint64_t bytes = 0;      // of these, in the file
    uint64_t denormals = 0;  // below the smallest normal f32, and not 0
    // Stored halves (values, and scales of blocks of 32) below the smallest normal one.
    uint64_t half_denormals = 0;
    uint64_t nans = 0;
    uint64_t infinities = 0;
    uint64_t blocks = 0;
    uint64_t zero_blocks = 0;  // all of it 0
    uint64_t rows = 0;
    uint64_t zero_rows = 0;
    uint64_t duplicate_rows = 0;  // equal to an earlier row of the tensor, zero rows not counted
    bool all_zero = false;
    std::string duplicate_of;  // an earlier tensor with the same type, shape and bytes, or ""
};

struct WeightScan {
    uint64_t tensors = 0;  // in the file
    uint64_t bytes = 0;    // of all their data
    uint64_t tensors_scanned = 0;
    uint64_t bytes_scanned = 0;  // less than `bytes` when the time was over
    bool complete = false;
    std::vector<TensorScan> findings;  // tensors with any count above 0, in the order of the file
    uint64_t findings_left_out = 0;    // beyond the limit of the list

    const TensorScan* tensor(std::string_view name) const;
};

// The same reading as the drift of the ceilings uses, again and again while the requests ran:
// somebody else's traffic shows here while stolen time may be 0.
struct BandwidthProbe {
    uint64_t bytes = 0;  // working set of a reading, over all threads
    int threads = 1;
    std::vector<double> gb_per_s;
    std::vector<double> at_s;  // of each, since the run began
    std::optional<double>
        quiet_gb_per_s;  // the cached ceiling for that set and team, if there is one

    // The median of the readings over the quiet ceiling.
    std::optional<double> quiet_ratio() const;
};

// One slice of the run. Shares are of the slice's wall time; absent where the kernel does not tell.
struct InterferenceSlice {
    double at_s = 0;  // its end, since the run began
    double wall_s = 0;
    std::optional<double> steal_share;
    std::optional<double> run_delay_share;  // above 1 when several threads waited
    std::optional<double> throttled_share;  // by the control group's CPU quota
    std::optional<double> spin_ns;          // of a fixed loop of dependent additions at the end
};

struct InterferenceSeries {
    std::vector<InterferenceSlice> slices;
    std::optional<uint64_t> throttled_periods;  // of the whole run
    std::optional<double> throttled_share;
    std::optional<double> frequency_drift;  // |spin after / before - 1|
};

// What opening the model fetched from storage, as the kernel counts it.
struct LoadReads {
    uint64_t file_bytes = 0;
    std::optional<uint64_t> storage_bytes;
    std::optional<uint64_t> major_faults;
};

// Sums over all threads of the process from the first warm request to the end of the last.
struct Counters {
    double wall_ns = 0;
    uint64_t tokens = 0;  // in and out
    std::optional<double> task_clock_ns;
    std::optional<uint64_t> page_faults;
    std::optional<uint64_t> context_switches;
    std::optional<uint64_t> migrations;
    std::optional<uint64_t> cycles;
    std::optional<uint64_t> instructions;
    std::optional<uint64_t> cache_misses;

    std::optional<double> instructions_per_cycle() const;
};

// What a layer does to the residual stream: 1 - cos(x before it, x behind it), the mean over the
// tokens of a text (block influence; Men et al. 2024, ShortGPT). 0: it changes no direction.
struct LayerInfluence {
    int layer = 0;  // as the file numbers it
    double influence = 0;
};
struct LayerInfluences {
    uint64_t tokens = 0;
    std::vector<LayerInfluence> layers;  // that the run has, in order
};

measure::ExperimentResult to_experiment(const WeightScan& scan);
measure::ExperimentResult to_experiment(const BandwidthProbe& probe);
measure::ExperimentResult to_experiment(const InterferenceSeries& series);
measure::ExperimentResult to_experiment(const LoadReads& reads);
measure::ExperimentResult to_experiment(const Counters& counters);
measure::ExperimentResult to_experiment(const LayerInfluences& influences);

std::optional<WeightScan> as_weight_scan(const measure::ExperimentResult& experiment);
std::optional<BandwidthProbe> as_bandwidth_probe(const measure::ExperimentResult& experiment);
std::optional<InterferenceSeries> as_interference(const measure::ExperimentResult& experiment);
std::optional<LoadReads> as_load_reads(const measure::ExperimentResult& experiment);
std::optional<Counters> as_counters(const measure::ExperimentResult& experiment);
std::optional<LayerInfluences> as_layer_influences(const measure::ExperimentResult& experiment);

// The first valid one.
std::optional<WeightScan> find_weight_scan(const measure::RunRecord& record);
std::optional<BandwidthProbe> find_bandwidth_probe(const measure::RunRecord& record);
std::optional<InterferenceSeries> find_interference(const measure::RunRecord& record);
std::optional<LoadReads> find_load_reads(const measure::RunRecord& record);
std::optional<Counters> find_counters(const measure::RunRecord& record);
std::optional<LayerInfluences> find_layer_influences(const measure::RunRecord& record);

}  // namespace hone::cost
