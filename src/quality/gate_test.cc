#include "quality/gate.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <set>

namespace hone::quality {
namespace {

TEST(Gate, IsReadAndWritten) {
    const auto text = [](const char* gate) { return parse_gate(gate, gate_metrics())->text(); };
    EXPECT_EQ(text("ppl:+1%,kl:<0.02,acc:-1%"), "ppl:+1%,kl:<0.02,acc:-1%");
    EXPECT_EQ(text(" kl:0.05 , ppl:0.5% "), "kl:<0.05,ppl:+0.5%");
    EXPECT_EQ(text("accuracy:2%,top1:0.9,bleu:>20"), "acc:-2%,top1:>0.9,bleu:>20");
    EXPECT_EQ(text("ppl:-0%"), "ppl:+0%");
    for (const char* wrong :
         {"",         "ppl",      "ppl:",     "ppl:+2",   "ppl:2",  "ppl:x%",
          "ppl:%",    "kl:",      "kl:nan",   "kl:1e999", "kl:>1",  "kl:1%",
          "acc:+1%",  "acc:<0.5", "ppl:--1%", "ppl:+-1%", "wer:1",  "ppl:+1%,ppl:+2%",
          "ppl:+2%,", "ppl:-3%",  "kl:-1",    "kl:<-1",   "ppl:<=3"}) {
        const auto gate = parse_gate(wrong, gate_metrics());
        ASSERT_FALSE(gate) << wrong;
        EXPECT_EQ(gate.error().code, base::ErrorCode::invalid_argument);
    }
    EXPECT_NE(parse_gate("acc:+3%", gate_metrics()).error().message.find("cannot hold"),
              std::string::npos);
    EXPECT_FALSE(parse_gate("acc:-1%", gate_metrics().first(2)));
    for (const char* wrong : {"acc:>2", "top1:1.01", "bleu:>100.5", "ppl:<0.99", "same:>2"}) {
        const auto gate = parse_gate(wrong, gate_metrics());
        ASSERT_FALSE(gate) << wrong;
        EXPECT_NE(gate.error().message.find("cannot hold"), std::string::npos) << wrong;
    }
    // A bound is kept by a value on it, so the best value is one.
    for (const char* right : {"acc:>1", "top1:>1", "bleu:>100", "ppl:<1", "kl:<0"}) {
        EXPECT_TRUE(parse_gate(right, gate_metrics())) << right;
    }
}

TEST(Gate, NamesAreUnique) {
    std::set<std::string> names;
    for (const GateMetric& metric : gate_metrics()) {
        EXPECT_TRUE(names.insert(metric.name).second) << metric.name;
        if (std::string(metric.name) != metric.metric) {
            EXPECT_TRUE(names.insert(metric.metric).second) << metric.metric;
        }
    }
}

GateOutcome outcome(const char* gate, double value, double low, double high) {
    const auto parsed = parse_gate(gate, gate_metrics());
    return judge_gate(*parsed,
                      [&](const GateTerm&) {
                          return GateReading{value, measure::Interval{low, high}};
                      })
        .outcome;
}

TEST(Gate, TheWholeIntervalMustBeWithinTheLimit) {
    EXPECT_EQ(outcome("ppl:+1%", 0.5, 0.1, 0.9), GateOutcome::held);
    EXPECT_EQ(outcome("ppl:+1%", 0.5, -1, 2), GateOutcome::unproved);
    EXPECT_EQ(outcome("ppl:+1%", 1.5, 0, 3), GateOutcome::broken);
    EXPECT_EQ(outcome("acc:-1%", -0.5, -0.9, 2), GateOutcome::held);
    EXPECT_EQ(outcome("acc:-1%", -0.5, -3, 2), GateOutcome::unproved);
    EXPECT_EQ(outcome("acc:-1%", -1.5, -3, 2), GateOutcome::broken);
    EXPECT_EQ(outcome("kl:<0.02", 0.01, 0, 0.02), GateOutcome::held);
    EXPECT_EQ(outcome("kl:<0.02", 0.01, 0, 0.021), GateOutcome::unproved);
    EXPECT_EQ(outcome("kl:<0", 0, 0, 0), GateOutcome::held);
    EXPECT_EQ(outcome("top1:>1", 1, 1, 1), GateOutcome::held);
    EXPECT_EQ(outcome("acc:>0.6", 0.7, 0.61, 0.8), GateOutcome::held);
    EXPECT_EQ(outcome("acc:>0.6", 0.7, 0.5, 0.8), GateOutcome::unproved);
    EXPECT_EQ(outcome("acc:>0.6", 0.5, 0.4, 0.7), GateOutcome::broken);
}

TEST(Gate, WhatIsNoNumberIsBroken) {
    const double nan = std::nan("");
    const double inf = std::numeric_limits<double>::infinity();
    for (const char* gate : {"ppl:+1%", "acc:-1%", "kl:<0.02", "top1:>0.9", "acc:>0.6"}) {
        EXPECT_EQ(outcome(gate, nan, nan, nan), GateOutcome::broken) << gate;
        EXPECT_EQ(outcome(gate, 0, nan, 0), GateOutcome::broken) << gate;
        EXPECT_EQ(outcome(gate, 0, 0, nan), GateOutcome::broken) << gate;
        EXPECT_EQ(outcome(gate, inf, -inf, inf), GateOutcome::broken) << gate;
    }
}

TEST(Gate, TheWorstTermDecides) {
    const Gate gate = *parse_gate("ppl:+1%,kl:<0.02,acc:-1%", gate_metrics());
    const auto judged = [&](GateReading ppl, GateReading kl, GateReading acc) {
        return judge_gate(gate, [&](const GateTerm& term) {
            const std::string_view metric = term.metric->metric;
            return metric == "perplexity" ? ppl : metric == "kl" ? kl : acc;
        });
    };
    const GateReading good{0.0, measure::Interval{0, 0}};
    const GateReading bad{5.0, measure::Interval{4, 6}};
    const GateReading unsure{0.0, std::nullopt};
    const GateReading nothing{std::nullopt, std::nullopt, true};
    EXPECT_EQ(judged(good, good, good).outcome, GateOutcome::held);
    EXPECT_EQ(judged(bad, unsure, good).outcome, GateOutcome::broken);
    EXPECT_EQ(judged(good, unsure, good).outcome, GateOutcome::unproved);
    EXPECT_EQ(judged(nothing, good, good).outcome, GateOutcome::held);
    EXPECT_EQ(judged(nothing, nothing, nothing).outcome, GateOutcome::meaningless);
    EXPECT_EQ(judged(bad, good, good).terms[0].outcome, GateOutcome::broken);
    EXPECT_EQ(judged(bad, good, good).terms[1].term, "kl:<0.02");
}

TEST(Gate, ChanceIsKnownByTheVocabulary) {
    EXPECT_TRUE(predicts_by_chance(std::log(1000.0), 1000));
    EXPECT_FALSE(predicts_by_chance(3, 49152));
}

}  // namespace
}  // namespace hone::quality
