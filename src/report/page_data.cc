#include "report/page_data.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "base/json.h"
#include "measure/record_json.h"
#include "measure/statistics.h"
#include "report/explain_report.h"
#include "report/messages.h"

namespace hone::report {
namespace {

using base::Json;
using measure::RequestSample;
using measure::RunRecord;

// A set this much smaller than the largest one measured lies in a cache.
constexpr uint64_t kCacheFraction = 8;

Json finite(const std::optional<double>& value) {
    return value && std::isfinite(*value) ? Json(*value) : Json(nullptr);
}

// Stages of loading and of a request, in the order in which they happen; others come after.
constexpr const char* kLoadOrder[] = {"open", "vocabulary", "graph", "plan", "threads",
                                      "pack", "store",      "map",   "kv",   "warm_up"};
constexpr const char* kRequestOrder[] = {"network", "queue",  "template",   "tokenize", "prefill",
                                         "decode",  "sample", "detokenize", "format",   "stream"};

class Waterfall {
  public:
    explicit Waterfall(const char* id) : id_(id) {}

    void add(const std::string& name, double ms) {
        if (!std::isfinite(ms) || ms <= 0) return;
        bars_.push_back({{"name", name}, {"start_ms", end_ms_}, {"end_ms", end_ms_ + ms}});
        end_ms_ += ms;
    }
    template <size_t N>
    void add_all(const std::map<std::string, double>& stages, const char* const (&order)[N],
                 double scale) {
        for (const char* name : order) {
            const auto found = stages.find(name);
            if (found != stages.end()) add(name, found->second * scale);
        }
        for (const auto& [name, value] : stages) {
            if (std::find(std::begin(order), std::end(order), name) == std::end(order)) {
                add(name, value * scale);
            }
        }
    }
    // Up to the whole, when the parts leave something of it.
    void close(double total_ms) { add("unattributed", total_ms - end_ms_); }

    void store(Json& out) const {
        if (bars_.empty()) return;
        out.push_back({{"id", id_}, {"total_ms", end_ms_}, {"bars", bars_}});
    }

  private:
    const char* id_;
    Json bars_ = Json::array();
    double end_ms_ = 0;
};

// Not measured is 0, like a metric without samples.
double median_ms(const RunRecord& record, std::string_view name) {
    const auto* metric = record.metric(name);
    return metric == nullptr ? 0 : measure::median(metric->samples).value_or(0);
}

void add_cold_start(const RunRecord& record, Json& out) {
    if (record.load_stage_ms.empty()) return;
    Waterfall fall("cold_start");
    const double cold_ms = median_ms(record, "cold_start_ms");
    const double load_ms = median_ms(record, "load_ms");
    if (cold_ms > 0 && load_ms > 0) fall.add("process", cold_ms - load_ms);
    fall.add_all(record.load_stage_ms, kLoadOrder, 1);
    if (cold_ms > 0) fall.close(cold_ms);
    fall.store(out);
}

void add_request(const char* id, const RequestSample* request, Json& out) {
    if (request == nullptr || request->stage_ns.empty()) return;
    Waterfall fall(id);
    fall.add_all(request->stage_ns, kRequestOrder, 1e-6);
    fall.close(request->total_ns * 1e-6);
    fall.store(out);
}

const RequestSample* first_request(const RunRecord& record) {
    for (const RequestSample& request : record.requests) {
        if (request.phase == "cold" && std::isfinite(request.total_ns)) return &request;
    }
    return nullptr;
}

// The lower one of the two in the middle: a request that took place, whose stages belong together.
const RequestSample* median_request(const RunRecord& record) {
    std::vector<const RequestSample*> warm;
    for (const RequestSample& request : record.requests) {
        if (request.phase == "warm" && std::isfinite(request.total_ns)) warm.push_back(&request);
    }
    if (warm.empty()) return nullptr;
    const auto middle = warm.begin() + static_cast<ptrdiff_t>((warm.size() - 1) / 2);
    std::nth_element(warm.begin(), middle, warm.end(),
                     [](const auto* a, const auto* b) { return a->total_ns < b->total_ns; });
    return *middle;
}

Json node_row(const diagnose::OperatorRow& row) {
    Json bound = nullptr;
    if (row.light.bound_ns()) bound = row.light.memory_side() ? "memory" : "compute";
    return {{"node", row.name},
            {"kind", row.kind},
            {"variant", row.variant},
            {"time_share", row.share},
            {"ms", row.wall_ns / 1e6},
            {"calls", row.calls},
            {"flops", row.flops},
            {"bytes", row.bytes},
            {"roof_share", finite(row.roof_share())},
            {"roof", bound},
            {"barrier_ms", row.barrier_ns / 1e6},
            {"dispatch_ms", row.dispatch_ns / 1e6}};
}

Json nodes_json(const diagnose::Breakdown& breakdown) {
    Json out = Json::array();
    for (const diagnose::OperatorRow& row : breakdown.nodes) {
        if (out.size() < kPageNodesMax) out.push_back(node_row(row));
    }
    return out;
}

Json memory_json(const RunRecord& record) {
    const measure::MemoryPartition& memory = record.memory;
    const auto& facts = record.machine.facts;
    const uint64_t limit = facts.memory_limit_bytes == 0
                               ? facts.memory_bytes
                               : std::min(facts.memory_limit_bytes, facts.memory_bytes);
    Json peak = memory.peak_rss_bytes ? Json(*memory.peak_rss_bytes) : Json(nullptr);
    return {{"weights_bytes", memory.weights_bytes},
            {"workspace_bytes", memory.workspace_bytes},
            {"kv_bytes", memory.kv_bytes},
            {"kv_bytes_per_token", memory.kv_bytes_per_token},
            {"peak_rss_bytes", peak},
            {"machine_bytes", limit}};
}

Json experiments_json(const RunRecord& record) {
    Json out = Json::array();
    for (const measure::ExperimentResult& item : record.experiments) {
        if (out.size() == kPageExperimentsMax) break;
        out.push_back(measure::experiment_json(item));
    }
    return out;
}

size_t left_out(size_t all, size_t shown) {
    return all - std::min(all, shown);
}

}  // namespace

Json page_texts(const Style& style) {
    Json out = Json::object();
    for (const Message& message : messages_en()) out[message.id] = say(style, message.id);
    return out;
}

Json waterfalls(const RunRecord& record) {
    Json out = Json::array();
    add_cold_start(record, out);
    add_request("first_request", first_request(record), out);
    add_request("median_request", median_request(record), out);
    return out;
}

Json latency_by_position(const RunRecord& record) {
    std::map<uint64_t, std::vector<double>> gaps;
    for (const RequestSample& request : record.requests) {
        if (request.phase != "warm") continue;
        for (size_t i = 0; i < request.token_gap_ns.size(); ++i) {
            if (!std::isfinite(request.token_gap_ns[i])) continue;
            // Gap i ends with output token i + 1; the first output token stands at prompt_tokens.
            gaps[static_cast<uint64_t>(std::max(0, request.prompt_tokens)) + i + 1].push_back(
                request.token_gap_ns[i] * 1e-6);
        }
    }
    const size_t together = (gaps.size() + kPagePositionsMax - 1) / kPagePositionsMax;
    Json out = Json::array();
    std::vector<double> row;
    uint64_t first = 0;
    size_t in_row = 0;
    for (auto it = gaps.begin(); it != gaps.end(); ++it) {
        if (in_row == 0) first = it->first;
        row.insert(row.end(), it->second.begin(), it->second.end());
        if (++in_row < together && std::next(it) != gaps.end()) continue;
        out.push_back({{"position", first},
                       {"position_last", it->first},
                       {"n", row.size()},
                       {"median_ms", finite(measure::median(row))},
                       {"low_ms", finite(measure::percentile(row, 0.1))},
                       {"high_ms", finite(measure::percentile(row, 0.9))}});
        row.clear();
        in_row = 0;
    }
    return out;
}

Json roofs(const RunRecord& record) {
    const machine::MachineProfile& profile = record.machine;
    const int threads = record.context.threads;
    Json bandwidth = Json::array();
    const machine::BandwidthPoint* memory = nullptr;
    const machine::BandwidthPoint* cache = nullptr;
    for (const auto& point : profile.bandwidth) {
        if (point.threads != threads || point.operation != "read") continue;
        if (memory == nullptr || point.bytes > memory->bytes) memory = &point;
    }
    for (const auto& point : profile.bandwidth) {
        if (point.threads != threads || point.operation != "read") continue;
        if (point.bytes > memory->bytes / kCacheFraction) continue;
        if (cache == nullptr || point.gb_per_s > cache->gb_per_s) cache = &point;
    }
    const auto add = [&](const char* what, const machine::BandwidthPoint* point) {
        if (point == nullptr) return;
        bandwidth.push_back(
            {{"what", what}, {"bytes", point->bytes}, {"gb_per_s", point->gb_per_s}});
    };
    add("memory", memory);
    if (cache != nullptr && cache->gb_per_s > memory->gb_per_s) add("cache", cache);
    std::vector<std::string> operations;
    for (const auto& point : profile.peaks) {
        if (std::find(operations.begin(), operations.end(), point.operation) == operations.end()) {
            operations.push_back(point.operation);
        }
    }
    Json peaks = Json::array();
    for (const std::string& operation : operations) {
        const auto peak = profile.peak_g_per_s(operation, threads, record.isa);
        if (peak) peaks.push_back({{"operation", operation}, {"g_per_s", *peak}});
    }
    return {{"threads", threads}, {"bandwidth", bandwidth}, {"peaks", peaks}};
}

Json page_data(const diagnose::Diagnosis& diagnosis, const RunRecord& record, const Style& style) {
    const diagnose::Breakdown& breakdown = diagnosis.breakdown;
    return {{"explain", explain_json(diagnosis, record, style)},
            {"charts",
             {{"machine", machine::to_json(record.machine)},
              {"model", measure::model_json(record.model)},
              {"memory", memory_json(record)},
              {"waterfalls", waterfalls(record)},
              {"latency_by_position", latency_by_position(record)},
              {"roofs", roofs(record)},
              {"wall_ms", breakdown.wall_ns / 1e6},
              {"nodes", nodes_json(breakdown)},
              {"nodes_left_out", left_out(breakdown.nodes.size(), kPageNodesMax)},
              {"experiments", experiments_json(record)},
              {"experiments_left_out", left_out(record.experiments.size(), kPageExperimentsMax)}}}};
}

}  // namespace hone::report
