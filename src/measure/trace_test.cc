#include "measure/trace.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "base/json.h"

namespace hone::measure {
namespace {

// One step of two nodes on two threads; node 0 has a barrier, node 1 has none.
class TraceTest : public ::testing::Test {
  protected:
    StepTimer& at(int64_t ns) {
        clock_.advance_ns(ns - clock_.now_ns());
        return timer_;
    }
    void play(int64_t begin) {
        at(begin).begin_step();
        at(begin + 1000).mark_start(0, 0);
        at(begin + 1500).mark_start(0, 1);
        at(begin + 4000).mark_compute_end(0, 0);
        at(begin + 6000).mark_compute_end(0, 1);
        at(begin + 7000).mark_barrier_end(0, 0);
        at(begin + 7000).mark_barrier_end(0, 1);
        at(begin + 8000).mark_start(1, 0);
        at(begin + 9000).mark_compute_end(1, 0);
        at(begin + 10000).end_step();
        at(begin + 12000);
    }
    static RunRecord record() {
        RunRecord record;
        record.build = "test";
        record.nodes = {{0, "blk.0.qkv", "linear", "u4m/avx2", 0},
                        {1, "head", "linear", "f32", -1}};
        return record;
    }

    base::VirtualClock clock_;
    StepTimer timer_{2, 2, clock_, TickRate{}};
    TraceLog log_;
};

TEST_F(TraceTest, StampsAreKeptAsTheyWere) {
    play(100'000);
    log_.add_step(timer_, "decode", 64, 1);
    ASSERT_EQ(log_.steps().size(), 1u);
    const TracedStep& step = log_.steps()[0];
    EXPECT_EQ(step.begin_ns, 100'000);
    EXPECT_EQ(step.wall_ns, 10'000);
    EXPECT_EQ(step.position, 64u);
    ASSERT_EQ(step.stamps.size(), 3u);  // node 1 did not run on thread 1
    EXPECT_EQ(step.stamps[0].start_ns, 1000);
    EXPECT_EQ(step.stamps[0].compute_end_ns, 4000);
    EXPECT_EQ(step.stamps[0].barrier_end_ns, 7000);
    EXPECT_EQ(step.stamps[1].node, 1u);
    EXPECT_EQ(step.stamps[1].barrier_end_ns, step.stamps[1].compute_end_ns);
    EXPECT_EQ(step.stamps[2].thread, 1);
    EXPECT_EQ(step.stamps[2].compute_end_ns, 6000);
}

TEST_F(TraceTest, KeepsTheFirstStepsOfEachKindAndCountsTheRest) {
    for (int i = 0; i < 7; ++i) {
        play(100'000 * (i + 1));
        log_.add_step(timer_, "decode", 0, 1);
    }
    EXPECT_EQ(log_.steps().size(), kTraceStepsPerKind);
    EXPECT_EQ(log_.steps_dropped(), 7 - kTraceStepsPerKind);
    EXPECT_FALSE(log_.wants("decode"));
    EXPECT_TRUE(log_.wants("prefill"));
    log_.add_step(timer_, "prefill", 0, 8);
    EXPECT_EQ(log_.steps().size(), kTraceStepsPerKind + 1);
}

TEST_F(TraceTest, StagesHaveALimit) {
    for (uint32_t request = 0; request < 2 * kTraceRequestsMax; ++request) {
        EXPECT_EQ(log_.next_request(), request);
        log_.add_stage(request, "prefill", 0, 1);
    }
    EXPECT_EQ(log_.stages().size(), kTraceRequestsMax);
    for (size_t i = 0; i < 2 * kTraceStagesMax; ++i) log_.add_stage(0, "decode", 0, 1);
    EXPECT_EQ(log_.stages().size(), kTraceStagesMax);
}

TEST_F(TraceTest, ChromeEventsCarryTimesNamesAndWaits) {
    log_.add_stage(0, "prefill", 98'000, 112'000);
    play(100'000);
    log_.add_step(timer_, "prefill", 0, 8);
    const base::Json json = to_chrome_trace(log_, record());
    EXPECT_EQ(json["displayTimeUnit"], "ns");
    std::map<std::string, std::vector<base::Json>> events;
    for (const auto& event : json["traceEvents"]) {
        if (event["ph"] == "X") events[event["name"]].push_back(event);
    }
    // One time line: the stage begins it, the step follows 2 us later.
    ASSERT_EQ(events["prefill"].size(), 2u);
    EXPECT_EQ(events["prefill"][0]["ts"], 0);
    EXPECT_EQ(events["prefill"][0]["dur"], 14);
    EXPECT_EQ(events["prefill"][1]["ts"], 2);
    EXPECT_EQ(events["prefill"][1]["args"]["tokens"], 8);
    ASSERT_EQ(events["blk.0.qkv"].size(), 2u);
    EXPECT_EQ(events["blk.0.qkv"][0]["ts"], 3);
    EXPECT_EQ(events["blk.0.qkv"][0]["dur"], 3);
    EXPECT_EQ(events["blk.0.qkv"][0]["cat"], "linear");
    EXPECT_EQ(events["blk.0.qkv"][0]["args"]["variant"], "u4m/avx2");
    ASSERT_EQ(events["wait"].size(), 2u);
    EXPECT_EQ(events["wait"][0]["dur"], 3);
    EXPECT_EQ(events["wait"][1]["dur"], 1);
    EXPECT_NE(events["wait"][0]["tid"], events["wait"][1]["tid"]);
}

// What viewers ask of the Trace Event format: every event has its line, complete ones a time and a
// length, and those of a line follow each other.
TEST_F(TraceTest, SlicesOfALineDoNotOverlap) {
    // Ticks that are no whole nanoseconds, as those of a time-stamp counter.
    timer_ = StepTimer(2, 2, clock_, TickRate{false, 0.3937});
    play(100'000);
    log_.add_step(timer_, "prefill", 0, 8);
    std::map<std::pair<int, int>, std::vector<std::pair<int64_t, int64_t>>> lines;
    const base::Json json = to_chrome_trace(log_, record());
    for (const auto& event : json["traceEvents"]) {
        ASSERT_TRUE(event.contains("pid") && event.contains("tid") && event.contains("name"));
        if (event["ph"] == "M") continue;
        ASSERT_EQ(event["ph"], "X");
        const int64_t begin_ns = std::llround(event["ts"].get<double>() * 1000);
        const int64_t length_ns = std::llround(event["dur"].get<double>() * 1000);
        ASSERT_GE(length_ns, 0);
        lines[{event["pid"], event["tid"]}].emplace_back(begin_ns, begin_ns + length_ns);
    }
    EXPECT_GE(lines.size(), 3u);
    for (auto& [line, slices] : lines) {
        std::sort(slices.begin(), slices.end());
        for (size_t i = 1; i < slices.size(); ++i) {
            EXPECT_GE(slices[i].first, slices[i - 1].second) << line.first << "/" << line.second;
        }
    }
}

TEST_F(TraceTest, ForeignNodesAndAnEmptyLogAreNoProblem) {
    play(100'000);
    log_.add_step(timer_, "decode", 0, 1);
    const base::Json json = to_chrome_trace(log_, RunRecord{});
    EXPECT_NE(base::dump_json(json).find("node 1"), std::string::npos);
    EXPECT_TRUE(to_chrome_trace(TraceLog{}, RunRecord{})["traceEvents"].empty());
}

}  // namespace
}  // namespace hone::measure
