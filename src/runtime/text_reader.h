// Reads a known text through a model, piece by piece, and gives the logits of its positions: what
// scores of a text and comparisons of two models are made of.
//
// Owns a KV cache for one sequence and borrows the executor. Not an engine: nothing
// is sampled and nothing is scheduled. Reading past the positions given to begin() is a bug
// (HONE_CHECK). Thread rule: one thread, and nobody else runs the executor meanwhile.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "graph/executor.h"
#include "runtime/kv_pool.h"
#include "runtime/session.h"

namespace hone::runtime {

enum class WantedLogits : uint8_t { none, last, all };

class TextReader {
  public:
    // `positions` of the longest text; exhausted: no memory for them.
    static base::Result<TextReader> create(graph::Executor& executor,
                                           const models::ModelConfig& config, uint32_t positions);
    static base::Result<TextReader> create(Session& session, uint32_t positions) {
        return create(session.executor(), session.config(), positions);
    }

    // Forgets what was read; up to `positions` tokens follow.
    void begin(uint32_t positions);
    // Appends tokens, in as few steps as they fit; with all logits in one, so at most rows_max() of
    // them. Logits are [positions that want them][vocab], valid until the executor's next run. The
    // hook sees every node of every step.
    std::span<const float> read(std::span<const int32_t> tokens, WantedLogits wanted,
                                graph::NodeHook hook = {});

    size_t rows_max() const;
    size_t vocab() const { return executor_->vocab(); }

  private:
    TextReader(graph::Executor& executor, KvPool pool);
    std::span<const float> step(std::span<const int32_t> tokens, WantedLogits wanted,
                                graph::NodeHook hook);

    graph::Executor* executor_;
    std::unique_ptr<KvPool> pool_;
    uint32_t position_ = 0;
    std::vector<uint32_t> rows_;
};

// Rows of logits that a session allows per step (EngineLimits::logit_rows) to read texts at a good
// speed, and limits of a session that does nothing else.
inline constexpr uint32_t kReaderRows = 32;
EngineLimits reader_limits(uint32_t context);

}  // namespace hone::runtime
