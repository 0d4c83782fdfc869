// Compares two sides that are open in one process: interleaved, paired, and no longer than needed.
//
// A side is a session with the way it is used. Each pair visits every test once on both sides, the
// two visits of a test one right after the other and in an order drawn by a coin, so that a machine
// that drifts or stalls hits both alike; measure/sequential.h says when there are enough pairs and
// what they prove. The tests are those of `hone bench`: rates on random ids, real requests with
// every stage. Quality is compared first, on a fixed text. Not a tuner: decides nothing but the
// verdict. Thread rule: drives both sessions from the calling thread; nobody else uses them
// meanwhile.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "measure/comparison.h"
#include "probe/conduct.h"
#include "probe/prompt.h"
#include "runtime/session.h"

namespace hone::probe {

struct AbSide {
    runtime::Session& session;
    int batch = 1;           // sequences side by side
    int depth = 0;           // tokens in the cache before decode steps; with batch 1 only
    double delay_share = 0;  // each step longer by this share: see probe/delay.h
    bool trim_padding = false;
};

struct AbOptions {
    int prompt_tokens = 64;  // of a prefill test and of a request
    int output_tokens = 16;  // steps of a decode test and tokens of a request
    // Of a request's prompt, tokens that all requests of the comparison begin with, as those of one
    // application do; what a prefix cache is for. Less than prompt_tokens.
    int shared_tokens = 0;
    // Of prefill_tokens_per_s, decode_tokens_per_s (rate tests) and ttft_ms, itl_ms, latency_ms,
    // output_tokens_per_s (of requests).
    std::vector<std::string> metrics = {"prefill_tokens_per_s", "decode_tokens_per_s", "ttft_ms",
                                        "itl_ms"};
    // Changes below are noise to the user.
    double floor_percent = measure::kEffectFloorPercent;
    double budget_s = 60;  // for everything; a pair that was begun is finished
    // More, while there are fewer pairs than a difference needs to be seen (measure/sequential.h).
    double grace_s = 0;
    int quality_positions = 128;  // 0 = none
    std::string text = {};        // for quality, empty = built in
    std::string text_name = {};   // what to call it
    uint64_t seed = 1;
    // Instead of texts from the seed, in order and from the start again, where the prefix cache is
    // emptied; none longer than `prompt_tokens`.
    std::vector<Prompt> prompts = {};
};

// Longest sequence that a session must allow for the tests and for quality.
uint32_t ab_positions(int depth, const AbOptions& options);

// When the user stops it, the comparison is that of the pairs so far, `ended` is "cancelled".
// Errors: invalid_argument (an unknown metric, numbers out of range, too long for the context),
// exhausted (memory), cancelled (before the first pair was complete).
base::Result<measure::Comparison> run_ab(const AbSide& a, const AbSide& b, const AbOptions& options,
                                         const base::Clock& clock, const Conduct& conduct = {});

}  // namespace hone::probe
