// StepRunner: what an engine needs of a model, so that scheduling can be simulated without one.
//
// The real one is graph::Executor; tests put a model in its place whose logits are a hash of what
// it reads back from the pages. Thread rule: one run at a time.
#pragma once

#include <cstdint>
#include <span>

#include "graph/executor.h"
#include "measure/step_timer.h"

namespace hone::runtime {

class StepRunner {
  public:
    virtual ~StepRunner() = default;
    // Logits [output_rows.size()][vocab], valid until the next run.
    virtual std::span<const float> run(const graph::StepInput& input,
                                       measure::StepTimer* timer) = 0;
    virtual uint32_t tokens_max() const = 0;
    virtual uint32_t outputs_max() const = 0;
    virtual uint32_t vocab() const = 0;
};

// Borrows the executor.
class ExecutorRunner final : public StepRunner {
  public:
    explicit ExecutorRunner(graph::Executor& executor) : executor_(executor) {}
    std::span<const float> run(const graph::StepInput& input, measure::StepTimer* timer) override {
        return executor_.run(input, timer);
    }
    uint32_t tokens_max() const override { return executor_.tokens_max(); }
    uint32_t outputs_max() const override { return executor_.outputs_max(); }
    uint32_t vocab() const override { return executor_.vocab(); }

  private:
    graph::Executor& executor_;
};

}  // namespace hone::runtime
