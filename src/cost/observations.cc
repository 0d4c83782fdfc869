#include "cost/observations.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "cost/experiment_fields.h"
#include "measure/statistics.h"

namespace hone::cost {
namespace {

using base::Json;
using measure::ExperimentResult;

// The counts of a tensor, by their key in the record. Zero is not written: most tensors have one
// finding at most.
struct CountField {
    const char* key;
    uint64_t TensorScan::*value;
};
constexpr CountField kTensorCounts[] = {
    {"elements", &TensorScan::elements},
    {"bytes", &TensorScan::bytes},
    {"denormals", &TensorScan::denormals},
    {"half_denormals", &TensorScan::half_denormals},
    {"nans", &TensorScan::nans},
    {"infinities", &TensorScan::infinities},
    {"blocks", &TensorScan::blocks},
    {"zero_blocks", &TensorScan::zero_blocks},
    {"rows", &TensorScan::rows},
    {"zero_rows", &TensorScan::zero_rows},
    {"duplicate_rows", &TensorScan::duplicate_rows},
};

bool read_flag(const Json& object, const char* key) {
    const auto at = object.find(key);
    return at != object.end() && at->is_boolean() && at->get<bool>();
}

const Json* list_of(const ExperimentResult& experiment, const char* key) {
    const auto at = experiment.values->find(key);
    if (at == experiment.values->end() || !at->is_array() || at->size() > kExperimentListMax) {
        return nullptr;
    }
    return &*at;
}

Json tensor_json(const TensorScan& tensor) {
    Json out = {{"name", tensor.name}, {"dtype", tensor.dtype}};
    for (const CountField& field : kTensorCounts) {
        if (tensor.*field.value != 0) out[field.key] = tensor.*field.value;
    }
    if (tensor.all_zero) out["all_zero"] = true;
    if (!tensor.duplicate_of.empty()) out["duplicate_of"] = tensor.duplicate_of;
    return out;
}

std::optional<TensorScan> read_tensor(const Json& item) {
    TensorScan out;
    out.name = read_text(item, "name");
    if (out.name.empty()) return std::nullopt;
    out.dtype = read_text(item, "dtype");
    for (const CountField& field : kTensorCounts) out.*field.value = read_count(item, field.key);
    out.all_zero = read_flag(item, "all_zero");
    out.duplicate_of = read_text(item, "duplicate_of");
    return out;
}

Json slice_json(const InterferenceSlice& slice) {
    Json out = {{"at_s", slice.at_s}, {"wall_s", slice.wall_s}};
    store(out, "steal_share", slice.steal_share);
    store(out, "run_delay_share", slice.run_delay_share);
    store(out, "throttled_share", slice.throttled_share);
    store(out, "spin_ns", slice.spin_ns);
    return out;
}

}  // namespace

const TensorScan* WeightScan::tensor(std::string_view name) const {
    for (const TensorScan& candidate : findings) {
        if (candidate.name == name) return &candidate;
    }
    return nullptr;
}

std::optional<double> BandwidthProbe::quiet_ratio() const {
    const auto reading = measure::median(gb_per_s);
    if (!reading || !quiet_gb_per_s || !(*quiet_gb_per_s > 0)) return std::nullopt;
    return *reading / *quiet_gb_per_s;
}

std::optional<double> Counters::instructions_per_cycle() const {
    if (!cycles || !instructions || *cycles == 0) return std::nullopt;
    return static_cast<double>(*instructions) / static_cast<double>(*cycles);
}

ExperimentResult to_experiment(const WeightScan& scan) {
    ExperimentResult out;
    out.name = "weight_scan";
    out.parameters = base::Json{{"tensors", scan.tensors}, {"bytes", scan.bytes}};
    Json findings = Json::array();
    for (const TensorScan& tensor : scan.findings) findings.push_back(tensor_json(tensor));
    out.values = base::Json{{"tensors_scanned", scan.tensors_scanned},
                            {"bytes_scanned", scan.bytes_scanned},
                            {"complete", scan.complete},
                            {"findings", findings},
                            {"findings_left_out", scan.findings_left_out}};
    return out;
}

ExperimentResult to_experiment(const BandwidthProbe& probe) {
    ExperimentResult out;
    out.name = "bandwidth_probe";
    out.parameters =
        base::Json{{"bytes", probe.bytes}, {"threads", static_cast<uint64_t>(probe.threads)}};
    out.values = base::Json{{"gb_per_s", probe.gb_per_s}, {"at_s", probe.at_s}};
    store(out.values, "quiet_gb_per_s", probe.quiet_gb_per_s);
    return out;
}

ExperimentResult to_experiment(const InterferenceSeries& series) {
    ExperimentResult out;
    out.name = "interference";
    out.parameters = Json::object();
    Json slices = Json::array();
    for (const InterferenceSlice& slice : series.slices) slices.push_back(slice_json(slice));
    out.values = base::Json{{"slices", slices}};
    store(out.values, "throttled_periods", series.throttled_periods);
    store(out.values, "throttled_share", series.throttled_share);
    store(out.values, "frequency_drift", series.frequency_drift);
    return out;
}

ExperimentResult to_experiment(const LoadReads& reads) {
    ExperimentResult out;
    out.name = "load_reads";
    out.parameters = base::Json{{"file_bytes", reads.file_bytes}};
    out.values = Json::object();
    store(out.values, "storage_bytes", reads.storage_bytes);
    store(out.values, "major_faults", reads.major_faults);
    return out;
}

ExperimentResult to_experiment(const Counters& counters) {
    ExperimentResult out;
    out.name = "counters";
    out.parameters = base::Json{{"tokens", counters.tokens}};
    out.values = base::Json{{"wall_ns", counters.wall_ns}};
    store(out.values, "task_clock_ns", counters.task_clock_ns);
    store(out.values, "page_faults", counters.page_faults);
    store(out.values, "context_switches", counters.context_switches);
    store(out.values, "migrations", counters.migrations);
    store(out.values, "cycles", counters.cycles);
    store(out.values, "instructions", counters.instructions);
    store(out.values, "cache_misses", counters.cache_misses);
    return out;
}

ExperimentResult to_experiment(const LayerInfluences& influences) {
    ExperimentResult out;
    out.name = "layer_influence";
    out.parameters = base::Json{{"tokens", influences.tokens}};
    Json layers = Json::array();
    for (const LayerInfluence& layer : influences.layers) {
        layers.push_back(Json{{"layer", static_cast<uint64_t>(std::max(0, layer.layer))},
                              {"influence", layer.influence}});
    }
    out.values = base::Json{{"layers", layers}};
    return out;
}

std::optional<WeightScan> as_weight_scan(const ExperimentResult& experiment) {
    if (!usable(experiment, "weight_scan")) return std::nullopt;
    const Json* findings = list_of(experiment, "findings");
    if (findings == nullptr) return std::nullopt;
    WeightScan out;
    out.tensors = read_count(experiment.parameters, "tensors");
    out.bytes = read_count(experiment.parameters, "bytes");
    out.tensors_scanned = read_count(experiment.values, "tensors_scanned");
    out.bytes_scanned = read_count(experiment.values, "bytes_scanned");
    out.complete = read_flag(experiment.values, "complete");
    out.findings_left_out = read_count(experiment.values, "findings_left_out");
    for (const Json& item : *findings) {
        auto tensor = read_tensor(item);
        if (!tensor) return std::nullopt;
        out.findings.push_back(std::move(*tensor));
    }
    return out;
}

std::optional<BandwidthProbe> as_bandwidth_probe(const ExperimentResult& experiment) {
    if (!usable(experiment, "bandwidth_probe")) return std::nullopt;
    BandwidthProbe out;
    out.bytes = read_count(experiment.parameters, "bytes");
    out.threads = static_cast<int>(
        std::min<uint64_t>(read_count(experiment.parameters, "threads"), 1u << 20));
    out.quiet_gb_per_s = read_number(experiment.values, "quiet_gb_per_s");
    if (!read_samples(experiment.values, "gb_per_s", out.gb_per_s) ||
        !read_samples(experiment.values, "at_s", out.at_s) || out.gb_per_s.empty() ||
        out.at_s.size() != out.gb_per_s.size()) {
        return std::nullopt;
    }
    return out;
}

std::optional<InterferenceSeries> as_interference(const ExperimentResult& experiment) {
    if (!usable(experiment, "interference")) return std::nullopt;
    const Json* slices = list_of(experiment, "slices");
    if (slices == nullptr) return std::nullopt;
    InterferenceSeries out;
    for (const Json& item : *slices) {
        const auto at_s = read_number(item, "at_s");
        const auto wall_s = read_number(item, "wall_s");
        if (!at_s || !wall_s) return std::nullopt;
        out.slices.push_back({*at_s, *wall_s, read_number(item, "steal_share"),
                              read_number(item, "run_delay_share"),
                              read_number(item, "throttled_share"), read_number(item, "spin_ns")});
    }
    out.throttled_periods = read_optional_count(experiment.values, "throttled_periods");
    out.throttled_share = read_number(experiment.values, "throttled_share");
    out.frequency_drift = read_number(experiment.values, "frequency_drift");
    return out;
}

std::optional<LoadReads> as_load_reads(const ExperimentResult& experiment) {
    if (!usable(experiment, "load_reads")) return std::nullopt;
    LoadReads out;
    out.file_bytes = read_count(experiment.parameters, "file_bytes");
    out.storage_bytes = read_optional_count(experiment.values, "storage_bytes");
    out.major_faults = read_optional_count(experiment.values, "major_faults");
    return out;
}

std::optional<Counters> as_counters(const ExperimentResult& experiment) {
    if (!usable(experiment, "counters")) return std::nullopt;
    Counters out;
    const auto wall_ns = read_number(experiment.values, "wall_ns");
    if (!wall_ns || !(*wall_ns > 0)) return std::nullopt;
    out.wall_ns = *wall_ns;
    out.tokens = read_count(experiment.parameters, "tokens");
    out.task_clock_ns = read_number(experiment.values, "task_clock_ns");
    out.page_faults = read_optional_count(experiment.values, "page_faults");
    out.context_switches = read_optional_count(experiment.values, "context_switches");
    out.migrations = read_optional_count(experiment.values, "migrations");
    out.cycles = read_optional_count(experiment.values, "cycles");
    out.instructions = read_optional_count(experiment.values, "instructions");
    out.cache_misses = read_optional_count(experiment.values, "cache_misses");
    return out;
}

std::optional<LayerInfluences> as_layer_influences(const ExperimentResult& experiment) {
    if (!usable(experiment, "layer_influence")) return std::nullopt;
    const Json* layers = list_of(experiment, "layers");
    if (layers == nullptr) return std::nullopt;
    LayerInfluences out;
    out.tokens = read_count(experiment.parameters, "tokens");
    for (const Json& item : *layers) {
        const auto influence = read_number(item, "influence");
        const auto layer = read_optional_count(item, "layer");
        // In order, so that no layer is there twice.
        const bool next =
            layer && *layer <= kExperimentListMax &&
            (out.layers.empty() || static_cast<int>(*layer) > out.layers.back().layer);
        if (!influence || !next) return std::nullopt;
        out.layers.push_back({static_cast<int>(*layer), *influence});
    }
    return out;
}

std::optional<WeightScan> find_weight_scan(const measure::RunRecord& record) {
    return find_first(record, as_weight_scan);
}
std::optional<BandwidthProbe> find_bandwidth_probe(const measure::RunRecord& record) {
    return find_first(record, as_bandwidth_probe);
}
std::optional<InterferenceSeries> find_interference(const measure::RunRecord& record) {
    return find_first(record, as_interference);
}
std::optional<LoadReads> find_load_reads(const measure::RunRecord& record) {
    return find_first(record, as_load_reads);
}
std::optional<Counters> find_counters(const measure::RunRecord& record) {
    return find_first(record, as_counters);
}
std::optional<LayerInfluences> find_layer_influences(const measure::RunRecord& record) {
    return find_first(record, as_layer_influences);
}

}  // namespace hone::cost
