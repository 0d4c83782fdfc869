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
    out.nll_a = nll_a;
    out.nll_b = nll_a + change;
    out.nll_change_ci95 = measure::Interval{change - half_width, change + half_width};
    return out;
}

TEST(Gate, IsReadAndWritten) {
    EXPECT_EQ(parse_gate("ppl:+2%")->text(), "ppl:+2%");
    EXPECT_EQ(parse_gate("ppl:2%")->text(), "ppl:+2%");
    EXPECT_EQ(parse_gate(" kl:0.05 , ppl:+0.5% ")->text(), "ppl:+0.5%,kl:0.05");
    for (const char* wrong : {"", "ppl", "ppl:+2", "ppl:x%", "kl:", "kl:nan", "kl:1e999", "bleu:1",
                              "ppl:+1%,ppl:+2%", "ppl:+2%,", "ppl:-3%", "kl:-1"}) {
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
    EXPECT_EQ(outcome(0.005, 0.05), GateOutcome::unsure);  // could be 5 %
    EXPECT_EQ(outcome(0.05, 0.001), GateOutcome::broken);
    EXPECT_EQ(outcome(-0.05, 0.001), GateOutcome::held);
}

TEST(Gate, DivergenceHasItsOwnLimit) {
    const Gate gate = *parse_gate("kl:0.02");
    EXPECT_EQ(judge(gate, quality(3, 0.5, 0.1, 0.01), 49152).outcome, GateOutcome::held);
    EXPECT_EQ(judge(gate, quality(3, 0, 0.1, 0.03), 49152).outcome, GateOutcome::broken);
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
    EXPECT_EQ(judge(*parse_gate("ppl:+9%"), few, 1000).outcome, GateOutcome::unsure);
    few.kl_max = 0;
    EXPECT_EQ(judge(*parse_gate("ppl:+0%"), few, 1000).outcome, GateOutcome::held);
}

}  // namespace
}  // namespace hone::tune
