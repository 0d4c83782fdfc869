#include "measure/sequential.h"

#include <gtest/gtest.h>

#include <cmath>

#include "base/random.h"

namespace hone::measure {
namespace {

// Tables of group-sequential designs give the constants of equal looks: with everything spent at
// the last look there is only the ordinary value; two looks that spend 0.0125 and 0.05 in all.
TEST(SpendingBoundary, OneLookIsTheOrdinaryTest) {
    SpendingBoundary boundary(0.05);
    EXPECT_NEAR(boundary.next(50, 1), 1.959964, 1e-5);
}

// What the boundary promises, by brute force: of paths without drift a share of alpha crosses.
TEST(SpendingBoundary, SpendsWhatItPromises) {
    SpendingBoundary boundary(0.05);
    std::vector<double> critical;
    constexpr int kLooks = 5;
    for (int k = 1; k <= kLooks; ++k) critical.push_back(boundary.next(10 * k, k / 5.0));
    base::Random random(7);
    constexpr int kPaths = 200'000;
    std::vector<int> crossed(kLooks, 0);
    for (int path = 0; path < kPaths; ++path) {
        double score = 0;
        for (int k = 1; k <= kLooks; ++k) {
            score += std::sqrt(10.0) * random.next_normal();
            if (std::fabs(score) < critical[size_t(k) - 1] * std::sqrt(10.0 * k)) continue;
            crossed[size_t(k) - 1] += 1;
            break;
        }
    }
    double sum = 0;
    for (int k = 1; k <= kLooks; ++k) {
        sum += crossed[size_t(k) - 1];
        EXPECT_NEAR(sum / kPaths, 0.05 * k * k / 25.0, 0.002) << "look " << k;
    }
    EXPECT_GT(critical.front(), critical.back());
}

TEST(SpendingBoundary, NothingToSpendNothingToCross) {
    SpendingBoundary boundary(0.05);
    EXPECT_EQ(boundary.next(10, 0), std::numeric_limits<double>::infinity());
    EXPECT_LT(boundary.next(20, 0.5), 5);
    EXPECT_EQ(boundary.next(30, 0.5), std::numeric_limits<double>::infinity());
    // A step of one pair in a thousand has no grid fine enough: never below the ordinary value.
    SpendingBoundary late(0.05);
    late.next(1000, 0.9);
    EXPECT_GT(late.next(1001, 1), 1.96);
}

// A machine in virtual time: times of slots with drift, dependence between neighbours and outliers.
class Machine {
  public:
    explicit Machine(uint64_t seed) : random_(seed), phase_(random_.next_double() * 6.28) {}

    // ln of the time of the next slot.
    double slot() {
        constexpr double kMemory = 0.6;
        memory_ = kMemory * memory_ + std::sqrt(1 - kMemory * kMemory) * random_.next_normal();
        ++slots_;
        double value = 0.012 * memory_ + 0.012 * random_.next_normal();
        value += 0.05 * std::sin(phase_ + 0.01 * slots_);
        if (random_.next_below(100) < 4) value += 0.1 + 0.3 * random_.next_double();
        return value;
    }
    // ln(b / a) of a pair in random order; b takes `slower` longer.
    double pair(double slower) {
        const bool b_first = random_.next_below(2) == 1;
        const double first = slot();
        const double second = slot();
        return (b_first ? first - second : second - first) + slower;
    }

  private:
    base::Random random_;
    double phase_;
    double memory_ = 0;
    int slots_ = 0;
};

struct Outcome {
    std::vector<bool> found;
    size_t pairs = 0;
    bool covers = true;  // the interval of each metric contains the truth
};

// One run with three metrics; what `slower` does to them all. `pairs_max` fill the budget.
Outcome simulate(uint64_t seed, double slower, size_t pairs_max) {
    constexpr double kFloor = 0.00995;
    constexpr int kLooks = 12;
    Machine machine(seed);
    SequentialComparison comparison(3, kFloor);
    bool done = false;
    for (int look = 1; look <= kLooks && !done; ++look) {
        const double share = static_cast<double>(look) / kLooks;
        while (comparison.pairs() < static_cast<size_t>(share * double(pairs_max) + 0.5)) {
            comparison.add({machine.pair(slower), machine.pair(slower), machine.pair(slower)});
        }
        done = comparison.look(share);
    }
    Outcome outcome;
    outcome.pairs = comparison.pairs();
    for (size_t i = 0; i < 3; ++i) {
        const PairedState& state = comparison.state(i);
        outcome.found.push_back(state.differs && std::fabs(state.shift) >= kFloor);
        if (!state.interval) continue;
        outcome.covers =
            outcome.covers && state.interval->low <= slower && state.interval->high >= slower;
    }
    return outcome;
}

TEST(SequentialComparison, TheSimulatedMachineIsAsNoisyAsClaimed) {
    Machine machine(3);
    std::vector<double> pairs;
    for (int i = 0; i < 4000; ++i) pairs.push_back(machine.pair(0));
    const double iqr = percentile(pairs, 0.75).value() - percentile(pairs, 0.25).value();
    const double robust_sd = iqr / 1.349;
    EXPECT_GT(robust_sd, 0.02);
    EXPECT_LT(robust_sd, 0.03);
}

TEST(SequentialComparison, IdenticalSidesAreLeftAlone) {
    constexpr int kRuns = 150;
    int wrong = 0;
    for (int run = 0; run < kRuns; ++run) {
        const Outcome outcome = simulate(1000 + uint64_t(run), 0, 48);
        wrong += outcome.found[0] || outcome.found[1] || outcome.found[2] ? 1 : 0;
    }
    EXPECT_LE(wrong, kRuns * 5 / 100);
}

TEST(SequentialComparison, ThreePercentIsFound) {
    constexpr int kRuns = 60;
    int found = 0;
    int covered = 0;
    size_t pairs = 0;
    for (int run = 0; run < kRuns; ++run) {
        const Outcome outcome = simulate(5000 + uint64_t(run), 0.03, 48);
        for (const bool metric : outcome.found) found += metric ? 1 : 0;
        covered += outcome.covers ? 1 : 0;
        pairs += outcome.pairs;
    }
    EXPECT_GE(found, 3 * kRuns * 80 / 100);
    // Each interval is at 95 % for its metric alone, so all three hold in 85 % at least.
    EXPECT_GE(covered, kRuns * 85 / 100);
    EXPECT_LT(pairs, size_t{kRuns} * 48);  // and not only at the end of the budget
}

TEST(SequentialComparison, LargeDifferencesNeedFewPairs) {
    const Outcome outcome = simulate(9, 0.5, 240);
    EXPECT_TRUE(outcome.found[0] && outcome.found[1] && outcome.found[2]);
    EXPECT_LE(outcome.pairs, 80u);
}

TEST(SequentialComparison, TooFewPairsSayNothing) {
    SequentialComparison comparison(1, 0.01);
    EXPECT_FALSE(comparison.look(0.5));
    for (int i = 0; i < 5; ++i) comparison.add({0.5 + 0.01 * i});
    EXPECT_FALSE(comparison.look(1));
    EXPECT_EQ(comparison.state(0).n, 5u);
    EXPECT_NEAR(comparison.state(0).shift, 0.52, 1e-12);
    EXPECT_FALSE(comparison.state(0).interval.has_value());
    EXPECT_FALSE(comparison.state(0).differs);
}

TEST(SequentialComparison, EqualToWithinTheFloorEndsIt) {
    SequentialComparison comparison(1, 0.01);
    base::Random random(5);
    for (int i = 0; i < 60; ++i) comparison.add({0.002 * random.next_normal()});
    EXPECT_TRUE(comparison.look(0.5));
    EXPECT_FALSE(comparison.state(0).differs);
}

// Pairs that all say the same: so many show a difference in every metric, three fewer in none,
// and an early look at those spends nothing.
TEST(SequentialComparison, ADifferenceCanBeSeenInSoManyPairs) {
    for (const size_t metrics : {size_t{1}, size_t{2}, size_t{6}}) {
        const auto differ = [&](size_t pairs) {
            SequentialComparison comparison(metrics, 0.02);
            for (size_t i = 0; i < pairs; ++i) {
                comparison.add(std::vector<double>(metrics, 0.5 + 0.01 * static_cast<double>(i)));
                EXPECT_FALSE(i + 1 < pairs_to_decide(metrics) && comparison.look(0.9));
            }
            return comparison.look(1);
        };
        EXPECT_TRUE(differ(pairs_to_decide(metrics))) << metrics;
        EXPECT_FALSE(differ(pairs_to_decide(metrics) - 3)) << metrics;
    }
}

}  // namespace
}  // namespace hone::measure
