#include "tune/gate.h"

#include <gtest/gtest.h>

#include <cmath>

namespace hone::tune {
namespace {

measure::QualityComparison quality(double nll_a, double change, double half_width, double kl) {
    measure::QualityComparison out;
    out.n = 100;
    out.kl_mean = kl;
    out.kl_max = 10 * kl;
    out.kl_ci95 = measure::Interval{0.9 * kl, 1.1 * kl};
    out.nll_a = nll_a;
    out.nll_b = nll_a + change;
    out.nll_change_ci95 = measure::Interval{change - half_width, change + half_width};
    return out;
}

TEST(Gate, TakesWhatARunCanMeasure) {
    EXPECT_EQ(parse_gate("ppl:+2%,kl:<0.05")->text(), "ppl:+2%,kl:<0.05");
    EXPECT_EQ(parse_gate(kGateDefault)->text(), kGateDefault);
    for (const char* wrong : {"", "acc:-1%", "ppl:<20", "top1:>0.9", "kl:+1%", "ppl:-3%"}) {
        const auto gate = parse_gate(wrong);
        ASSERT_FALSE(gate) << wrong;
        EXPECT_EQ(gate.error().code, base::ErrorCode::invalid_argument);
    }
    EXPECT_NE(parse_gate("ppl:-3%").error().message.find("cannot hold"), std::string::npos);
}

TEST(Gate, NoiseCountsAgainstTheChange) {
    const Gate gate = *parse_gate("ppl:+2%");
    const auto outcome = [&](double change, double half_width) {
        return judge(gate, quality(3, change, half_width, 0.01), 49152).outcome;
    };
    EXPECT_EQ(outcome(0.005, 0.005), GateOutcome::held);
    EXPECT_EQ(outcome(0.005, 0.05), GateOutcome::unproved);  // could be 5 %
    EXPECT_EQ(outcome(0.05, 0.001), GateOutcome::broken);
    EXPECT_EQ(outcome(-0.05, 0.001), GateOutcome::held);
}

TEST(Gate, DivergenceHasItsOwnLimit) {
    const Gate gate = *parse_gate("kl:0.02");
    EXPECT_EQ(judge(gate, quality(3, 0.5, 0.1, 0.01), 49152).outcome, GateOutcome::held);
    EXPECT_EQ(judge(gate, quality(3, 0, 0.1, 0.019), 49152).outcome, GateOutcome::unproved);
    EXPECT_EQ(judge(gate, quality(3, 0, 0.1, 0.03), 49152).outcome, GateOutcome::broken);
}

TEST(Gate, PredictionsThatAreNoNumbersAreBroken) {
    const double nan = std::nan("");
    for (const char* gate : {"ppl:+1%", "kl:0.02", "ppl:+1%,kl:0.02"}) {
        const auto verdict = judge(*parse_gate(gate), quality(3, nan, nan, nan), 49152);
        EXPECT_EQ(verdict.outcome, GateOutcome::broken) << gate;
        EXPECT_EQ(verdict.note.id, "gate_broken");
    }
}

TEST(Gate, RandomWeightsSayNothing) {
    const double chance = std::log(1000.0);
    const auto verdict = judge(*parse_gate("ppl:+1%"), quality(chance, 0.5, 0.1, 0.1), 1000);
    EXPECT_EQ(verdict.outcome, GateOutcome::meaningless);
    EXPECT_EQ(verdict.note.id, "gate_meaningless");
    EXPECT_EQ(judge(*parse_gate("ppl:+1%,kl:0.01"), quality(chance, 0.5, 0.1, 0.1), 1000).outcome,
              GateOutcome::broken);
}

TEST(Gate, TooFewPositionsAreNoVerdictAndBitEqualOnesAre) {
    auto few = quality(3, 0, 0.001, 0.001);
    few.n = 8;
    EXPECT_EQ(judge(*parse_gate("ppl:+9%"), few, 1000).outcome, GateOutcome::unproved);
    few.kl_max = 0;
    EXPECT_EQ(judge(*parse_gate("ppl:+0%"), few, 1000).outcome, GateOutcome::held);
}

}  // namespace
}  // namespace hone::tune
