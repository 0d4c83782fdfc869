#include "machine/thread_team.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>

#include <atomic>
#include <limits>
#include <memory>
#include <numeric>
#include <vector>

namespace hone::machine {
namespace {

std::unique_ptr<ThreadTeam> make_team(ThreadTeamOptions options) {
    auto team = ThreadTeam::create(options);
    EXPECT_TRUE(team.has_value()) << (team ? "" : team.error().message);
    return team ? std::move(*team) : nullptr;
}

TEST(ThreadTeam, RejectsWhatItCannotBe) {
    for (const int threads : {-1, 0, ThreadTeam::kThreadsMax + 1, 1 << 30}) {
        const auto team = ThreadTeam::create({.threads = threads});
        ASSERT_FALSE(team.has_value()) << threads;
        EXPECT_EQ(team.error().code, base::ErrorCode::invalid_argument);
    }
    EXPECT_FALSE(ThreadTeam::create({.threads = 2, .spin_pauses = -1}).has_value());
}

class ThreadTeamBySize : public testing::TestWithParam<int> {};
INSTANTIATE_TEST_SUITE_P(Sizes, ThreadTeamBySize, testing::Values(1, 2, 3, 8));

TEST_P(ThreadTeamBySize, EveryMemberRunsOnceAndTheCallerIsMemberZero) {
    const int threads = GetParam();
    const auto team = make_team({.threads = threads});
    EXPECT_EQ(team->threads(), threads);
    std::vector<int> calls(threads, 0);
    std::vector<pthread_t> who(threads);
    for (int round = 0; round < 500; ++round) {
        team->run([&](int thread) {
            ++calls[thread];
            who[thread] = pthread_self();
        });
        // Reading without a lock is the point: run() returns after everybody's writes.
        for (int i = 0; i < threads; ++i) ASSERT_EQ(calls[i], round + 1) << "member " << i;
    }
    EXPECT_TRUE(pthread_equal(who[0], pthread_self()));
    for (int i = 1; i < threads; ++i) EXPECT_FALSE(pthread_equal(who[i], who[0]));
}

// Each member adds to its slot, meets the others, and reads everybody's slot: plain integers, so
// that a barrier which orders too little fails here and under ThreadSanitizer.
void expect_barriers_order(ThreadTeam& team, int barriers) {
    const int threads = team.threads();
    struct alignas(64) Slot {
        int64_t value = 0;
    };
    std::vector<Slot> slots(threads);
    std::atomic<int> wrong{0};
    team.run([&](int thread) {
        for (int step = 1; step <= barriers / 2; ++step) {
            slots[thread].value += step + thread;
            team.barrier();
            int64_t sum = 0;
            for (const Slot& slot : slots) sum += slot.value;
            const int64_t of_one = int64_t{step} * (step + 1) / 2;
            const int64_t expected = of_one * threads + int64_t{step} * threads * (threads - 1) / 2;
            if (sum != expected) wrong.fetch_add(1);
            team.barrier();
        }
    });
    EXPECT_EQ(wrong.load(), 0);
}

TEST_P(ThreadTeamBySize, TenThousandBarriersOrderPlainWrites) {
    const auto team = make_team({.threads = GetParam()});
    expect_barriers_order(*team, 10000);
}

TEST_P(ThreadTeamBySize, SleepingAtOnceOrdersToo) {
    const auto team = make_team({.threads = GetParam(), .spin_pauses = 0});
    expect_barriers_order(*team, 2000);
    int total = 0;
    for (int round = 0; round < 200; ++round) {
        std::vector<int> ones(GetParam(), 0);
        team->run([&](int thread) { ones[thread] = 1; });
        total += std::accumulate(ones.begin(), ones.end(), 0);
    }
    EXPECT_EQ(total, 200 * GetParam());
}

TEST_P(ThreadTeamBySize, SplitSumsEqualTheSerialSum) {
    const int threads = GetParam();
    const auto team = make_team({.threads = threads, .pin = true});
    std::vector<int64_t> values(10007);
    std::iota(values.begin(), values.end(), 1);
    std::vector<int64_t> partial(threads, 0);
    int64_t total = 0;
    team->run([&](int thread) {
        const IndexRange range =
            split_range(static_cast<int64_t>(values.size()), 16, thread, threads);
        for (int64_t i = range.begin; i < range.end; ++i) partial[thread] += values[i];
        team->barrier();
        if (thread == 0) total = std::accumulate(partial.begin(), partial.end(), int64_t{0});
    });
    EXPECT_EQ(total, int64_t{10007} * 10008 / 2);
}

TEST(ThreadTeam, RunsAlternateWithDifferentWork) {
    const auto team = make_team({.threads = 3});
    std::atomic<int> sum{0};
    const auto add_one = [&](int) { sum.fetch_add(1, std::memory_order_relaxed); };
    auto add_index = [&](int thread) { sum.fetch_add(thread, std::memory_order_relaxed); };
    for (int i = 0; i < 1000; ++i) {
        team->run(add_one);
        team->run(add_index);
    }
    EXPECT_EQ(sum.load(), 1000 * (3 + 0 + 1 + 2));
}

TEST(ThreadTeam, TeamsComeAndGo) {
    for (int i = 0; i < 50; ++i) {
        const auto team = make_team({.threads = 1 + i % 5, .pin = i % 2 == 0});
        if (i % 3 == 0) continue;  // destroyed without ever having run
        std::atomic<int> count{0};
        team->run([&](int) { ++count; });
        EXPECT_EQ(count.load(), team->threads());
    }
}

TEST(ThreadTeam, PinningEndsWithTheTeam) {
    cpu_set_t before;
    ASSERT_EQ(sched_getaffinity(0, sizeof(before), &before), 0);
    {
        const auto team = make_team({.threads = 2, .pin = true});
        cpu_set_t during;
        ASSERT_EQ(sched_getaffinity(0, sizeof(during), &during), 0);
        EXPECT_EQ(CPU_COUNT(&during), 1);
        std::vector<int> allowed(2, 0);
        team->run([&](int thread) {
            cpu_set_t mine;
            if (sched_getaffinity(0, sizeof(mine), &mine) == 0) allowed[thread] = CPU_COUNT(&mine);
        });
        EXPECT_EQ(allowed, (std::vector<int>{1, 1}));
    }
    cpu_set_t after;
    ASSERT_EQ(sched_getaffinity(0, sizeof(after), &after), 0);
    EXPECT_TRUE(CPU_EQUAL(&before, &after));
}

TEST(ThreadTeam, MembersLeaveSignalsToTheirCreator) {
    const auto team = make_team({.threads = 2});
    std::vector<int> blocked(2, -1);
    team->run([&](int thread) {
        sigset_t mask;
        pthread_sigmask(SIG_SETMASK, nullptr, &mask);
        blocked[thread] = sigismember(&mask, SIGINT);
    });
    EXPECT_EQ(blocked, (std::vector<int>{0, 1}));
}

// More members than CPUs, with a spin budget that would hold each CPU for a long time: finishing
// at all within the test's timeout needs the members to give way.
TEST(ThreadTeam, OversubscribedTeamGivesWay) {
    const auto team = make_team({.threads = 32, .spin_pauses = 1 << 20});
    expect_barriers_order(*team, 400);
}

TEST_P(ThreadTeamBySize, FlushesDenormalsInsideRunsOnly) {
    const auto halves = [](bool flush, int threads) {
        const auto team = make_team({.threads = threads, .flush_denormals = flush});
        std::vector<float> results(static_cast<size_t>(threads));
        volatile float smallest = std::numeric_limits<float>::min();
        team->run([&](int thread) { results[static_cast<size_t>(thread)] = smallest / 2; });
        return results;
    };
    EXPECT_THAT(halves(true, GetParam()), testing::Each(0.0F));
    EXPECT_THAT(halves(false, GetParam()), testing::Each(testing::Gt(0.0F)));
    volatile float smallest = std::numeric_limits<float>::min();
    EXPECT_GT(smallest / 2, 0.0F) << "the caller's own mode came back";
}

TEST_P(ThreadTeamBySize, FlushingCanBeSwitchedBetweenRuns) {
    const auto team = make_team({.threads = GetParam()});
    std::vector<float> results(static_cast<size_t>(GetParam()));
    volatile float smallest = std::numeric_limits<float>::min();
    for (const bool flush : {true, false, true, false}) {
        team->set_flush_denormals(flush);
        EXPECT_EQ(team->flush_denormals(), flush);
        team->run([&](int thread) { results[static_cast<size_t>(thread)] = smallest / 2; });
        if (flush) {
            EXPECT_THAT(results, testing::Each(0.0F));
        } else {
            EXPECT_THAT(results, testing::Each(testing::Gt(0.0F)));
        }
    }
}

TEST(SplitRange, CoversEveryItemOnceInGrains) {
    for (const int64_t count : {0, 1, 15, 16, 17, 100, 1000}) {
        for (const int64_t grain : {1, 8, 16, 300}) {
            for (const int threads : {1, 2, 3, 8}) {
                int64_t next = 0;
                for (int thread = 0; thread < threads; ++thread) {
                    const IndexRange range = split_range(count, grain, thread, threads);
                    EXPECT_EQ(range.begin, next);
                    EXPECT_LE(range.begin, range.end);
                    if (range.end < count) {
                        EXPECT_EQ(range.end % grain, 0);
                    }
                    next = range.end;
                }
                EXPECT_EQ(next, count);
            }
        }
    }
}

}  // namespace
}  // namespace hone::machine
