#include "compress/calibrated.h"

#include <algorithm>

#include "compress/calibration_text.h"
#include "compress/input_statistics.h"

namespace hone::compress {
namespace {

constexpr uint32_t kWindowTokens = 512;

// Of the moments of every distinct input of the plan's linears.
uint64_t moments_bytes(const runtime::Session& session) {
    const models::ModelConfig& config = session.config();
    const auto square = [](uint64_t width) { return width * width * sizeof(float); };
    const uint64_t heads = config.q_width();
    // Attention and feed-forward read the residual stream, the others what they make.
    return config.n_layers * (2 * square(config.n_embd) + square(heads) + square(config.n_ff)) +
           square(config.n_embd);
}

}  // namespace

base::Result<Calibration> calibrate_model(const CalibrationRequest& request,
                                          machine::ThreadTeam& team, const base::Clock& clock,
                                          const std::function<bool(double)>& go_on) {
    Calibration out;
    const auto load = calibration_load(kWindowTokens, team.threads());
    HONE_TRY(out.session, runtime::open_session(request.model, load, clock));
    const std::string_view text = request.text.empty() ? default_calibration_text() : request.text;
    out.tokens = out.session->tokenizer().encode(text);
    out.tokens.resize(std::min<size_t>(out.tokens.size(), request.tokens_max));
    CalibrationOptions options;
    options.context = kWindowTokens;
    options.go_on = go_on;
    out.feedback = request.feedback && moments_bytes(*out.session) <= request.moments_bytes_max;
    if (out.feedback) options.wants_moments = [](const std::string&) { return true; };
    HONE_TRY(auto statistics, calibrate(*out.session, out.tokens, options));
    out.guidance = make_guidance(std::move(statistics), team);
    return out;
}

}  // namespace hone::compress
