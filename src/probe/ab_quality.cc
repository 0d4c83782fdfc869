#include "probe/ab_quality.h"

#include <algorithm>
#include <cmath>
#include <utility>

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

// Both sides on one text, which they read window by window.
class LogitsComparison {
  public:
    // `positions` to score at most, until `end_ns`.
    LogitsComparison(TextReader a, TextReader b, size_t positions, int64_t end_ns,
                     const base::Clock& clock, const Conduct& conduct)
        : a_(std::move(a)),
          b_(std::move(b)),
          rows_max_(std::min(a_.rows_max(), b_.rows_max())),
          positions_(positions),
          end_ns_(end_ns),
          clock_(clock),
          conduct_(conduct) {}

    bool is_over() const { return tally_.sums.n >= positions_ || clock_.now_ns() >= end_ns_; }

    // Every token but the last is read, and predicts the one after it.
    base::Status read(std::span<const int32_t> tokens) {
        const size_t end = tokens.size() - 1;
        a_.begin(static_cast<uint32_t>(end));
        b_.begin(static_cast<uint32_t>(end));
        for (size_t at = 0; at < end && (at == 0 || !is_over());) {
            HONE_TRY_STATUS(conduct_.check());
            const auto step = tokens.subspan(at, std::min(step_tokens(at), end - at));
            const auto wanted = at == 0 ? WantedLogits::last : WantedLogits::all;
            const auto left = a_.read(step, wanted);
            const auto right = b_.read(step, wanted);
            at += step.size();
            const size_t vocab = a_.vocab();
            const size_t rows = left.size() / vocab;
            for (size_t row = 0; row < rows; ++row) {
                tally_.add(left.subspan(row * vocab, vocab), right.subspan(row * vocab, vocab),
                           tokens[at - rows + row + 1]);
            }
            conduct_.report("quality",
                            static_cast<double>(tally_.sums.n) / static_cast<double>(positions_));
        }
        return {};
    }

    measure::QualityComparison finish() const { return tally_.finish(); }

  private:
    size_t step_tokens(size_t at) const {
        if (at == 0) return kQualityPromptTokens;
        if (tally_.sums.n < kQualityDecodePositions) return 1;
        return std::min(rows_max_, positions_ - tally_.sums.n);
    }

    TextReader a_;
    TextReader b_;
    size_t rows_max_;
    size_t positions_;
    int64_t end_ns_;
    const base::Clock& clock_;
    const Conduct& conduct_;
    Tally tally_;
};

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
    const uint32_t context = std::min(a.options().limits.context, b.options().limits.context);
    const size_t window = std::min<size_t>(context, tokens.size() - 1);
    HONE_TRY(auto left, TextReader::create(a, static_cast<uint32_t>(window)));
    HONE_TRY(auto right, TextReader::create(b, static_cast<uint32_t>(window)));
    LogitsComparison comparison(std::move(left), std::move(right), static_cast<size_t>(positions),
                                clock.now_ns() + static_cast<int64_t>(seconds * 1e9), clock,
                                conduct);
    std::span<const int32_t> rest = tokens;
    do {
        const size_t read = std::min(window, rest.size() - 1);
        HONE_TRY_STATUS(comparison.read(rest.first(read + 1)));
        rest = rest.subspan(read);
    } while (rest.size() > kQualityPromptTokens + 1 && !comparison.is_over());
    return comparison.finish();
}

}  // namespace hone::probe
