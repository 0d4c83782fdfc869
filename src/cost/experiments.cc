#include "cost/experiments.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "cost/experiment_fields.h"
#include "measure/statistics.h"

namespace hone::cost {
namespace {

using base::Json;
using measure::ExperimentResult;

constexpr const char* kSweeps[] = {"thread_sweep", "batch_sweep",   "length_sweep", "pass_ablation",
                                   "isa_sweep",    "variant_sweep", "ftz"};

Json point_json(const SweepPoint& point) {
    return {{"setting", point.setting},
            {"prefill_ns", point.prefill_ns},
            {"decode_ns", point.decode_ns}};
}

// A pair of interleaved lists, neither empty.
bool read_pair(const ExperimentResult& experiment, const char* first_key,
               std::vector<double>& first, const char* second_key, std::vector<double>& second) {
    return read_samples(experiment.values, first_key, first) &&
           read_samples(experiment.values, second_key, second) && !first.empty() && !second.empty();
}

}  // namespace

const SweepPoint* Sweep::point(std::string_view setting) const {
    for (const SweepPoint& candidate : points) {
        if (candidate.setting == setting) return &candidate;
    }
    return nullptr;
}

ExperimentResult to_experiment(const Sweep& sweep) {
    ExperimentResult out;
    out.name = sweep.name;
    out.subject = sweep.subject;
    out.parameters = base::Json{{"baseline", sweep.baseline}};
    Json points = Json::array();
    for (const SweepPoint& point : sweep.points) points.push_back(point_json(point));
    out.values = base::Json{{"points", points}};
    return out;
}

ExperimentResult to_experiment(const HotCopy& hot_copy) {
    ExperimentResult out;
    out.name = "hot_copy";
    out.subject = hot_copy.kind;
    out.parameters = base::Json{{"slice", hot_copy.slice},
                                {"cold_bytes", hot_copy.cold_bytes},
                                {"hot_bytes", hot_copy.hot_bytes}};
    out.values = base::Json{{"cold_ns", hot_copy.cold_ns}, {"hot_ns", hot_copy.hot_ns}};
    return out;
}

ExperimentResult to_experiment(const ComputeSubstitution& substitution) {
    ExperimentResult out;
    out.name = "compute_substitution";
    out.subject = substitution.kind;
    out.parameters = base::Json{{"slice", substitution.slice}, {"bytes", substitution.bytes}};
    out.values = base::Json{{"full_ns", substitution.full_ns}, {"read_ns", substitution.read_ns}};
    return out;
}

ExperimentResult to_experiment(const DelayInjection& delay) {
    ExperimentResult out;
    out.name = "delay_injection";
    out.subject = delay.kind;
    out.parameters = base::Json{{"slice", delay.slice},
                                {"threads", delay.threads},
                                {"calls", delay.calls},
                                {"delay_ns", delay.delay_ns}};
    out.values = base::Json{{"base_ns", delay.base_ns}, {"delayed_ns", delay.delayed_ns}};
    if (const auto criticality = delay.criticality()) out.values["criticality"] = *criticality;
    return out;
}

ExperimentResult to_experiment(const FlushDenormals& flush) {
    ExperimentResult out = to_experiment(Sweep{"ftz", "", flush.baseline, {flush.off, flush.on}});
    out.values["rows"] = flush.rows;
    out.values["rows_differing"] = flush.rows_differing;
    out.values["top_differing"] = flush.top_differing;
    out.values["logit_difference_max"] = flush.logit_difference_max;
    return out;
}

ExperimentResult to_experiment(const NullGraph& null_graph) {
    ExperimentResult out;
    out.name = "null_graph";
    out.parameters = base::Json{{"nodes", static_cast<uint64_t>(null_graph.nodes)},
                                {"threads", static_cast<uint64_t>(null_graph.threads)}};
    out.values = base::Json{{"graph_ns", null_graph.graph_ns}};
    return out;
}

ExperimentResult to_experiment(const ColdWarm& cold_warm) {
    ExperimentResult out;
    out.name = "cold_warm";
    out.subject = cold_warm.subject;
    out.parameters = base::Json{{"bytes_read", cold_warm.bytes_read}};
    out.values = base::Json{{"cold_ns", cold_warm.cold_ns}, {"warm_ns", cold_warm.warm_ns}};
    store(out.values, "dropped_share", cold_warm.dropped_share);
    return out;
}

ExperimentResult to_experiment(const Control& control) {
    ExperimentResult out;
    out.name = "control";
    out.parameters = Json::object();
    out.values = base::Json{{"first_ns", control.first_ns}, {"second_ns", control.second_ns}};
    if (control.spin_before_ns > 0) out.values["spin_before_ns"] = control.spin_before_ns;
    if (control.spin_after_ns > 0) out.values["spin_after_ns"] = control.spin_after_ns;
    if (const auto ratio = ratio_of(control.second_ns, control.first_ns)) {
        out.values["ratio"] = ratio->value;
    }
    return out;
}

std::optional<Sweep> as_sweep(const ExperimentResult& experiment) {
    bool known = false;
    for (const char* name : kSweeps) known = known || usable(experiment, name);
    if (!known) return std::nullopt;
    const auto points = experiment.values->find("points");
    if (points == experiment.values->end() || !points->is_array() ||
        points->size() > kExperimentListMax) {
        return std::nullopt;
    }
    Sweep out;
    out.name = experiment.name;
    out.subject = experiment.subject;
    out.baseline = read_text(experiment.parameters, "baseline");
    for (const Json& item : *points) {
        SweepPoint point;
        point.setting = read_text(item, "setting");
        if (point.setting.empty() || !read_samples(item, "prefill_ns", point.prefill_ns) ||
            !read_samples(item, "decode_ns", point.decode_ns)) {
            return std::nullopt;
        }
        out.points.push_back(std::move(point));
    }
    return out;
}

std::optional<HotCopy> as_hot_copy(const ExperimentResult& experiment) {
    if (!usable(experiment, "hot_copy")) return std::nullopt;
    HotCopy out;
    out.kind = experiment.subject;
    out.slice = read_text(experiment.parameters, "slice");
    out.cold_bytes = read_count(experiment.parameters, "cold_bytes");
    out.hot_bytes = read_count(experiment.parameters, "hot_bytes");
    if (!read_pair(experiment, "cold_ns", out.cold_ns, "hot_ns", out.hot_ns)) return std::nullopt;
    return out;
}

std::optional<ComputeSubstitution> as_compute_substitution(const ExperimentResult& experiment) {
    if (!usable(experiment, "compute_substitution")) return std::nullopt;
    ComputeSubstitution out;
    out.kind = experiment.subject;
    out.slice = read_text(experiment.parameters, "slice");
    out.bytes = read_count(experiment.parameters, "bytes");
    if (!read_pair(experiment, "full_ns", out.full_ns, "read_ns", out.read_ns)) return std::nullopt;
    return out;
}

std::optional<DelayInjection> as_delay_injection(const ExperimentResult& experiment) {
    if (!usable(experiment, "delay_injection")) return std::nullopt;
    DelayInjection out;
    out.kind = experiment.subject;
    out.slice = read_text(experiment.parameters, "slice");
    out.threads = read_text(experiment.parameters, "threads");
    out.calls = read_count(experiment.parameters, "calls");
    out.delay_ns = read_number(experiment.parameters, "delay_ns").value_or(0);
    if (!read_pair(experiment, "base_ns", out.base_ns, "delayed_ns", out.delayed_ns) ||
        !out.criticality()) {
        return std::nullopt;
    }
    return out;
}

std::optional<FlushDenormals> as_flush_denormals(const ExperimentResult& experiment) {
    if (!usable(experiment, "ftz")) return std::nullopt;
    const auto sweep = as_sweep(experiment);
    if (!sweep || sweep->point("off") == nullptr || sweep->point("on") == nullptr) {
        return std::nullopt;
    }
    FlushDenormals out;
    out.baseline = sweep->baseline;
    out.off = *sweep->point("off");
    out.on = *sweep->point("on");
    out.rows = read_count(experiment.values, "rows");
    out.rows_differing = read_count(experiment.values, "rows_differing");
    out.top_differing = read_count(experiment.values, "top_differing");
    out.logit_difference_max = read_number(experiment.values, "logit_difference_max").value_or(0);
    return out;
}

std::optional<NullGraph> as_null_graph(const ExperimentResult& experiment) {
    if (!usable(experiment, "null_graph")) return std::nullopt;
    NullGraph out;
    out.nodes =
        static_cast<int>(std::min<uint64_t>(read_count(experiment.parameters, "nodes"), 1u << 30));
    out.threads = static_cast<int>(
        std::min<uint64_t>(read_count(experiment.parameters, "threads"), 1u << 20));
    if (!read_samples(experiment.values, "graph_ns", out.graph_ns) || out.graph_ns.empty() ||
        out.nodes == 0) {
        return std::nullopt;
    }
    return out;
}

std::optional<ColdWarm> as_cold_warm(const ExperimentResult& experiment) {
    if (!usable(experiment, "cold_warm")) return std::nullopt;
    ColdWarm out;
    out.subject = experiment.subject;
    out.bytes_read = read_count(experiment.parameters, "bytes_read");
    out.dropped_share = read_number(experiment.values, "dropped_share");
    if (!read_pair(experiment, "cold_ns", out.cold_ns, "warm_ns", out.warm_ns)) return std::nullopt;
    return out;
}

std::optional<Control> as_control(const ExperimentResult& experiment) {
    if (!usable(experiment, "control")) return std::nullopt;
    Control out;
    out.spin_before_ns = read_number(experiment.values, "spin_before_ns").value_or(0);
    out.spin_after_ns = read_number(experiment.values, "spin_after_ns").value_or(0);
    if (!read_pair(experiment, "first_ns", out.first_ns, "second_ns", out.second_ns)) {
        return std::nullopt;
    }
    return out;
}

std::optional<Sweep> find_sweep(const measure::RunRecord& record, std::string_view name,
                                std::string_view subject) {
    for (const ExperimentResult& experiment : record.experiments) {
        if (experiment.name != name || experiment.subject != subject) continue;
        if (auto sweep = as_sweep(experiment)) return sweep;
    }
    return std::nullopt;
}

std::optional<HotCopy> find_hot_copy(const measure::RunRecord& record, std::string_view kind,
                                     std::string_view slice) {
    return find_first(record, as_hot_copy,
                      [&](const HotCopy& x) { return x.kind == kind && x.slice == slice; });
}

std::optional<ComputeSubstitution> find_compute_substitution(const measure::RunRecord& record,
                                                             std::string_view kind,
                                                             std::string_view slice) {
    return find_first(record, as_compute_substitution, [&](const ComputeSubstitution& x) {
        return x.kind == kind && x.slice == slice;
    });
}

std::optional<DelayInjection> find_delay_injection(const measure::RunRecord& record,
                                                   std::string_view kind, std::string_view slice,
                                                   std::string_view threads) {
    return find_first(record, as_delay_injection, [&](const DelayInjection& x) {
        return x.kind == kind && x.slice == slice && x.threads == threads;
    });
}

std::optional<FlushDenormals> find_flush_denormals(const measure::RunRecord& record) {
    return find_first(record, as_flush_denormals, [](const FlushDenormals&) { return true; });
}

std::optional<NullGraph> find_null_graph(const measure::RunRecord& record) {
    return find_first(record, as_null_graph, [](const NullGraph&) { return true; });
}

std::optional<ColdWarm> find_cold_warm(const measure::RunRecord& record, std::string_view subject) {
    return find_first(record, as_cold_warm, [&](const ColdWarm& x) {
        // Without a subject it is the model file itself: what loading waits for.
        return x.subject == subject || (subject == "load" && x.subject.empty());
    });
}

std::optional<Control> find_control(const measure::RunRecord& record) {
    return find_first(record, as_control, [](const Control&) { return true; });
}

std::optional<double> DelayInjection::criticality() const {
    const double added_ns = static_cast<double>(calls) * delay_ns;
    const size_t rounds = std::min(base_ns.size(), delayed_ns.size());
    if (!(added_ns > 0) || rounds == 0) return std::nullopt;
    std::vector<double> slopes;
    for (size_t i = 0; i < rounds; ++i) slopes.push_back((delayed_ns[i] - base_ns[i]) / added_ns);
    return measure::median(slopes);
}

std::optional<double> Control::frequency_drift() const {
    if (!(spin_before_ns > 0) || !(spin_after_ns > 0)) return std::nullopt;
    return std::fabs(spin_after_ns / spin_before_ns - 1);
}

std::optional<Ratio> ratio_of(const std::vector<double>& after, const std::vector<double>& before) {
    const size_t n = std::min(after.size(), before.size());
    std::vector<double> ratios;
    for (size_t i = 0; i < n; ++i) {
        if (!(after[i] > 0) || !(before[i] > 0)) return std::nullopt;
        ratios.push_back(after[i] / before[i]);
    }
    const auto middle = measure::median(ratios);
    if (!middle) return std::nullopt;
    const auto [least, most] = std::minmax_element(ratios.begin(), ratios.end());
    Ratio out{*middle, *least, *most, false, n};
    if (const auto interval = measure::percentile_interval(ratios, 0.5)) {
        out.low = interval->low;
        out.high = interval->high;
        out.has_interval = true;
    }
    return out;
}

std::optional<double> control_noise(const measure::RunRecord& record) {
    const auto control = find_control(record);
    const auto ratio =
        control ? ratio_of(control->second_ns, control->first_ns) : std::optional<Ratio>();
    if (!ratio) return std::nullopt;
    return std::max(std::fabs(ratio->low - 1), std::fabs(ratio->high - 1));
}

}  // namespace hone::cost
