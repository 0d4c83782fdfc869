#include "measure/trace.h"

#include <algorithm>
#include <cmath>
#include <set>

#include "base/json.h"

namespace hone::measure {
namespace {

using base::Json;

constexpr int kRequestsProcess = 1;
constexpr int kStepsProcess = 2;
// The line of whole steps stands above those of the threads, which are numbered from 1.
constexpr int kStepsLine = 0;

// Microseconds with the nanoseconds behind the point.
double microseconds(double whole_ns) {
    return whole_ns / 1000;
}

Json named(const char* what, int process, int line, const std::string& name) {
    return {
        {"ph", "M"}, {"name", what}, {"pid", process}, {"tid", line}, {"args", {{"name", name}}}};
}

struct Event {
    std::string name;
    std::string category;
    int process = 0;
    int line = 0;
    double begin_ns = 0;
    double end_ns = 0;
};

// Both ends are rounded before the length is taken: viewers refuse a slice that reaches into the
// next one of its line, be it by a nanosecond.
Json complete(const Event& event) {
    const double begin_ns = std::round(event.begin_ns);
    const double end_ns = std::round(event.end_ns);
    return {{"ph", "X"},
            {"name", event.name},
            {"cat", event.category},
            {"pid", event.process},
            {"tid", event.line},
            {"ts", microseconds(begin_ns)},
            {"dur", microseconds(std::max(0.0, end_ns - begin_ns))}};
}

int64_t earliest(const TraceLog& log) {
    int64_t first = INT64_MAX;
    for (const TracedStep& step : log.steps()) first = std::min(first, step.begin_ns);
    for (const TracedStage& stage : log.stages()) first = std::min(first, stage.begin_ns);
    return first;
}

class Writer {
  public:
    Writer(const TraceLog& log, const RunRecord& record) : origin_ns_(earliest(log)) {
        for (const PlanNodeFacts& node : record.nodes) nodes_[node.index] = &node;
    }

    void add_requests(const TraceLog& log) {
        std::set<uint32_t> seen;
        for (const TracedStage& stage : log.stages()) {
            const int line = static_cast<int>(stage.request) + 1;
            if (seen.insert(stage.request).second) {
                events_.push_back(
                    named("thread_name", kRequestsProcess, line, fmt::format("request {}", line)));
            }
            events_.push_back(complete({stage.stage, "request", kRequestsProcess, line,
                                        since(stage.begin_ns), since(stage.end_ns)}));
        }
        if (!seen.empty())
            events_.push_back(named("process_name", kRequestsProcess, 0, "requests"));
    }

    void add_step(const TracedStep& step) {
        const double begin_ns = since(step.begin_ns);
        Json event = complete(
            {step.slice, "step", kStepsProcess, kStepsLine, begin_ns, begin_ns + step.wall_ns});
        event["args"] = {{"position", step.position}, {"tokens", step.tokens}};
        events_.push_back(std::move(event));
        for (const NodeStamps& stamps : step.stamps) add_node(begin_ns, stamps);
    }

    void name_lines(const TraceLog& log) {
        if (log.steps().empty()) return;
        events_.push_back(named("process_name", kStepsProcess, 0, "forward steps"));
        events_.push_back(named("thread_name", kStepsProcess, kStepsLine, "steps"));
        std::set<int> threads;
        for (const TracedStep& step : log.steps()) {
            for (const NodeStamps& stamps : step.stamps) threads.insert(stamps.thread);
        }
        for (const int thread : threads) {
            events_.push_back(
                named("thread_name", kStepsProcess, thread + 1, fmt::format("thread {}", thread)));
        }
    }

    Json take() { return std::move(events_); }

  private:
    double since(int64_t ns) const { return static_cast<double>(ns - origin_ns_); }

    void add_node(double begin_ns, const NodeStamps& stamps) {
        const auto found = nodes_.find(stamps.node);
        const PlanNodeFacts* node = found == nodes_.end() ? nullptr : found->second;
        const int line = stamps.thread + 1;
        Json event = complete({node == nullptr ? fmt::format("node {}", stamps.node) : node->name,
                               node == nullptr ? "node" : node->kind, kStepsProcess, line,
                               begin_ns + stamps.start_ns, begin_ns + stamps.compute_end_ns});
        if (node != nullptr) event["args"] = {{"variant", node->variant}, {"layer", node->layer}};
        events_.push_back(std::move(event));
        if (stamps.barrier_end_ns <= stamps.compute_end_ns) return;
        events_.push_back(
            complete({"wait", "barrier", kStepsProcess, line, begin_ns + stamps.compute_end_ns,
                      begin_ns + stamps.barrier_end_ns}));
    }

    int64_t origin_ns_;
    std::map<uint32_t, const PlanNodeFacts*> nodes_;
    Json events_ = Json::array();
};

}  // namespace

bool TraceLog::wants(std::string_view slice) const {
    const auto found = steps_by_slice_.find(slice);
    return found == steps_by_slice_.end() || found->second < kTraceStepsPerKind;
}

void TraceLog::add_step(const StepTimer& timer, std::string_view slice, uint32_t position,
                        uint64_t tokens) {
    const size_t most = timer.nodes() * static_cast<size_t>(timer.threads());
    if (!wants(slice) || stamps_ + most > kTraceStampsMax) {
        ++steps_dropped_;
        return;
    }
    TracedStep step{std::string(slice),   position,      tokens, timer.begin_ns(),
                    timer.step_wall_ns(), timer.stamps()};
    stamps_ += step.stamps.size();
    ++steps_by_slice_[step.slice];
    steps_.push_back(std::move(step));
}

void TraceLog::add_stage(uint32_t request, std::string_view stage, int64_t begin_ns,
                         int64_t end_ns) {
    if (request >= kTraceRequestsMax || stages_.size() >= kTraceStagesMax) return;
    stages_.push_back({request, std::string(stage), begin_ns, end_ns});
}

Json to_chrome_trace(const TraceLog& log, const RunRecord& record) {
    Writer writer(log, record);
    writer.add_requests(log);
    writer.name_lines(log);
    for (const TracedStep& step : log.steps()) writer.add_step(step);
    return {{"displayTimeUnit", "ns"},
            {"otherData",
             {{"build", record.build},
              {"model", record.model.file},
              {"steps_per_kind_max", kTraceStepsPerKind},
              {"requests_max", kTraceRequestsMax},
              {"steps_left_out", log.steps_dropped()}}},
            {"traceEvents", writer.take()}};
}

}  // namespace hone::measure
