#include "probe/ab_quality.h"

#include <algorithm>
#include <cmath>

#include "measure/rank_tests.h"
#include "runtime/log_softmax.h"
#include "runtime/text_reader.h"

namespace hone::probe {
namespace {

using base::ErrorCode;
using base::fail;
using runtime::TextReader;
using runtime::WantedLogits;

struct Tally {
    measure::QualityComparison sums;
    std::vector<double> nll_changes;  // in the order of the text: neighbours are alike
    std::vector<double> divergences;

    void add(std::span<const float> a, std::span<const float> b, int32_t next) {
        const runtime::LogSoftmax left(a);
        const runtime::LogSoftmax right(b);
        const double kl = runtime::kl_divergence(left, right);
        sums.n += 1;
        sums.kl_mean += kl;
        // NaN stays: a largest divergence of 0 says that all logits are the same.
        sums.kl_max = std::isnan(kl) ? kl : std::max(sums.kl_max, kl);
        sums.same_top += left.top == right.top ? 1 : 0;
        const double nll_a = left.nll(next);
        const double nll_b = right.nll(next);
        sums.nll_a += nll_a;
        sums.nll_b += nll_b;
        nll_changes.push_back(nll_b - nll_a);
        divergences.push_back(kl);
    }

    measure::QualityComparison finish() const {
        measure::QualityComparison out = sums;
        const double n = static_cast<double>(std::max<size_t>(out.n, 1));
        out.kl_mean /= n;
        out.nll_a /= n;
        out.nll_b /= n;
        out.nll_change_ci95 = measure::serial_mean_interval(nll_changes);
        out.kl_ci95 = measure::serial_mean_interval(divergences);
        if (out.n < measure::kQualityPositionsMin || !out.nll_change_ci95) return out;
        if (!std::isfinite(out.nll_a) || !std::isfinite(out.nll_b)) return out;
        out.verdict = measure::Verdict::within_noise;
        if (out.nll_change_ci95->low > 0) out.verdict = measure::Verdict::regressed;
        if (out.nll_change_ci95->high < 0) out.verdict = measure::Verdict::improved;
        return out;
    }
};

base::Result<TextReader> reader_of(runtime::Session& session, size_t positions) {
    const uint32_t context = session.options().limits.context;
    if (positions > context) {
        return fail(ErrorCode::invalid_argument, "{} tokens do not fit the context of {} positions",
                    positions, context);
    }
    HONE_TRY(auto reader, TextReader::create(session, static_cast<uint32_t>(positions)));
    reader.begin(static_cast<uint32_t>(positions));
    return reader;
}

}  // namespace

base::Result<measure::QualityComparison> compare_logits(runtime::Session& a, runtime::Session& b,
                                                        const std::string& text, int positions,
                                                        double seconds, const base::Clock& clock,
                                                        const Conduct& conduct) {
    const std::vector<int32_t> tokens = a.tokenizer().encode(text);
    if (a.config().n_vocab != b.config().n_vocab || b.tokenizer().encode(text) != tokens) {
        return fail(ErrorCode::unsupported, "the two models do not share a vocabulary");
    }
    if (tokens.size() < 2) {
        return fail(ErrorCode::invalid_argument, "a text of {} tokens", tokens.size());
    }
    // The last position's next token must still be in the text.
    const size_t prompt = std::min<size_t>(kQualityPromptTokens, tokens.size() - 1);
    const size_t end = std::min(tokens.size() - 1, prompt + static_cast<size_t>(positions) - 1);
    HONE_TRY(auto left, reader_of(a, end));
    HONE_TRY(auto right, reader_of(b, end));
    const int64_t begin_ns = clock.now_ns();
    Tally tally;
    for (size_t at = 0; at < end;) {
        HONE_TRY_STATUS(conduct.check());
        const auto step = std::span(tokens).subspan(at, at == 0 ? prompt : 1);
        const auto logits = left.read(step, WantedLogits::last);
        const auto others = right.read(step, WantedLogits::last);
        at += step.size();
        tally.add(logits, others, tokens[at]);
        conduct.report("quality", static_cast<double>(at) / static_cast<double>(end));
        if (static_cast<double>(clock.now_ns() - begin_ns) * 1e-9 >= seconds) break;
    }
    return tally.finish();
}

const char* quality_text() {
    return "The harbour wakes before the town does. At half past four the first boats come in, and "
           "their crews carry 38 crates of fish up the stone steps to the market hall, where the "
           "clerk writes each weight in a long green book. By six the buyers have gone, the floor "
           "has been washed, and the gulls fight over what is left. A visitor once asked the clerk "
           "why he did not use a machine. \"The machine counts,\" he said, \"but it does not "
           "remember who was late.\"\n\n"
           "Water boils at 100 degrees Celsius at sea level. With every 300 metres of height the "
           "boiling point falls by about one degree, so that on a mountain of 3,000 metres it is "
           "close to 90. Potatoes therefore take longer to cook in a hut than in a valley, "
           "although the stove is just as hot.\n\n"
           "def median(values):\n"
           "    ordered = sorted(values)\n"
           "    middle = len(ordered) // 2\n"
           "    if len(ordered) % 2 == 1:\n"
           "        return ordered[middle]\n"
           "    return (ordered[middle - 1] + ordered[middle]) / 2\n\n"
           "To compare two runners fairly, let them run on the same day, on the same track, and "
           "take turns at going first. One race proves little; ten races prove more. If the "
           "difference between them is smaller than the difference between one runner's own "
           "mornings, the honest answer is that nobody knows yet.\n";
}

}  // namespace hone::probe
