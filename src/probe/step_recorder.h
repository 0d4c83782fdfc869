// Turns timed steps into the operator rows of a RunRecord.
//
// Owns a StepTimer for the executor's plan and the table that its steps are folded into, with the
// bytes and FLOPs that the cost room counts for each node of each step. Use: give timer() to the
// run, then call record() with what the step was. No allocation in record() once a slice kind and
// position bucket were seen, a trace apart. One thread.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "cost/node_desc.h"
#include "graph/plan.h"
#include "measure/operator_table.h"
#include "measure/record.h"
#include "measure/step_timer.h"
#include "measure/trace.h"

namespace hone::probe {

class StepRecorder {
  public:
    // The plan and the clock are borrowed.
    StepRecorder(const graph::Plan& plan, int threads, const base::Clock& clock);

    measure::StepTimer* timer() { return &timer_; }
    // From now on steps are also shown to `trace`, which is borrowed; null ends that.
    void trace_into(measure::TraceLog* trace) { trace_ = trace; }
    measure::TraceLog* trace() const { return trace_; }
    // The step that the timer saw last.
    void record(std::string_view slice_kind, uint32_t position, const cost::StepShape& shape);
    // Writes operators and forward_wall_ns.
    void store(measure::RunRecord& record) const;

    const measure::OperatorTable& table() const { return table_; }

  private:
    const graph::Plan& plan_;
    measure::StepTimer timer_;
    measure::TraceLog* trace_ = nullptr;
    measure::OperatorTable table_;
    std::vector<double> bytes_;  // [nodes] of one step
    std::vector<double> flops_;  // [nodes]
};

}  // namespace hone::probe
