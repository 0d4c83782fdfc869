// Sequence: the state of one request inside the engine. Only Engine::add, apply and cancel change
// it. Plain data that lives in a fixed slot; the vectors are reserved when the engine is made.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "runtime/sampler.h"
#include "runtime/step_plan.h"

namespace hone::runtime {

struct Sequence {
    SequenceId id = 0;            // 0: the slot is free
    std::vector<int32_t> tokens;  // prompt, then what was sampled
    uint32_t prompt_tokens = 0;
    uint32_t computed = 0;  // positions in the KV cache, <= tokens.size()
    uint32_t reused = 0;    // of the prompt, from the prefix cache
    uint32_t output_tokens_max = 0;
    std::vector<int32_t> stop_tokens;
    std::optional<Sampler> sampler;
    std::optional<float> logits_margin;  // see graph::StepInput; absent: all logits are wanted

    bool active() const { return id != 0; }
    uint32_t total() const { return static_cast<uint32_t>(tokens.size()); }
    uint32_t output_tokens() const { return total() - prompt_tokens; }
};

}  // namespace hone::runtime
