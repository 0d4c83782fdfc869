#include "probe/ab.h"

#include <algorithm>
#include <cmath>
#include <memory>
#include <utility>

#include "base/random.h"
#include "measure/sequential.h"
#include "probe/ab_quality.h"
#include "probe/rate_tests.h"
#include "probe/request_runner.h"
#include "probe/synthetic_prompt.h"

namespace hone::probe {
namespace {

using base::ErrorCode;
using base::fail;

// Looks at the data, evenly spread over the budget: more would cost power and gain little time.
constexpr int kLooks = 16;
// The Walsh averages of more pairs take longer than a pair does.
constexpr size_t kAbPairsMax = 1000;
// Of the budget, for quality.
constexpr double kQualityShare = 0.25;

enum class Test { prefill, decode, request };

struct Metric {
    const char* name;
    Test test;
};
constexpr Metric kMetrics[] = {{"prefill_tokens_per_s", Test::prefill},
                               {"decode_tokens_per_s", Test::decode},
                               {"ttft_ms", Test::request},
                               {"itl_ms", Test::request},
                               {"latency_ms", Test::request},
                               {"output_tokens_per_s", Test::request}};

const Metric* find_metric(const std::string& name) {
    for (const Metric& metric : kMetrics) {
        if (name == metric.name) return &metric;
    }
    return nullptr;
}

base::Status check_options(const AbOptions& options) {
    for (const std::string& name : options.metrics) {
        if (find_metric(name) != nullptr) continue;
        std::string known;
        for (const Metric& metric : kMetrics) {
            known += (known.empty() ? "" : ", ") + std::string(metric.name);
        }
        return fail(ErrorCode::invalid_argument, "no metric '{}' (known: {})", name, known);
    }
    if (options.shared_tokens < 0 || options.shared_tokens >= options.prompt_tokens) {
        return fail(ErrorCode::invalid_argument, "{} shared tokens of a prompt of {}",
                    options.shared_tokens, options.prompt_tokens);
    }
    auto sorted = options.metrics;
    std::sort(sorted.begin(), sorted.end());
    if (sorted.empty() || std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) {
        return fail(ErrorCode::invalid_argument, "metrics: at least one, each once");
    }
    const auto tokens_ok = [](int value) { return value >= 1 && value <= kRequestTokensMax; };
    if (!tokens_ok(options.prompt_tokens) || !tokens_ok(options.output_tokens)) {
        return fail(ErrorCode::invalid_argument, "{} prompt tokens, {} output tokens: out of range",
                    options.prompt_tokens, options.output_tokens);
    }
    const bool gaps = std::find(sorted.begin(), sorted.end(), "itl_ms") != sorted.end();
    if (gaps && options.output_tokens < 2) {
        return fail(ErrorCode::invalid_argument, "itl_ms needs two output tokens or more");
    }
    if (!(options.floor_percent >= 0) || !(options.budget_s > 0)) {
        return fail(ErrorCode::invalid_argument, "a floor of {} % and a budget of {} s",
                    options.floor_percent, options.budget_s);
    }
    return {};
}

base::Status check_side(const AbSide& side, const AbOptions& options) {
    if (side.batch < 1 || side.depth < 0 || side.depth > kRequestTokensMax ||
        side.delay_share < 0) {
        return fail(ErrorCode::invalid_argument, "batch {}, depth {}, delay {}: out of range",
                    side.batch, side.depth, side.delay_share);
    }
    if (side.batch > 1 && side.depth > 0) {
        return fail(ErrorCode::invalid_argument, "a depth goes with a batch of 1 only");
    }
    const runtime::EngineLimits& limits = side.session.options().limits;
    const uint32_t needed = ab_positions(side.depth, options);
    if (needed > limits.context || static_cast<uint32_t>(side.batch) > limits.sequences_max) {
        return fail(ErrorCode::invalid_argument,
                    "{} sequences of {} positions do not fit a session of {} of {}", side.batch,
                    needed, limits.sequences_max, limits.context);
    }
    return {};
}

using Values = std::vector<std::pair<std::string, double>>;

double value_of(const Values& values, const std::string& name) {
    for (const auto& [key, value] : values) {
        if (key == name) return value;
    }
    return 0;
}

// The tests of one side.
class Contender {
  public:
    static base::Result<Contender> create(const AbSide& side, const AbOptions& options,
                                          const base::Clock& clock) {
        runtime::Session& session = side.session;
        RateOptions rate;
        rate.prompt_tokens = options.prompt_tokens;
        rate.output_tokens = options.output_tokens;
        rate.depth = side.depth;
        rate.batch_max = side.batch;
        rate.batch_steps = options.output_tokens;
        rate.delay_share = side.delay_share;
        rate.seed = options.seed;
        Contender contender(side, options);
        HONE_TRY(auto rates, RateTests::create(session.config(), session.executor(),
                                               *contender.no_roofs_, clock, rate));
        contender.rates_.emplace(std::move(rates));
        const auto positions = static_cast<uint32_t>(options.prompt_tokens + options.output_tokens);
        HONE_TRY(contender.requests_,
                 RequestRunner::create(session, clock,
                                       {.sequences = static_cast<uint32_t>(side.batch),
                                        .positions = positions,
                                        .trim_padding = side.trim_padding}));
        contender.requests_->set_delay(StepDelay(clock, side.delay_share));
        return contender;
    }

    // Adds the test's metrics to `values`, by name. `round` decides the prompts.
    base::Status visit(Test test, uint64_t round, const Conduct& conduct, Values& values) {
        if (test == Test::request) return visit_request(round, conduct, values);
        const auto measure = [&]() -> base::Result<RateSample> {
            if (test == Test::prefill) return rates_->prefill(conduct);
            if (batch_ > 1) return rates_->decode_batch(batch_, conduct);
            return rates_->decode(conduct);
        };
        HONE_TRY(const RateSample sample, measure());
        values.emplace_back(test == Test::prefill ? "prefill_tokens_per_s" : "decode_tokens_per_s",
                            sample.tokens_per_s());
        return {};
    }

  private:
    Contender(const AbSide& side, const AbOptions& options)
        : tokenizer_(&side.session.tokenizer()),
          batch_(side.batch),
          options_(&options),
          shared_(options.shared_tokens > 0
                      ? make_prompt(*tokenizer_, options.shared_tokens, options.seed).text
                      : std::string()),
          no_roofs_(std::make_unique<machine::MachineProfile>()) {}

    // Both sides, and all batch sizes of a run, read the same texts in a round.
    std::vector<Prompt> prompts_of(uint64_t round) {
        std::vector<Prompt> prompts;
        for (int i = 0; i < batch_; ++i) {
            const uint64_t index = round * 64 + static_cast<uint64_t>(i);
            if (options_->prompts.empty()) {
                const uint64_t seed = options_->seed + 1 + index;
                const int own = options_->prompt_tokens - options_->shared_tokens;
                prompts.push_back({shared_ + make_prompt(*tokenizer_, own, seed).text});
                continue;
            }
            const uint64_t number = round * static_cast<uint64_t>(batch_) + prompts.size();
            const size_t at = number % options_->prompts.size();
            // A repetition that only this comparison made is no saving.
            if (at == 0) requests_->forget_prefixes();
            prompts.push_back(options_->prompts[at]);
        }
        return prompts;
    }

    base::Status visit_request(uint64_t round, const Conduct& conduct, Values& values) {
        const std::vector<Prompt> prompts = prompts_of(round);
        HONE_TRY(const auto samples,
                 requests_->run_round(prompts, options_->output_tokens, nullptr, conduct));
        const auto n = static_cast<double>(samples.size());
        double ttft_ns = 0;
        double total_ns = 0;
        double longest_ns = 0;
        double tokens = 0;
        double gap_ns = 0;
        size_t gaps = 0;
        for (const measure::RequestSample& sample : samples) {
            ttft_ns += sample.ttft_ns;
            total_ns += sample.total_ns;
            longest_ns = std::max(longest_ns, sample.total_ns);
            tokens += sample.output_tokens;
            for (const double gap : sample.token_gap_ns) gap_ns += gap;
            gaps += sample.token_gap_ns.size();
        }
        values.emplace_back("ttft_ms", ttft_ns / n * 1e-6);
        values.emplace_back("latency_ms", total_ns / n * 1e-6);
        // They began together.
        if (longest_ns > 0) values.emplace_back("output_tokens_per_s", tokens / longest_ns * 1e9);
        if (gaps > 0) values.emplace_back("itl_ms", gap_ns / static_cast<double>(gaps) * 1e-6);
        return {};
    }

    const text::Tokenizer* tokenizer_;
    int batch_;
    const AbOptions* options_;
    std::string shared_;  // what every prompt begins with
    // Rates are compared with each other, not with roofs. Its address must not change.
    std::unique_ptr<machine::MachineProfile> no_roofs_;
    std::optional<RateTests> rates_;
    std::unique_ptr<RequestRunner> requests_;
};

class AbRun {
  public:
    AbRun(Contender a, Contender b, const AbOptions& options, const base::Clock& clock,
          const Conduct& conduct)
        : sides_{std::move(a), std::move(b)},
          options_(options),
          clock_(clock),
          conduct_(conduct),
          coin_(options.seed ^ 0xAB),
          sequence_(options.metrics.size(), std::log1p(options.floor_percent / 100)),
          samples_(options.metrics.size()) {}

    base::Status measure(int64_t end_ns, measure::Comparison& out);

  private:
    struct Samples {
        std::vector<double> a;
        std::vector<double> b;
    };

    base::Status run_pair(bool counts);
    bool is_over(int64_t end_ns) const;
    base::Status pairs(int64_t end_ns, std::string& ended);
    void fill(measure::Comparison& out) const;

    Contender sides_[2];
    const AbOptions& options_;
    const base::Clock& clock_;
    const Conduct& conduct_;
    base::Random coin_;
    measure::SequentialComparison sequence_;
    std::vector<Samples> samples_;  // [metric]
    uint64_t round_ = 0;
};

base::Status AbRun::run_pair(bool counts) {
    Values values[2];
    for (const Test test : {Test::prefill, Test::decode, Test::request}) {
        const bool wanted =
            std::any_of(options_.metrics.begin(), options_.metrics.end(),
                        [&](const std::string& name) { return find_metric(name)->test == test; });
        if (!wanted) continue;
        const size_t first = coin_.next_below(2);
        HONE_TRY_STATUS(sides_[first].visit(test, round_, conduct_, values[first]));
        HONE_TRY_STATUS(sides_[1 - first].visit(test, round_, conduct_, values[1 - first]));
    }
    ++round_;
    if (!counts) return {};
    std::vector<double> a;
    std::vector<double> b;
    std::vector<double> log_ratios;
    for (const std::string& name : options_.metrics) {
        a.push_back(value_of(values[0], name));
        b.push_back(value_of(values[1], name));
        // A clock may stand still: such a pair says nothing.
        if (!(a.back() > 0) || !(b.back() > 0)) return {};
        log_ratios.push_back(std::log(b.back() / a.back()));
    }
    for (size_t i = 0; i < samples_.size(); ++i) {
        samples_[i].a.push_back(a[i]);
        samples_[i].b.push_back(b[i]);
    }
    sequence_.add(log_ratios);
    return {};
}

// One pair is measured in any case; the warm-up was the first round.
bool AbRun::is_over(int64_t end_ns) const {
    const int64_t late_ns = clock_.now_ns() - end_ns;
    if (late_ns < 0 || round_ <= 1) return false;
    return static_cast<double>(late_ns) * 1e-9 >= options_.grace_s ||
           sequence_.pairs() >= measure::pairs_to_decide(samples_.size());
}

base::Status AbRun::pairs(int64_t end_ns, std::string& ended) {
    const int64_t begin_ns = clock_.now_ns();
    const double length_ns = std::max(1.0, static_cast<double>(end_ns - begin_ns));
    int looks = 0;
    while (true) {
        const double share = static_cast<double>(clock_.now_ns() - begin_ns) / length_ns;
        const bool last = is_over(end_ns) || sequence_.pairs() >= kAbPairsMax;
        // All that looks may spend is spent at the last one.
        if (last || (share < 1 && share * kLooks >= looks + 1)) {
            looks = static_cast<int>(share * kLooks);
            ended = sequence_.look(last ? 1 : share) ? "decided" : share >= 1 ? "budget" : "pairs";
            if (last || ended == "decided") return {};
        }
        conduct_.report("pairs measured: " + std::to_string(sequence_.pairs()), share);
        const base::Status pair = run_pair(true);
        if (pair) continue;
        const bool enough = pair.error().code == ErrorCode::cancelled && sequence_.pairs() > 0;
        if (!enough) return pair;
        // The moment is the user's, who has seen no result yet.
        sequence_.look(1);
        ended = "cancelled";
        return {};
    }
}

void AbRun::fill(measure::Comparison& out) const {
    for (size_t i = 0; i < options_.metrics.size(); ++i) {
        const measure::PairedState& state = sequence_.state(i);
        const auto* known = measure::find_metric_definition(options_.metrics[i]);
        measure::MetricComparison& metric = out.metrics.emplace_back();
        metric.name = known->name;
        metric.unit = known->unit;
        metric.better = known->better;
        metric.n = state.n;
        if (state.n == 0) continue;
        metric.a = measure::median(samples_[i].a);
        metric.b = measure::median(samples_[i].b);
        metric.change_percent = measure::percent_of(state.shift);
        metric.ci95 = measure::percent_of(state.interval);
        if (state.n < measure::kPairsMin) continue;
        metric.verdict =
            measure::verdict_of(state.shift, state.differs, metric.better, out.floor_percent);
    }
}

base::Status AbRun::measure(int64_t end_ns, measure::Comparison& out) {
    conduct_.report("warming up", 0);
    HONE_TRY_STATUS(run_pair(false));
    HONE_TRY_STATUS(pairs(end_ns, out.ended));
    fill(out);
    return {};
}

base::Status add_quality(const AbSide& a, const AbSide& b, const AbOptions& options,
                         const base::Clock& clock, const Conduct& conduct,
                         measure::Comparison& out) {
    if (options.quality_positions <= 0) return {};
    const bool built_in = options.text.empty();
    const std::string text = built_in ? quality_text() : options.text;
    auto quality = compare_logits(a.session, b.session, text, options.quality_positions,
                                  options.budget_s * kQualityShare, clock, conduct);
    if (quality) {
        out.quality = std::move(*quality);
        out.quality->text = built_in ? "built-in" : options.text_name;
        return {};
    }
    if (quality.error().code != ErrorCode::unsupported) {
        return tl::unexpected<base::Error>(std::move(quality).error());
    }
    out.quality_missing = "ab_no_common_vocabulary";
    return {};
}

}  // namespace

uint32_t ab_positions(int depth, const AbOptions& options) {
    const int rates = std::max(options.prompt_tokens, depth) + options.output_tokens;
    const int quality =
        options.quality_positions > 0 ? kQualityPromptTokens + options.quality_positions : 0;
    return static_cast<uint32_t>(std::max(rates, quality));
}

base::Result<measure::Comparison> run_ab(const AbSide& a, const AbSide& b, const AbOptions& options,
                                         const base::Clock& clock, const Conduct& conduct) {
    HONE_TRY_STATUS(check_options(options));
    HONE_TRY_STATUS(check_side(a, options));
    HONE_TRY_STATUS(check_side(b, options));
    const int64_t begin_ns = clock.now_ns();
    measure::Comparison out;
    out.method = "group_sequential_signed_ranks";
    out.floor_percent = options.floor_percent;
    HONE_TRY_STATUS(add_quality(a, b, options, clock, conduct, out));
    HONE_TRY(Contender left, Contender::create(a, options, clock));
    HONE_TRY(Contender right, Contender::create(b, options, clock));
    AbRun run(std::move(left), std::move(right), options, clock, conduct);
    HONE_TRY_STATUS(run.measure(begin_ns + static_cast<int64_t>(options.budget_s * 1e9), out));
    out.wall_s = static_cast<double>(clock.now_ns() - begin_ns) * 1e-9;
    return out;
}

}  // namespace hone::probe
