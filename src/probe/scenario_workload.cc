#include <algorithm>
#include <string>
#include <utility>

#include "measure/statistics.h"
#include "probe/request_runner.h"
#include "probe/run_frame.h"
#include "probe/run_watch.h"
#include "probe/stepper.h"
#include "probe/synthetic_prompt.h"
#include "probe/timing_overhead.h"
#include "probe/workload.h"

namespace hone::probe {
namespace {

using base::ErrorCode;
using base::fail;

constexpr int kRequestsMax = 100'000;
constexpr int kOverheadPairsMax = 10'000;
constexpr int kRequestRoundsMin = 2;

base::Status check_options(const ScenarioOptions& options, const runtime::Session& session) {
    if (options.prompt_tokens < 1 || options.prompt_tokens > kRequestTokensMax ||
        options.output_tokens < 1 || options.output_tokens > kRequestTokensMax ||
        options.requests < 1 || options.requests > kRequestsMax || options.overhead_pairs < 0 ||
        options.overhead_pairs > kOverheadPairsMax) {
        return fail(ErrorCode::invalid_argument,
                    "{} requests of {} tokens in and {} out: out of range", options.requests,
                    options.prompt_tokens, options.output_tokens);
    }
    const uint32_t together = session.options().limits.sequences_max;
    if (options.batch < 1 || static_cast<uint32_t>(options.batch) > together) {
        return fail(ErrorCode::invalid_argument,
                    "scenario '{}' runs {} sequences; the model was opened for {}", options.name,
                    options.batch, together);
    }
    return {};
}

class ScenarioRun {
  public:
    ScenarioRun(runtime::Session& session, const ScenarioOptions& options,
                const RunSetting& setting, const Conduct& conduct)
        : session_(session),
          options_(options),
          setting_(setting),
          conduct_(conduct),
          frame_(session, setting),
          recorder_(session.plan(), session.options().threads, setting.clock),
          begin_ns_(setting.clock.now_ns()) {}

    base::Result<measure::RunRecord> run();

  private:
    base::Status measure_prompts();
    void fill_context();
    std::vector<Prompt> make_round();
    base::Status run_round(const char* phase, StepRecorder* recorder);
    base::Status run_warm_rounds();
    double seconds_so_far() const;
    double overhead_s() const;
    base::Status measure_overhead();

    runtime::Session& session_;
    const ScenarioOptions& options_;
    const RunSetting& setting_;
    const Conduct& conduct_;
    RunFrame frame_;
    StepRecorder recorder_;
    std::unique_ptr<RequestRunner> runner_;
    uint64_t prompts_made_ = 0;
    int prompt_tokens_ = 0;  // median
    uint32_t positions_ = 0;
    int warm_requests_ = 0;
    int64_t begin_ns_;
};

base::Status ScenarioRun::measure_prompts() {
    std::vector<int> tokens{options_.prompt_tokens};
    if (!options_.prompts.empty()) tokens.clear();
    for (const Prompt& prompt : options_.prompts) {
        tokens.push_back(static_cast<int>(
            prompt_ids(session_.tokenizer(), prompt, options_.trim_padding).size()));
    }
    std::sort(tokens.begin(), tokens.end());
    prompt_tokens_ = tokens[tokens.size() / 2];
    positions_ = static_cast<uint32_t>(tokens.back() + options_.output_tokens);
    if (positions_ <= session_.options().limits.context) return {};
    return fail(ErrorCode::invalid_argument, "scenario '{}' needs {} positions; the context has {}",
                options_.name, positions_, session_.options().limits.context);
}

void ScenarioRun::fill_context() {
    measure::RunContext& context = frame_.record().context;
    context.scenario = options_.name;
    context.primary_metric = options_.primary_metric;
    context.prompt_tokens = prompt_tokens_;
    context.output_tokens = options_.output_tokens;
    context.batch = options_.batch;
    context.seed = options_.seed;
}

std::vector<Prompt> ScenarioRun::make_round() {
    std::vector<Prompt> prompts;
    for (int i = 0; i < options_.batch; ++i, ++prompts_made_) {
        if (options_.prompts.empty()) {
            // A text of its own for each: equal prefixes would be a workload of another kind.
            const uint64_t seed = options_.seed + 1 + prompts_made_;
            prompts.push_back(
                {make_prompt(session_.tokenizer(), options_.prompt_tokens, seed).text});
            continue;
        }
        const size_t index = prompts_made_ % options_.prompts.size();
        if (index == 0) runner_->forget_prefixes();
        prompts.push_back(options_.prompts[index]);
    }
    return prompts;
}

base::Status ScenarioRun::run_round(const char* phase, StepRecorder* recorder) {
    const std::vector<Prompt> prompts = make_round();
    HONE_TRY(auto samples, runner_->run_round(prompts, options_.output_tokens, recorder, conduct_));
    for (measure::RequestSample& sample : samples) {
        sample.phase = phase;
        frame_.record().requests.push_back(std::move(sample));
    }
    if (std::string_view(phase) == "warm") store_drafts(*runner_, frame_.record());
    frame_.sample_memory();
    return {};
}

double ScenarioRun::seconds_so_far() const {
    return static_cast<double>(setting_.clock.now_ns() - begin_ns_) * 1e-9;
}

// What measure_overhead() will take, by the gaps between the tokens of the requests so far.
double ScenarioRun::overhead_s() const {
    std::vector<double> gaps;
    for (const measure::RequestSample& sample : frame_.record().requests) {
        gaps.insert(gaps.end(), sample.token_gap_ns.begin(), sample.token_gap_ns.end());
    }
    return 2e-9 * options_.overhead_pairs * measure::median(gaps).value_or(0);
}

base::Status ScenarioRun::run_warm_rounds() {
    RunWatch watch(session_.executor(), setting_.machine, setting_.clock);
    const size_t first = frame_.record().requests.size();
    double longest_s = 0;
    for (int round = 0; warm_requests_ < options_.requests; ++round) {
        const double start_s = seconds_so_far();
        if (round >= kRequestRoundsMin && start_s + longest_s + overhead_s() > options_.budget_s)
            break;
        conduct_.report("requests", std::min(1.0, static_cast<double>(warm_requests_) /
                                                      static_cast<double>(options_.requests)));
        HONE_TRY_STATUS(run_round("warm", &recorder_));
        watch.between_rounds();
        warm_requests_ += options_.batch;
        frame_.record().context.repeats += 1;
        longest_s = std::max(longest_s, seconds_so_far() - start_s);
    }
    uint64_t tokens = 0;
    const auto& requests = frame_.record().requests;
    for (size_t i = first; i < requests.size(); ++i) {
        tokens += static_cast<uint64_t>(requests[i].prompt_tokens + requests[i].output_tokens);
    }
    watch.finish(tokens, frame_.record());
    return {};
}

base::Status ScenarioRun::measure_overhead() {
    const auto context = static_cast<int>(session_.options().limits.context);
    const int depth = std::min(prompt_tokens_, context / 2);
    const int pairs = std::min(options_.overhead_pairs, (context - depth) / 2);
    if (pairs < 1) return {};
    const auto positions = static_cast<uint32_t>(depth + 2 * pairs);
    HONE_TRY(Stepper stepper,
             Stepper::create(session_.config(), session_.executor(), 1, positions));
    HONE_TRY(frame_.record().timing_overhead_share,
             timing_overhead_share(stepper, setting_.clock, depth, pairs, conduct_));
    return {};
}

base::Result<measure::RunRecord> ScenarioRun::run() {
    HONE_TRY_STATUS(measure_prompts());
    fill_context();
    HONE_TRY(runner_, RequestRunner::create(session_, setting_.clock,
                                            {.sequences = static_cast<uint32_t>(options_.batch),
                                             .positions = positions_,
                                             .trim_padding = options_.trim_padding}));
    conduct_.report("first request", 0);
    HONE_TRY_STATUS(run_round("cold", nullptr));
    // The warm rounds are a pass of their own.
    if (!options_.prompts.empty()) prompts_made_ = 0;
    recorder_.trace_into(options_.trace);
    HONE_TRY_STATUS(run_warm_rounds());
    recorder_.store(frame_.record());
    HONE_TRY_STATUS(measure_overhead());
    frame_.finish(runner_->kv_facts());
    conduct_.report("done", 1);
    return std::move(frame_.record());
}

}  // namespace

base::Result<measure::RunRecord> run_scenario(runtime::Session& session,
                                              const ScenarioOptions& options,
                                              const RunSetting& setting, const Conduct& conduct) {
    HONE_TRY_STATUS(check_options(options, session));
    HONE_TRY_STATUS(conduct.check());
    ScenarioRun run(session, options, setting, conduct);
    return run.run();
}

}  // namespace hone::probe
