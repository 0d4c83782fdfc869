#include "cli/quantize_decode.h"

#include <filesystem>

#include "cli/session_options.h"
#include "probe/forecast.h"

namespace hone::cli {
namespace {

constexpr int kPromptTokens = 16;
constexpr double kProfileSeconds = 3;

}  // namespace

base::Result<DecodeBaseline> DecodeBaseline::open(const std::string& model, int threads,
                                                  const CommandContext& context,
                                                  Progress& progress) {
    DecodeBaseline baseline(context, progress);
    HONE_TRY(const auto machine, load_profile(context, false));
    SessionOptions settings;
    settings.threads = threads;
    settings.packed_cache = "off";  // candidates come and go
    runtime::EngineLimits limits;
    limits.sequences_max = 1;
    limits.context = probe::rate_check_positions({}) + kPositionsSlack;
    HONE_TRY(baseline.load_, load_options(settings, limits, context));
    HONE_TRY(baseline.session_, runtime::open_session(model, baseline.load_, context.clock));
    probe::ForecastOptions run;
    run.prompt_tokens = kPromptTokens;
    run.output_tokens = probe::RateCheckOptions().steps;
    run.profile_s = kProfileSeconds;
    const probe::SideSettings side{baseline.session_->options(), 1, 0};
    HONE_TRY(auto profile,
             probe::profile_baseline(*baseline.session_, side, side, machine, run, context.clock,
                                     progress.conduct(context.cancelled)));
    baseline.record_ = std::move(profile.record);
    return baseline;
}

base::Result<compress::DecodeCost> DecodeBaseline::cost(
    const compress::SensitivityTable& table) const {
    // A step from the middle of the test that checks it.
    cost::StepShape step;
    step.add_slice(static_cast<uint64_t>(probe::RateCheckOptions().steps) / 2, 1);
    step.outputs = 1;
    return compress::decode_cost(session_->plan(), record_, table, step);
}

base::Result<probe::RateCheck> DecodeBaseline::check(const std::string& candidate,
                                                     const probe::RatePromise& promise) {
    HONE_TRY(const auto session, runtime::open_session(candidate, load_, context_.clock));
    return probe::check_decode_rate(*session_, *session, promise, {}, context_.clock,
                                    progress_.conduct(context_.cancelled));
}

CandidateFile::CandidateFile(std::string output) : output_(std::move(output)) {
    std::error_code error;
    for (path_ = output_ + ".candidate"; std::filesystem::exists(path_, error);) path_ += "~";
}

CandidateFile::~CandidateFile() {
    std::error_code ignored;
    std::filesystem::remove(path_, ignored);
}

base::Status CandidateFile::accept() const {
    std::error_code error;
    std::filesystem::rename(path_, output_, error);
    if (!error) return {};
    return base::fail(base::ErrorCode::unavailable, "{}: {}", output_, error.message());
}

}  // namespace hone::cli
