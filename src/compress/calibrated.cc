#include "compress/calibrated.h"

#include <algorithm>

#include "compress/calibration_text.h"
#include "compress/input_statistics.h"

namespace hone::compress {
namespace {

constexpr uint32_t kWindowTokens = 512;
// Of a short text at most one part in so many is kept from calibration.
constexpr size_t kHeldOutParts = 4;

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
    const size_t spare =
        out.tokens.size() - std::min(out.tokens.size(), size_t{kCalibrationTokensMin});
    const size_t held_out =
        std::min<size_t>({request.held_out_max, out.tokens.size() / kHeldOutParts, spare});
    const size_t read = std::min<size_t>(out.tokens.size() - held_out, request.tokens_max);
    const auto after = out.tokens.begin() + static_cast<ptrdiff_t>(read);
    out.held_out.assign(after, after + static_cast<ptrdiff_t>(held_out));
    out.tokens.resize(read);
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
