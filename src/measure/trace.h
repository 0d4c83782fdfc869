// Raw time stamps of a few steps and requests, to be looked at on a time line.
//
// Not the measurement: that is the sums of OperatorTable; this is a bounded look at single steps.
// Kept are the first kTraceStepsPerKind steps of each slice kind, the stages of the first
// kTraceRequestsMax requests, and never more than the limits below: what comes later is counted and
// dropped. One thread.
//
// The JSON is the Trace Event Format of Chrome ("X" complete events with times in microseconds),
// which Perfetto (ui.perfetto.dev) and chrome://tracing open.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "measure/record.h"
#include "measure/step_timer.h"

namespace hone::measure {

inline constexpr size_t kTraceStepsPerKind = 4;
inline constexpr size_t kTraceStampsMax = 200'000;  // of all steps together; about 40 MB of JSON
inline constexpr uint32_t kTraceRequestsMax = 8;
inline constexpr size_t kTraceStagesMax = 20'000;

// All times of one trace are on one clock.
struct TracedStep {
    std::string slice;
    uint32_t position = 0;
    uint64_t tokens = 0;
    int64_t begin_ns = 0;
    double wall_ns = 0;
    std::vector<NodeStamps> stamps;  // times from begin_ns
};

struct TracedStage {
    uint32_t request = 0;  // from 0, in the order of their start
    std::string stage;
    int64_t begin_ns = 0;
    int64_t end_ns = 0;
};

class TraceLog {
  public:
    // Whether another step of that kind would be kept.
    bool wants(std::string_view slice) const;
    // The step that `timer` saw last, if it is wanted. Before the timer's next step.
    void add_step(const StepTimer& timer, std::string_view slice, uint32_t position,
                  uint64_t tokens);
    // The number under which add_stage knows a request.
    uint32_t next_request() { return requests_++; }
    void add_stage(uint32_t request, std::string_view stage, int64_t begin_ns, int64_t end_ns);

    const std::vector<TracedStep>& steps() const { return steps_; }
    const std::vector<TracedStage>& stages() const { return stages_; }
    uint64_t steps_dropped() const { return steps_dropped_; }

  private:
    std::vector<TracedStep> steps_;
    std::vector<TracedStage> stages_;
    std::map<std::string, size_t, std::less<>> steps_by_slice_;
    size_t stamps_ = 0;
    uint32_t requests_ = 0;
    uint64_t steps_dropped_ = 0;
};

// {displayTimeUnit, otherData, traceEvents}. Names of nodes come from the record.
base::Json to_chrome_trace(const TraceLog& log, const RunRecord& record);

}  // namespace hone::measure
