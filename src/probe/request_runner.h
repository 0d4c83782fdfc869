// Runs real requests: text in, text out, with the time of every stage.
//
// A round is some requests that start together and run side by side in one engine; each is sampled
// greedily for a fixed number of tokens (no stop tokens, so that every run does the same work).
// Stages are on each request's own time line, from the start of the round to its last text:
//
//   queue       waiting: for others to be tokenized, or for a first slice in a step
//   tokenize    its own text
//   prefill     steps that work on it, before its first token
//   decode      steps that work on it, after its first token
//   sample      choosing tokens, of all sequences of the step
//   detokenize  making text of them
//
// so the stages of a request sum to its total, less what is spent between stages (scheduling, the
// folding of stamps), which stays unclaimed. Side by side, a step counts in full for every request
// in it: each user waits for all of it. Not a load generator: nothing arrives while a round runs.
// Thread rule: one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "measure/record.h"
#include "probe/conduct.h"
#include "probe/delay.h"
#include "probe/prompt.h"
#include "probe/step_recorder.h"
#include "runtime/draft_meter.h"
#include "runtime/engine.h"
#include "runtime/session.h"
#include "text/tokenizer.h"

namespace hone::probe {

constexpr int kRequestTokensMax = 1 << 20;  // of a prompt, an output or a depth asked for

struct RequestRunnerOptions {
    uint32_t sequences = 1;
    uint32_t positions = 0;     // of each sequence
    bool trim_padding = false;  // take padding off the prompts, within the tokenize stage
};

class RequestRunner {
  public:
    // On the session's executor, with its prefix cache and drafts or without, as it has them.
    // Everything is borrowed for the runner's life. Errors: those of Engine::create.
    static base::Result<std::unique_ptr<RequestRunner>> create(runtime::Session& session,
                                                               const base::Clock& clock,
                                                               const RequestRunnerOptions& options);

    // One request per prompt, at most `sequences`. `recorder` may be null: then nothing is timed
    // inside the steps. Errors: those of Engine::add; cancelled, which leaves the engine empty.
    base::Result<std::vector<measure::RequestSample>> run_round(std::span<const Prompt> prompts,
                                                                int output_tokens,
                                                                StepRecorder* recorder,
                                                                const Conduct& conduct);
    // As if no request had come before: empties the prefix cache.
    void forget_prefixes();

    // Lengthens every step from now on.
    void set_delay(const StepDelay& delay) { delay_ = delay; }
    runtime::KvPoolFacts kv_facts() const { return engine_->kv_facts(); }
    // Of the last round; nullptr where nothing is drafted.
    const runtime::DraftCounts* drafts() const {
        return engine_->limits().drafts_max > 0 ? &meter_.counts() : nullptr;
    }

  private:
    struct Flight;
    struct StepTimes;

    RequestRunner(std::unique_ptr<runtime::Engine> engine, const text::Tokenizer& tokenizer,
                  const base::Clock& clock, bool trim_padding)
        : engine_(std::move(engine)),
          tokenizer_(tokenizer),
          clock_(clock),
          trim_padding_(trim_padding) {}

    base::Status admit(std::span<const Prompt> prompts, int output_tokens, measure::TraceLog* trace,
                       std::vector<Flight>& flights);
    void step(std::vector<Flight>& flights, StepRecorder* recorder);
    void deliver(std::vector<Flight>& flights, const StepTimes& times);
    void abandon(const std::vector<Flight>& flights);

    std::unique_ptr<runtime::Engine> engine_;
    const text::Tokenizer& tokenizer_;
    const base::Clock& clock_;
    bool trim_padding_;
    PrefixHistory history_;
    runtime::StepPlan plan_;
    std::vector<runtime::TokenEvent> events_;
    runtime::DraftMeter meter_;  // anew for each round
    StepDelay delay_;
};

// How many of the last round's drafts were right, as a sample of the record; nothing without
// drafts.
void store_drafts(const RequestRunner& runner, measure::RunRecord& record);

}  // namespace hone::probe
