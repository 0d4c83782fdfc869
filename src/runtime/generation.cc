#include "runtime/generation.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "text/detokenizer.h"
#include "text/stop_matcher.h"

namespace hone::runtime {

// A request on its way.
struct TextGenerator::Flight {
    Flight(const text::Tokenizer& tokenizer, bool show_special, text::StopMatcher matcher,
           const TextSink& text_sink)
        : detokenizer(tokenizer, show_special), stops(std::move(matcher)), sink(text_sink) {}

    SequenceId id = 0;
    text::StreamingDetokenizer detokenizer;
    text::StopMatcher stops;
    const TextSink& sink;
    GenerationOutcome outcome;
    int64_t start_ns = 0;
    int64_t last_token_ns = 0;
    bool shown = false;
    uint32_t logprobs = 0;
    DraftMeter meter;

    void spend(const char* stage, int64_t from_ns, int64_t to_ns) {
        outcome.sample.stage_ns[stage] += static_cast<double>(to_ns - from_ns);
    }
};

std::vector<TokenLogprob> top_logprobs(std::span<const float> logits, uint32_t count) {
    std::vector<int32_t> order;
    float highest = -INFINITY;
    for (size_t i = 0; i < logits.size(); ++i) {
        if (std::isnan(logits[i])) continue;
        order.push_back(static_cast<int32_t>(i));
        highest = std::max(highest, logits[i]);
    }
    double sum = 0;
    for (const int32_t i : order) sum += std::exp(double{logits[static_cast<size_t>(i)]} - highest);
    const size_t kept = std::min<size_t>(count, order.size());
    std::partial_sort(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(kept), order.end(),
                      [&](int32_t a, int32_t b) {
                          const float x = logits[static_cast<size_t>(a)];
                          const float y = logits[static_cast<size_t>(b)];
                          return x != y ? x > y : a < b;
                      });
    std::vector<TokenLogprob> top;
    for (size_t i = 0; i < kept; ++i) {
        const double logit = logits[static_cast<size_t>(order[i])];
        top.push_back({order[i], logit - highest - std::log(sum)});
    }
    return top;
}

TextGenerator::TextGenerator(Engine& engine, const text::Tokenizer& tokenizer,
                             const base::Clock& clock)
    : engine_(engine), tokenizer_(tokenizer), clock_(clock) {
    for (int32_t id = 0; id < tokenizer.vocab_size(); ++id) {
        if (tokenizer.is_end_of_generation(id)) end_tokens_.push_back(id);
    }
}

void TextGenerator::show(Flight& flight, std::string_view piece) {
    if (piece.empty()) return;
    flight.outcome.text += piece;
    const int64_t begin_ns = clock_.now_ns();
    if (flight.sink) flight.sink(piece);
    const int64_t end_ns = clock_.now_ns();
    flight.spend("stream", begin_ns, end_ns);
    if (!flight.shown)
        flight.outcome.sample.ttft_ns = static_cast<double>(end_ns - flight.start_ns);
    flight.shown = true;
}

// Returns whether a stop string ended the request.
bool TextGenerator::take_token(Flight& flight, const TokenEvent& event) {
    if (event.token == kNoToken) return false;
    measure::RequestSample& sample = flight.outcome.sample;
    const int64_t begin_ns = clock_.now_ns();
    if (sample.output_tokens > 0) {
        sample.token_gap_ns.push_back(static_cast<double>(begin_ns - flight.last_token_ns));
    }
    flight.last_token_ns = begin_ns;
    ++sample.output_tokens;
    flight.outcome.tokens.push_back(event.token);
    // The token that ends the generation is not part of what is said.
    if (event.finish == FinishReason::stop_token) return false;
    const std::string piece = flight.stops.push(flight.detokenizer.push(event.token));
    flight.spend("detokenize", begin_ns, clock_.now_ns());
    show(flight, piece);
    return flight.stops.stopped();
}

void TextGenerator::step(Flight& flight) {
    const int64_t planning_ns = clock_.now_ns();
    engine_.schedule_into(plan_, flight.meter.wants_drafts());
    const int64_t begin_ns = clock_.now_ns();
    const StepResult result = engine_.run(plan_);
    const int64_t computed_ns = clock_.now_ns();
    engine_.apply(plan_, result, events_);
    const int64_t sampled_ns = clock_.now_ns();
    const auto vocab = static_cast<size_t>(tokenizer_.vocab_size());
    for (size_t i = 0; flight.logprobs > 0 && i < events_.size(); ++i) {
        flight.outcome.logprobs.push_back(
            top_logprobs(result.logits.subspan(i * vocab, vocab), flight.logprobs));
    }
    flight.meter.add(plan_, events_.size(), static_cast<double>(sampled_ns - planning_ns));
    flight.spend(flight.outcome.tokens.empty() ? "prefill" : "decode", begin_ns, computed_ns);
    flight.spend("sample", computed_ns, clock_.now_ns());
    take_events(flight);
}

void TextGenerator::take_events(Flight& flight) {
    for (const TokenEvent& event : events_) {
        HONE_CHECK_EQ(event.sequence, flight.id);
        flight.outcome.finish = event.finish;
        if (!take_token(flight, event)) continue;
        flight.outcome.finish = FinishReason::stop_string;
        flight.outcome.stop_string = flight.stops.found();
        // What accepted drafts say behind the stop string is not said.
        if (flight.logprobs > 0) flight.outcome.logprobs.resize(flight.outcome.tokens.size());
        const bool runs = events_.back().finish == FinishReason::none;
        if (runs) HONE_CHECK(engine_.cancel(flight.id).has_value());
        return;
    }
}

base::Result<GenerationOutcome> TextGenerator::generate(const GenerationRequest& request,
                                                        const TextSink& sink,
                                                        const std::atomic<bool>* cancel) {
    HONE_CHECK(engine_.idle());
    if (request.prompt.size() > text::Tokenizer::kTextBytesMax) {
        return base::fail(base::ErrorCode::exhausted, "a prompt of {} bytes; at most {}",
                          request.prompt.size(), text::Tokenizer::kTextBytesMax);
    }
    HONE_TRY(auto matcher, text::StopMatcher::create(request.stop_strings));
    Flight flight(tokenizer_, request.show_special, std::move(matcher), sink);
    flight.start_ns = clock_.now_ns();
    flight.logprobs = std::min(request.logprobs, kLogprobsMax);

    SequenceRequest sequence;
    sequence.prompt = request.prompt_tokens;
    if (sequence.prompt.empty()) {
        const int64_t begin_ns = clock_.now_ns();
        sequence.prompt = tokenizer_.encode(request.prompt, request.encode);
        flight.spend("tokenize", begin_ns, clock_.now_ns());
    }
    measure::RequestSample& sample = flight.outcome.sample;
    sample.prompt_tokens = static_cast<int>(sequence.prompt.size());
    sequence.output_tokens_max = request.output_tokens_max;
    sequence.sampling = request.sampling;
    sequence.only_samples = request.logprobs == 0;
    if (request.ends_at_end_of_generation) sequence.stop_tokens = end_tokens_;
    HONE_TRY(flight.id, engine_.add(std::move(sequence)));
    sample.prompt_tokens_reused = static_cast<int>(engine_.reused_tokens(flight.id));

    while (!engine_.idle()) {
        if (cancel != nullptr && cancel->load(std::memory_order_relaxed)) {
            HONE_CHECK(engine_.cancel(flight.id).has_value());
            flight.outcome.finish = FinishReason::cancelled;
            break;
        }
        step(flight);
    }
    if (flight.outcome.finish != FinishReason::stop_string) {
        const int64_t begin_ns = clock_.now_ns();
        // Bytes that were held back for the rest of a character or of a stop string.
        std::string rest = flight.stops.push(flight.detokenizer.flush());
        if (!flight.stops.stopped()) rest += flight.stops.flush();
        flight.spend("detokenize", begin_ns, clock_.now_ns());
        show(flight, rest);
    }
    sample.total_ns = static_cast<double>(clock_.now_ns() - flight.start_ns);
    if (!flight.shown) sample.ttft_ns = sample.total_ns;
    if (engine_.limits().drafts_max > 0) flight.outcome.drafts = flight.meter.counts();
    return std::move(flight.outcome);
}

}  // namespace hone::runtime
