// Drives an executor with token ids of the caller's choice: forward steps and nothing else.
//
// The rates of METRICS.md and the sweeps of the experiments are made of it, so no engine, no
// sampling and no detokenization are in their times. Owns a KV pool for a fixed number of
// sequences; the executor is borrowed. Not an engine: nothing finishes, nothing is scheduled, and
// running past the limits is a bug (HONE_CHECK). No allocation after create. Thread rule: one
// thread, and nobody else runs the executor meanwhile.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/random.h"
#include "base/result.h"
#include "cost/node_desc.h"
#include "graph/executor.h"
#include "measure/step_timer.h"
#include "models/model.h"
#include "probe/delay.h"
#include "runtime/kv_pool.h"

namespace hone::probe {

class Stepper {
  public:
    // `sequences` at most Executor::outputs_max(); `positions` of each. exhausted: no memory.
    static base::Result<Stepper> create(const models::ModelConfig& config,
                                        graph::Executor& executor, uint32_t sequences,
                                        uint32_t positions);

    // Empties every sequence.
    void clear();
    // Lengthens every step from now on.
    void set_delay(const StepDelay& delay) { delay_ = delay; }
    // All logits of every step from now on; until then a screened head (graph/screen.h) may leave
    // out those that greedy sampling would not choose.
    void want_all_logits() { input_.logits_margin.reset(); }
    // One step: appends at most Executor::tokens_max() tokens to one sequence, with the logits of
    // the last of them or with none.
    void append(uint32_t sequence, std::span<const int32_t> tokens, bool wants_logits,
                measure::StepTimer* timer = nullptr);
    // Appends any number of tokens in such steps, with the logits of the very last position only.
    void prefill(uint32_t sequence, std::span<const int32_t> tokens,
                 measure::StepTimer* timer = nullptr);
    // Appends as many tokens to each of the first `count` sequences, tokens.size() / count of them
    // ([count][tokens]), in steps that all of them share, with the logits of every last position.
    void prefill_together(std::span<const int32_t> tokens, uint32_t count);
    // One step: one token for each of the first tokens.size() sequences, logits of all.
    void decode(std::span<const int32_t> tokens, measure::StepTimer* timer = nullptr);

    uint32_t position(uint32_t sequence) const { return positions_[sequence]; }
    uint32_t sequences() const { return static_cast<uint32_t>(positions_.size()); }
    // The last step's input and what it asked of every node; the input borrows from the stepper and
    // may run again until the next step begins.
    const graph::StepInput& last_input() const { return input_; }
    const cost::StepShape& last_shape() const { return shape_; }
    // Of the last step, [positions that wanted them][vocab]; valid until the executor's next run.
    std::span<const float> last_logits() const { return logits_; }
    graph::Executor& executor() const { return *executor_; }

  private:
    Stepper(graph::Executor& executor, runtime::KvPool pool, uint32_t sequences,
            uint32_t positions_max);
    void begin_step();
    void add_slice(uint32_t sequence, std::span<const int32_t> tokens, bool wants_logits);
    void run_step(measure::StepTimer* timer);

    graph::Executor* executor_;
    runtime::KvPool pool_;
    uint32_t positions_max_;
    std::vector<uint32_t> positions_;  // [sequences] tokens in the cache
    std::vector<int32_t> tokens_;
    std::vector<graph::StepSlice> slices_;
    std::vector<uint32_t> output_rows_;
    graph::StepInput input_;
    cost::StepShape shape_;
    std::span<const float> logits_;
    StepDelay delay_;
};

// `count` uniformly random ids below `vocab`.
std::vector<int32_t> random_tokens(base::Random& random, uint32_t vocab, size_t count);

}  // namespace hone::probe
