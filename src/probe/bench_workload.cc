#include <algorithm>
#include <string>
#include <utility>

#include "probe/node_walk.h"
#include "probe/rate_tests.h"
#include "probe/request_runner.h"
#include "probe/roof_shares.h"
#include "probe/run_frame.h"
#include "probe/synthetic_prompt.h"
#include "probe/workload.h"

namespace hone::probe {
namespace {

using base::ErrorCode;
using base::fail;

constexpr int kRepeatsMax = 10'000;

base::Status check_options(const BenchOptions& options, uint32_t context) {
    const auto in_range = [](int value, int low, int high) {
        return value >= low && value <= high;
    };
    if (!in_range(options.prompt_tokens, 1, kRequestTokensMax) ||
        !in_range(options.output_tokens, 1, kRequestTokensMax) ||
        !in_range(options.depth, 0, kRequestTokensMax)) {
        return fail(ErrorCode::invalid_argument,
                    "{} prompt tokens, {} output tokens, depth {}: out of range",
                    options.prompt_tokens, options.output_tokens, options.depth);
    }
    if (!in_range(options.repeats, 1, kRepeatsMax) || !in_range(options.warm_ups, 0, kRepeatsMax) ||
        !in_range(options.batch_steps_max, 1, kRequestTokensMax)) {
        return fail(ErrorCode::invalid_argument, "{} repeats after {} warm-ups: out of range",
                    options.repeats, options.warm_ups);
    }
    const int longest = options.output_tokens + std::max(options.prompt_tokens, options.depth);
    if (static_cast<uint32_t>(longest) > context) {
        return fail(ErrorCode::invalid_argument, "{} tokens do not fit the context of {} positions",
                    longest, context);
    }
    return {};
}

// One bench: a list of tests that every repeat runs once, each time starting with another.
class BenchRun {
  public:
    BenchRun(runtime::Session& session, const BenchOptions& options, const RunSetting& setting,
             const Conduct& conduct)
        : session_(session),
          options_(options),
          setting_(setting),
          conduct_(conduct),
          frame_(session, setting) {}

    base::Result<measure::RunRecord> run();

  private:
    enum class Test { prefill, decode, batch, request };
    struct Item {
        Test test;
        int batch = 1;
    };

    base::Status prepare();
    base::Status run_item(const Item& item, bool counts);
    base::Status run_rate(const Item& item, bool counts);
    base::Result<RateSample> run_decode();
    base::Status run_request(const std::string& phase, bool counts);
    base::Status run_repeats();

    runtime::Session& session_;
    const BenchOptions& options_;
    const RunSetting& setting_;
    const Conduct& conduct_;
    RunFrame frame_;
    std::optional<RateTests> rates_;
    std::optional<WeightReader> reader_;  // absent: the level has no reading loop
    std::unique_ptr<RequestRunner> requests_;
    std::vector<Item> items_;
    uint64_t prompts_made_ = 0;
};

base::Status BenchRun::prepare() {
    items_ = {{Test::prefill}, {Test::decode}, {Test::request}};
    RateOptions rate;
    rate.prompt_tokens = options_.prompt_tokens;
    rate.output_tokens = options_.output_tokens;
    rate.depth = options_.depth;
    rate.batch_steps = std::min(options_.batch_steps_max, options_.output_tokens);
    rate.seed = options_.seed;
    const uint32_t together = session_.options().limits.sequences_max;
    for (const int batch : options_.batches) {
        if (batch < 1 || static_cast<uint32_t>(batch) > together) continue;
        items_.push_back({Test::batch, batch});
        rate.batch_max = std::max(rate.batch_max, batch);
    }
    HONE_TRY(auto rates, RateTests::create(session_.config(), session_.executor(), setting_.machine,
                                           setting_.clock, rate));
    rates_.emplace(std::move(rates));
    if (auto reader = WeightReader::of_plan(session_.executor()))
        reader_.emplace(std::move(*reader));
    const auto positions = static_cast<uint32_t>(options_.prompt_tokens + options_.output_tokens);
    HONE_TRY(requests_, RequestRunner::create(session_, setting_.clock, {.positions = positions}));
    measure::RunContext& context = frame_.record().context;
    context.primary_metric = "decode_tokens_per_s";
    context.prompt_tokens = options_.prompt_tokens;
    context.output_tokens = options_.output_tokens;
    context.seed = options_.seed;
    return {};
}

base::Status BenchRun::run_request(const std::string& phase, bool counts) {
    const Prompt prompt{make_prompt(session_.tokenizer(), options_.prompt_tokens,
                                    options_.seed + 1 + prompts_made_++)
                            .text};
    HONE_TRY(auto samples, requests_->run_round(std::span(&prompt, 1), options_.output_tokens,
                                                nullptr, conduct_));
    if (!counts) return {};
    measure::RunRecord& record = frame_.record();
    if (phase == "warm") store_drafts(*requests_, record);
    for (measure::RequestSample& sample : samples) {
        sample.phase = phase;
        const std::string suffix = phase == "cold" ? "_cold" : "";
        record.add_sample("ttft_ms" + suffix, "ms", sample.ttft_ns * 1e-6);
        if (!sample.token_gap_ns.empty()) {
            double gaps_ns = 0;
            for (const double gap : sample.token_gap_ns) gaps_ns += gap;
            record.add_sample("itl_ms" + suffix, "ms",
                              gaps_ns / static_cast<double>(sample.token_gap_ns.size()) * 1e-6);
        }
        record.add_sample("latency_ms" + suffix, "ms", sample.total_ns * 1e-6);
        record.requests.push_back(std::move(sample));
    }
    return {};
}

// With a reading of the weights before and after it: what memory gives on a shared machine changes
// from one second to the next.
base::Result<RateSample> BenchRun::run_decode() {
    const auto read = [&] { return reader_ ? reader_->read_gb_per_s(setting_.clock) : 0; };
    const double before = read();
    HONE_TRY(RateSample sample, rates_->decode(conduct_));
    sample.roof_gb_per_s = (before + read()) / 2;
    return sample;
}

base::Status BenchRun::run_rate(const Item& item, bool counts) {
    const auto measure = [&]() -> base::Result<RateSample> {
        if (item.test == Test::prefill) return rates_->prefill(conduct_);
        if (item.test == Test::decode) return run_decode();
        return rates_->decode_batch(item.batch, conduct_);
    };
    HONE_TRY(const RateSample sample, measure());
    if (!counts || sample.wall_ns <= 0) return {};
    std::string name = fmt::format("batch{}_tokens_per_s", item.batch);
    if (item.test == Test::prefill) name = "prefill_tokens_per_s";
    if (item.test == Test::decode) name = "decode_tokens_per_s";
    frame_.record().add_sample(name, "tokens/s", sample.tokens_per_s());
    if (item.test == Test::prefill && sample.compute_ns) {
        frame_.record().add_sample("prefill_compute_share", "share",
                                   *sample.compute_ns / sample.wall_ns);
    }
    if (item.test != Test::decode || sample.roof_gb_per_s <= 0) return {};
    frame_.record().add_sample("decode_bandwidth_share", "share",
                               sample.stream_bytes / sample.wall_ns / sample.roof_gb_per_s);
    return {};
}

base::Status BenchRun::run_item(const Item& item, bool counts) {
    HONE_TRY_STATUS(conduct_.check());
    HONE_TRY_STATUS(item.test == Test::request ? run_request("warm", counts)
                                               : run_rate(item, counts));
    frame_.sample_memory();
    return {};
}

base::Status BenchRun::run_repeats() {
    const int64_t begin_ns = setting_.clock.now_ns();
    const int rounds = options_.warm_ups + options_.repeats;
    for (int round = 0; round < rounds; ++round) {
        const bool counts = round >= options_.warm_ups;
        const double spent_s = static_cast<double>(setting_.clock.now_ns() - begin_ns) * 1e-9;
        const bool late = options_.budget_s > 0 && spent_s >= options_.budget_s;
        if (late && frame_.record().context.repeats > 0) return {};
        for (size_t i = 0; i < items_.size(); ++i) {
            const double done = static_cast<double>(round) +
                                static_cast<double>(i) / static_cast<double>(items_.size());
            conduct_.report(counts ? "measuring" : "warming up", done / rounds);
            // Each round starts with another test, so that none always follows the same one.
            const Item& item = items_[(i + static_cast<size_t>(round)) % items_.size()];
            HONE_TRY_STATUS(run_item(item, counts));
        }
        if (counts) frame_.record().context.repeats += 1;
    }
    return {};
}

base::Result<measure::RunRecord> BenchRun::run() {
    HONE_TRY_STATUS(prepare());
    conduct_.report("first request", 0);
    HONE_TRY_STATUS(run_request("cold", true));
    HONE_TRY_STATUS(run_repeats());
    frame_.finish(requests_->kv_facts());
    conduct_.report("done", 1);
    return std::move(frame_.record());
}

}  // namespace

base::Result<measure::RunRecord> run_bench(runtime::Session& session, const BenchOptions& options,
                                           const RunSetting& setting, const Conduct& conduct) {
    HONE_TRY_STATUS(check_options(options, session.options().limits.context));
    HONE_TRY_STATUS(conduct.check());
    BenchRun run(session, options, setting, conduct);
    return run.run();
}

}  // namespace hone::probe
