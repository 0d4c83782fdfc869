#include "cost/experiments.h"

#include <algorithm>
#include <cmath>

#include "measure/statistics.h"

namespace hone::cost {
namespace {

using base::Json;
using measure::ExperimentResult;

constexpr const char* kSweeps[] = {"thread_sweep", "batch_sweep", "pass_ablation", "isa_sweep",
                                   "variant_sweep"};
// More points or samples than any experiment takes: a foreign record must not make us allocate.
constexpr size_t kListMax = 4096;

bool usable(const ExperimentResult& experiment, std::string_view name) {
    return experiment.valid && experiment.name == name && experiment.values.is_object();
}

// Missing is an empty list; anything but positive finite numbers is a wrong shape.
bool read_samples(const Json& object, const char* key, std::vector<double>& out) {
    out.clear();
    const auto at = object.find(key);
    if (at == object.end() || at->is_null()) return true;
    if (!at->is_array() || at->size() > kListMax) return false;
    for (const Json& item : *at) {
        if (!item.is_number()) return false;
        const double value = item.get<double>();
        if (!std::isfinite(value) || value <= 0) return false;
        out.push_back(value);
    }
    return true;
}

std::string read_text(const Json& object, const char* key) {
    if (!object.is_object()) return {};
    const auto at = object.find(key);
    return at != object.end() && at->is_string() ? at->get<std::string>() : std::string();
}

uint64_t read_count(const Json& object, const char* key) {
    if (!object.is_object()) return 0;
    const auto at = object.find(key);
    return at != object.end() && at->is_number_unsigned() ? at->get<uint64_t>() : 0;
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
    out.parameters = {{"baseline", sweep.baseline}};
    Json points = Json::array();
    for (const SweepPoint& point : sweep.points) {
        points.push_back({{"setting", point.setting},
                          {"prefill_ns", point.prefill_ns},
                          {"decode_ns", point.decode_ns}});
    }
    out.values = {{"points", points}};
    return out;
}

ExperimentResult to_experiment(const HotCopy& hot_copy) {
    ExperimentResult out;
    out.name = "hot_copy";
    out.subject = hot_copy.kind;
    out.parameters = {{"slice", hot_copy.slice},
                      {"cold_bytes", hot_copy.cold_bytes},
                      {"hot_bytes", hot_copy.hot_bytes}};
    out.values = {{"cold_ns", hot_copy.cold_ns}, {"hot_ns", hot_copy.hot_ns}};
    return out;
}

ExperimentResult to_experiment(const NullGraph& null_graph) {
    ExperimentResult out;
    out.name = "null_graph";
    out.parameters = {{"nodes", static_cast<uint64_t>(null_graph.nodes)},
                      {"threads", static_cast<uint64_t>(null_graph.threads)}};
    out.values = {{"graph_ns", null_graph.graph_ns}};
    return out;
}

ExperimentResult to_experiment(const ColdWarm& cold_warm) {
    ExperimentResult out;
    out.name = "cold_warm";
    out.subject = cold_warm.subject;
    out.parameters = {{"bytes_read", cold_warm.bytes_read}};
    out.values = {{"cold_ns", cold_warm.cold_ns}, {"warm_ns", cold_warm.warm_ns}};
    return out;
}

std::optional<Sweep> as_sweep(const ExperimentResult& experiment) {
    bool known = false;
    for (const char* name : kSweeps) known = known || usable(experiment, name);
    if (!known) return std::nullopt;
    const auto points = experiment.values.find("points");
    if (points == experiment.values.end() || !points->is_array() || points->size() > kListMax) {
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
    if (!read_samples(experiment.values, "cold_ns", out.cold_ns) ||
        !read_samples(experiment.values, "hot_ns", out.hot_ns) || out.cold_ns.empty() ||
        out.hot_ns.empty()) {
        return std::nullopt;
    }
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
    if (!read_samples(experiment.values, "cold_ns", out.cold_ns) ||
        !read_samples(experiment.values, "warm_ns", out.warm_ns) || out.cold_ns.empty() ||
        out.warm_ns.empty()) {
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
    for (const ExperimentResult& experiment : record.experiments) {
        auto found = as_hot_copy(experiment);
        if (found && found->kind == kind && found->slice == slice) return found;
    }
    return std::nullopt;
}

std::optional<NullGraph> find_null_graph(const measure::RunRecord& record) {
    for (const ExperimentResult& experiment : record.experiments) {
        if (auto found = as_null_graph(experiment)) return found;
    }
    return std::nullopt;
}

std::optional<ColdWarm> find_cold_warm(const measure::RunRecord& record, std::string_view subject) {
    for (const ExperimentResult& experiment : record.experiments) {
        auto found = as_cold_warm(experiment);
        // Without a subject it is the model file itself: what loading waits for.
        const bool file = subject == "load" && found && found->subject.empty();
        if (found && (file || found->subject == subject)) return found;
    }
    return std::nullopt;
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
    for (const ExperimentResult& experiment : record.experiments) {
        if (!usable(experiment, "control")) continue;
        std::vector<double> first;
        std::vector<double> second;
        if (!read_samples(experiment.values, "first_ns", first) ||
            !read_samples(experiment.values, "second_ns", second)) {
            continue;
        }
        if (const auto ratio = ratio_of(second, first)) {
            return std::max(std::fabs(ratio->low - 1), std::fabs(ratio->high - 1));
        }
    }
    return std::nullopt;
}

}  // namespace hone::cost
