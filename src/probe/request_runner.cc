#include "probe/request_runner.h"

#include <algorithm>
#include <utility>

#include "base/check.h"
#include "text/detokenizer.h"

namespace hone::probe {

// A request on its way.
struct RequestRunner::Flight {
    Flight(const text::Tokenizer& tokenizer, int64_t start_ns)
        : detokenizer(tokenizer, true), scheduled_ns(start_ns), waiting_since_ns(start_ns) {}

    runtime::SequenceId id = 0;
    text::StreamingDetokenizer detokenizer;
    measure::RequestSample sample;
    std::vector<int32_t> tokens;  // all that were computed or will be
    int64_t scheduled_ns = 0;
    int64_t waiting_since_ns = 0;  // end of what is accounted for
    int64_t last_token_ns = 0;     // 0: no token yet
    bool shown = false;            // a non-empty text came out
    bool done = false;
    measure::TraceLog* trace = nullptr;
    uint32_t number = 0;  // in the trace

    // [waiting_since, from) was waiting, [from, to) the stage.
    void spend(const char* stage, int64_t from, int64_t to) {
        sample.stage_ns[stage] += static_cast<double>(to - from);
        waiting_since_ns = to;
        if (trace != nullptr) trace->add_stage(number, stage, from, to);
    }
    void token_at(int64_t now, bool has_text) {
        if (last_token_ns != 0) {
            sample.token_gap_ns.push_back(static_cast<double>(now - last_token_ns));
        }
        last_token_ns = now;
        if (has_text && !shown) sample.ttft_ns = static_cast<double>(now - scheduled_ns);
        shown = shown || has_text;
        sample.output_tokens += 1;
    }
    void finish() {
        done = true;
        sample.total_ns = static_cast<double>(last_token_ns - scheduled_ns);
        if (!shown) sample.ttft_ns = sample.total_ns;
    }
};

struct RequestRunner::StepTimes {
    int64_t planned = 0;
    int64_t computed = 0;
    int64_t sampled = 0;
};

base::Result<std::unique_ptr<RequestRunner>> RequestRunner::create(
    runtime::Session& session, const base::Clock& clock, const RequestRunnerOptions& options) {
    runtime::EngineLimits limits;
    limits.context = options.positions;
    limits.sequences_max = options.sequences;
    limits.step_tokens_max = session.executor().tokens_max();
    limits.prefix_cache = session.options().limits.prefix_cache;
    limits.drafts_max = session.options().limits.drafts_max;
    HONE_TRY(auto engine, runtime::Engine::create(session.config(), session.executor(), limits));
    return std::unique_ptr<RequestRunner>(
        new RequestRunner(std::move(engine), session.tokenizer(), clock, options.trim_padding));
}

void RequestRunner::forget_prefixes() {
    engine_->forget_prefixes();
    history_.clear();
}

base::Status RequestRunner::admit(std::span<const Prompt> prompts, int output_tokens,
                                  measure::TraceLog* trace, std::vector<Flight>& flights) {
    const int64_t start_ns = clock_.now_ns();
    for (const Prompt& prompt : prompts) {
        Flight& flight = flights.emplace_back(tokenizer_, start_ns);
        flight.trace = trace;
        if (trace != nullptr) flight.number = trace->next_request();
        const int64_t begin_ns = clock_.now_ns();
        runtime::SequenceRequest request;
        request.prompt = prompt_ids(tokenizer_, prompt, trim_padding_);
        const int64_t end_ns = clock_.now_ns();
        flight.spend("queue", start_ns, begin_ns);
        flight.spend("tokenize", begin_ns, end_ns);
        flight.tokens = request.prompt;
        flight.sample.prompt_tokens = static_cast<int>(request.prompt.size());
        flight.sample.prompt_tokens_repeated = static_cast<int>(history_.repeated(flight.tokens));
        flight.sample.padding_tokens =
            static_cast<int>(find_padding(tokenizer_, flight.tokens).tokens());
        flight.sample.token_gap_ns.reserve(static_cast<size_t>(output_tokens));
        request.output_tokens_max = static_cast<uint32_t>(output_tokens);
        request.only_samples = true;
        HONE_TRY(flight.id, engine_->add(std::move(request)));
        flight.sample.prompt_tokens_reused = static_cast<int>(engine_->reused_tokens(flight.id));
    }
    return {};
}

void RequestRunner::deliver(std::vector<Flight>& flights, const StepTimes& times) {
    for (const runtime::TokenEvent& event : events_) {
        const auto flight = std::find_if(flights.begin(), flights.end(),
                                         [&](const Flight& f) { return f.id == event.sequence; });
        HONE_CHECK(flight != flights.end());
        // kNoToken: the logits were not numbers; the request ends with what it has.
        const bool has_token = event.token >= 0;
        const std::string text = has_token ? flight->detokenizer.push(event.token) : "";
        const int64_t now = clock_.now_ns();
        if (has_token) flight->tokens.push_back(event.token);
        if (has_token) flight->token_at(now, !text.empty());
        if (event.finish == runtime::FinishReason::none) continue;
        if (!has_token) flight->last_token_ns = now;
        flight->spend("detokenize", times.sampled, now);
        flight->finish();
    }
    const int64_t end_ns = clock_.now_ns();
    for (Flight& flight : flights) {
        if (!flight.done) flight.spend("detokenize", times.sampled, end_ns);
    }
}

void RequestRunner::step(std::vector<Flight>& flights, StepRecorder* recorder) {
    StepTimes times;
    const int64_t planning_ns = clock_.now_ns();
    engine_->schedule_into(plan_, meter_.wants_drafts());
    HONE_CHECK(!plan_.empty());
    times.planned = clock_.now_ns();
    const runtime::StepResult result = delay_.run(
        [&] { return engine_->run(plan_, recorder != nullptr ? recorder->timer() : nullptr); });
    times.computed = clock_.now_ns();
    engine_->apply(plan_, result, events_);
    times.sampled = clock_.now_ns();
    meter_.add(plan_, events_.size(), static_cast<double>(times.sampled - planning_ns));
    for (Flight& flight : flights) {
        if (flight.done) continue;
        const bool worked_on =
            std::any_of(plan_.slices.begin(), plan_.slices.end(),
                        [&](const runtime::PlannedSlice& s) { return s.sequence == flight.id; });
        const char* stage = !worked_on ? "queue" : flight.last_token_ns == 0 ? "prefill" : "decode";
        const bool first = worked_on && !flight.sample.stage_ns.contains("prefill");
        // From its own tokenization to its first step, and while a step passes it over, it waits.
        if (first) flight.spend("queue", flight.waiting_since_ns, times.planned);
        flight.spend(stage, !worked_on ? flight.waiting_since_ns : times.planned, times.computed);
        flight.spend("sample", times.computed, times.sampled);
    }
    deliver(flights, times);
    if (recorder == nullptr) return;
    recorder->record(plan_.kind(), plan_.slices.front().first_position, engine_->shape_of(plan_));
}

void RequestRunner::abandon(const std::vector<Flight>& flights) {
    for (const Flight& flight : flights) {
        if (flight.id != 0 && !flight.done) (void)engine_->cancel(flight.id);
    }
}

base::Result<std::vector<measure::RequestSample>> RequestRunner::run_round(
    std::span<const Prompt> prompts, int output_tokens, StepRecorder* recorder,
    const Conduct& conduct) {
    std::vector<Flight> flights;
    flights.reserve(prompts.size());
    meter_ = {};
    base::Status status =
        admit(prompts, output_tokens, recorder != nullptr ? recorder->trace() : nullptr, flights);
    while (status && !engine_->idle()) {
        step(flights, recorder);
        status = conduct.check();
    }
    if (!status) {
        abandon(flights);
        return tl::unexpected<base::Error>(std::move(status).error());
    }
    std::vector<measure::RequestSample> samples;
    for (Flight& flight : flights) {
        // The last token was sampled but not computed.
        history_.add(std::span(flight.tokens).first(flight.tokens.size() - 1));
        samples.push_back(std::move(flight.sample));
    }
    return samples;
}

void store_drafts(const RequestRunner& runner, measure::RunRecord& record) {
    const runtime::DraftCounts* drafts = runner.drafts();
    if (drafts == nullptr || drafts->drafted == 0) return;
    record.add_sample("draft_accepted_share", "share", drafts->accepted_share());
}

}  // namespace hone::probe
