// TextGenerator: one request from text to text on an engine, with the time of every stage.
//
// It encodes the prompt, steps the engine, turns tokens into whole UTF-8, looks for stop strings
// and hands pieces of text to the caller as they come. Stages of the sample, on one time line from
// the call to its end (what lies between them, e.g. scheduling, is unclaimed):
//
//   tokenize    encoding the prompt (when it was given as text)
//   prefill     steps up to the first token      decode      steps after it
//   sample      choosing tokens                  detokenize  tokens to text, stop strings
//   stream      the caller's callback
//
// With drafts (EngineLimits::drafts_max) a step may give several tokens; the generator's clock
// decides when drafting pays (runtime/draft_meter.h), anew for each request. The text is the same.
//
// ttft_ns ends when the first non-empty piece has been handed over; gaps lie between tokens. Not a
// server: the engine must be idle and belongs to the generator while it generates. Thread rule: one
// thread; the cancel flag may be set from any thread or signal handler and is looked at once per
// step.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "measure/record.h"
#include "runtime/draft_meter.h"
#include "runtime/engine.h"
#include "text/tokenizer.h"

namespace hone::runtime {

struct GenerationRequest {
    // The prompt as text, or as tokens, which then are taken as they are. A chat prompt is the
    // rendered template: parse_special = true, and no second BOS.
    std::string prompt = {};
    text::EncodeOptions encode = {};
    std::vector<int32_t> prompt_tokens = {};
    uint32_t output_tokens_max = 128;
    SamplingOptions sampling = {};
    std::vector<std::string> stop_strings = {};
    bool ends_at_end_of_generation = true;  // false: end tokens are tokens like others (benchmarks)
    bool show_special = false;              // control tokens as their texts
    uint32_t logprobs = 0;                  // most likely tokens to report per position
};
inline constexpr uint32_t kLogprobsMax = 64;

// By the model alone: before penalties, temperature and cuts.
struct TokenLogprob {
    int32_t token = -1;
    double logprob = 0;  // natural logarithm
};
// The `count` likeliest tokens of one row of logits, likeliest first, equal ones by id. NaN is
// never among them.
std::vector<TokenLogprob> top_logprobs(std::span<const float> logits, uint32_t count);

struct GenerationOutcome {
    std::string text;  // all pieces together; without the stop string
    std::vector<int32_t> tokens;
    FinishReason finish = FinishReason::none;
    std::string stop_string;                               // the one that was found, or empty
    std::vector<std::vector<TokenLogprob>> logprobs = {};  // of each token, if asked for
    measure::RequestSample sample;
    std::optional<DraftCounts> drafts;  // of an engine that drafts
};

using TextSink = std::function<void(std::string_view piece)>;

class TextGenerator {
  public:
    // All borrowed; the tokenizer's vocabulary is the engine's.
    TextGenerator(Engine& engine, const text::Tokenizer& tokenizer, const base::Clock& clock);

    // Runs to the end. `sink` and `cancel` may be empty; a cancelled request is an outcome with
    // FinishReason::cancelled and what had come out. Errors: those of Engine::add and
    // text::StopMatcher::create, and exhausted for a prompt over Tokenizer::kTextBytesMax.
    base::Result<GenerationOutcome> generate(const GenerationRequest& request,
                                             const TextSink& sink = {},
                                             const std::atomic<bool>* cancel = nullptr);

  private:
    struct Flight;
    void step(Flight& flight);
    void take_events(Flight& flight);
    bool take_token(Flight& flight, const TokenEvent& event);
    void show(Flight& flight, std::string_view piece);

    Engine& engine_;
    const text::Tokenizer& tokenizer_;
    const base::Clock& clock_;
    std::vector<int32_t> end_tokens_;
    StepPlan plan_;
    std::vector<TokenEvent> events_;
};

}  // namespace hone::runtime
