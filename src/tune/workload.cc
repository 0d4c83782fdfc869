#include "tune/workload.h"

#include <algorithm>

#include "probe/ab_quality.h"
#include "runtime/text_reader.h"

namespace hone::tune {
namespace {

using base::ErrorCode;
using base::fail;

// What a BOS may add to a prompt.
constexpr uint32_t kSlack = 8;
// Tokens of an answer in a trial that is judged by the time between them: enough to measure it.
constexpr int kGapTokens = 32;
// Positions of the windows in which quality is read, at least.
constexpr size_t kGateWindow = 256;
// Seeds of the parts: far enough apart that no two requests of a run share a text.
constexpr uint64_t kSeedStep = 1u << 20;
constexpr uint64_t kHeldOutSeed = uint64_t{1} << 40;

// Two halves, cut after the paragraph, sentence or word that ends nearest to the middle.
std::pair<std::string, std::string> halves(const std::string& text) {
    for (const char* end : {"\n\n", ". ", " "}) {
        const size_t third = text.size() / 3;
        size_t best = std::string::npos;
        for (size_t at = text.find(end, third); at != std::string::npos && at < 2 * third;
             at = text.find(end, at + 1)) {
            const auto off = [&](size_t cut) {
                return cut > text.size() / 2 ? cut - text.size() / 2 : text.size() / 2 - cut;
            };
            if (best == std::string::npos || off(at) < off(best)) best = at;
        }
        if (best == std::string::npos) continue;
        const size_t cut = best + std::string_view(end).size();
        return {text.substr(0, cut), text.substr(cut)};
    }
    return {text, {}};
}

}  // namespace

base::Result<Workload> Workload::create(const models::Model& model,
                                        const text::Tokenizer& tokenizer,
                                        const WorkloadOptions& options) {
    Workload out;
    out.options_ = options;
    out.vocabulary_ = model.config().n_vocab;
    if (options.text.empty()) out.options_.text_name = "built-in";
    std::tie(out.trial_text_, out.held_out_text_) =
        halves(options.text.empty() ? probe::quality_text() : options.text);
    const size_t tokens = std::min(tokenizer.encode(out.trial_text_).size(),
                                   tokenizer.encode(out.held_out_text_).size());
    constexpr size_t kLeast = probe::kQualityPromptTokens + measure::kQualityPositionsMin + 1;
    if (tokens < kLeast) {
        return fail(ErrorCode::invalid_argument,
                    "{}: too short to judge quality: {} tokens in each half, {} are needed",
                    out.options_.text_name, tokens, kLeast);
    }
    const diagnose::Scenario& scenario = *options.scenario;
    size_t longest = static_cast<size_t>(scenario.prompt_tokens);
    if (!options.prompts.empty()) longest = 1;
    for (size_t i = 0; i < options.prompts.size(); ++i) {
        const probe::Prompt& prompt = options.prompts[i];
        longest = std::max(longest, probe::prompt_ids(tokenizer, prompt, false).size());
        const bool alone = options.prompts.size() == 1;
        if (i % 2 == 0) out.trial_prompts_.push_back(prompt);
        if (i % 2 == 1 || alone) out.held_out_prompts_.push_back(prompt);
    }
    const size_t needed = longest + static_cast<size_t>(scenario.output_tokens) + kSlack;
    const size_t context = model.config().context_max;
    if (needed > context) {
        return fail(options.prompts.empty() ? ErrorCode::unsupported : ErrorCode::invalid_argument,
                    "scenario '{}' needs {} positions; the model allows {}", scenario.id, needed,
                    context);
    }
    out.prompt_tokens_ = static_cast<int>(longest);
    out.positions_ =
        static_cast<uint32_t>(std::max(needed, std::min<size_t>(kGateWindow, context)));
    return out;
}

int Workload::batch(const Settings& settings) const {
    return settings.batch > 0 ? settings.batch : options_.scenario->batch;
}

base::Result<runtime::LoadOptions> Workload::load(const Settings& settings) const {
    runtime::EngineLimits limits;
    limits.sequences_max = static_cast<uint32_t>(batch(settings));
    limits.logit_rows = runtime::kReaderRows;
    limits.context = settings.context > 0 ? settings.context : positions_;
    if (limits.context < positions_) {
        return fail(ErrorCode::invalid_argument, "a context of {}; this work needs {}",
                    limits.context, positions_);
    }
    return load_options(settings, limits);
}

probe::ScenarioOptions Workload::scenario_options(const Settings& settings, double budget_s,
                                                  bool held_out) const {
    const diagnose::Scenario& scenario = *options_.scenario;
    probe::ScenarioOptions run;
    run.name = scenario.id;
    run.primary_metric = scenario.primary_metric;
    run.prompt_tokens = scenario.prompt_tokens;
    run.output_tokens = scenario.output_tokens;
    run.batch = batch(settings);
    run.requests = scenario.requests;
    run.budget_s = budget_s;
    run.prompts = held_out ? held_out_prompts_ : trial_prompts_;
    run.trim_padding = settings.trim_padding;
    run.seed = options_.seed + (held_out ? kHeldOutSeed + kSeedStep : 0);
    return run;
}

std::vector<std::string> Workload::trial_metrics() const {
    const std::string primary = options_.scenario->primary_metric;
    // A steady pace that is bought with a late first token is no gain.
    if (primary == "itl_ms") return {primary, "latency_ms"};
    return {primary};
}

probe::AbOptions Workload::trial_options(uint64_t number, const ComparisonTime& time,
                                         double floor_percent) const {
    probe::AbOptions ab;
    ab.prompt_tokens = prompt_tokens_;
    ab.output_tokens = options_.scenario->output_tokens;
    if (std::string_view(options_.scenario->primary_metric) == "itl_ms") {
        ab.output_tokens = std::min(ab.output_tokens, kGapTokens);
    }
    ab.metrics = trial_metrics();
    ab.floor_percent = floor_percent;
    ab.budget_s = time.budget_s;
    ab.grace_s = time.grace_s;
    ab.quality_positions = 0;
    ab.seed = options_.seed + kSeedStep * (number + 1);
    ab.prompts = trial_prompts_;
    return ab;
}

probe::AbOptions Workload::held_out_options(const ComparisonTime& time,
                                            double floor_percent) const {
    probe::AbOptions ab = trial_options(0, time, floor_percent);
    for (const char* metric : {"latency_ms", "ttft_ms", "itl_ms", "output_tokens_per_s"}) {
        const bool there =
            std::find(ab.metrics.begin(), ab.metrics.end(), metric) != ab.metrics.end();
        if (!there) ab.metrics.emplace_back(metric);
    }
    ab.seed = options_.seed + kHeldOutSeed;
    ab.prompts = held_out_prompts_;
    return ab;
}

}  // namespace hone::tune
