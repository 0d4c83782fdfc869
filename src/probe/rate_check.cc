#include "probe/rate_check.h"

#include <cmath>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "measure/sequential.h"
#include "probe/rate_tests.h"

namespace hone::probe {
namespace {

constexpr int kRateLooks = 8;

// The tests of both sides, in turns.
class TakingTurns {
  public:
    TakingTurns(RateTests a, RateTests b, uint64_t seed)
        : sides_{std::move(a), std::move(b)}, coin_(seed) {}

    base::Status pair(double (&rates)[2], const Conduct& conduct) {
        const size_t first = coin_.next_below(2);
        for (const size_t side : {first, 1 - first}) {
            HONE_TRY(const RateSample sample, sides_[side].decode(conduct));
            rates[side] = sample.tokens_per_s();
        }
        return {};
    }

  private:
    RateTests sides_[2];
    base::Random coin_;
};

}  // namespace

uint32_t rate_check_positions(const RateCheckOptions& options) {
    return static_cast<uint32_t>(options.steps) + 1;
}

base::Result<RateCheck> check_decode_rate(runtime::Session& a, runtime::Session& b,
                                          const RatePromise& promise,
                                          const RateCheckOptions& options, const base::Clock& clock,
                                          const Conduct& conduct) {
    HONE_CHECK((promise.ratio > 0) != (promise.tokens_per_s > 0));
    RateOptions rate;
    rate.prompt_tokens = 1;
    rate.output_tokens = options.steps;
    rate.seed = options.seed;
    // Rates are compared with each other, not with roofs.
    const machine::MachineProfile no_roofs;
    HONE_TRY(auto left, RateTests::create(a.config(), a.executor(), no_roofs, clock, rate));
    HONE_TRY(auto right, RateTests::create(b.config(), b.executor(), no_roofs, clock, rate));
    TakingTurns turns(std::move(left), std::move(right), options.seed ^ 0xAB);
    double rates[2] = {};
    HONE_TRY_STATUS(turns.pair(rates, conduct));  // warms up
    measure::SequentialComparison sequence(1, std::log1p(options.tolerance));
    std::vector<double> a_rates, b_rates;
    RateCheck out;
    const int64_t begin_ns = clock.now_ns();
    for (int looks = 0; !out.decided;) {
        const double spent_s = static_cast<double>(clock.now_ns() - begin_ns) * 1e-9;
        const double share = std::min(1.0, spent_s / options.budget_s);
        if (sequence.pairs() > 0 && share * kRateLooks >= looks + 1) {
            looks = static_cast<int>(share * kRateLooks);
            out.decided = sequence.look(share);
            if (share >= 1 || out.decided) break;
        }
        conduct.report("checking the rate", share);
        HONE_TRY_STATUS(turns.pair(rates, conduct));
        // A clock may stand still: such a pair says nothing.
        if (!(rates[0] > 0) || !(rates[1] > 0)) continue;
        const double promised = promise.ratio > 0 ? promise.ratio * rates[0] : promise.tokens_per_s;
        sequence.add({std::log(rates[1] / promised)});
        a_rates.push_back(rates[0]);
        b_rates.push_back(rates[1]);
    }
    const measure::PairedState& state = sequence.state(0);
    out.pairs = state.n;
    out.a_tokens_per_s = measure::median(a_rates).value_or(0);
    out.b_tokens_per_s = measure::median(b_rates).value_or(0);
    out.share = std::exp(state.shift);
    if (state.interval) {
        out.share_ci95 =
            measure::Interval{std::exp(state.interval->low), std::exp(state.interval->high)};
    }
    return out;
}

}  // namespace hone::probe
