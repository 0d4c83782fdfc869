#include "probe/step_recorder.h"

namespace hone::probe {

StepRecorder::StepRecorder(const graph::Plan& plan, int threads, const base::Clock& clock)
    : plan_(plan),
      timer_(plan.nodes.size(), threads, clock),
      table_(plan.nodes.size()),
      bytes_(plan.nodes.size()),
      flops_(plan.nodes.size()) {}

void StepRecorder::record(std::string_view slice_kind, uint32_t position,
                          const cost::StepShape& shape) {
    for (size_t node = 0; node < plan_.nodes.size(); ++node) {
        const cost::Work work = cost::node_work(plan_.nodes[node].desc, shape);
        bytes_[node] = work.bytes;
        flops_[node] = work.flops;
    }
    if (trace_ != nullptr) trace_->add_step(timer_, slice_kind, position, shape.tokens);
    timer_.fold(table_, slice_kind, position, shape.tokens, bytes_, flops_);
}

void StepRecorder::store(measure::RunRecord& record) const {
    record.operators = table_.samples();
    record.forward_wall_ns = table_.wall_ns();
}

}  // namespace hone::probe
