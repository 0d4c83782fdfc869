#include "probe/delay.h"

#include <gtest/gtest.h>

namespace hone::probe {
namespace {

TEST(StepDelay, AddsItsShareOfTheStep) {
    base::VirtualClock clock(1000);
    const StepDelay delay(clock, 0.25);
    const int64_t begin_ns = clock.now_ns();
    const int result = delay.run([&] {
        clock.advance_ns(1'000'000);
        return 7;
    });
    const auto took_ns = static_cast<double>(clock.now_ns() - begin_ns);
    EXPECT_EQ(result, 7);
    EXPECT_NEAR(took_ns, 1'250'000, 6'000);
}

TEST(StepDelay, WithoutAShareItDoesNotEvenLookAtTheClock) {
    base::VirtualClock clock(1000);
    EXPECT_FALSE(StepDelay().active());
    const StepDelay none(clock, 0);
    EXPECT_FALSE(none.active());
    EXPECT_EQ(none.run([] { return 1; }), 1);
    EXPECT_EQ(StepDelay().run([] { return 2; }), 2);
    EXPECT_EQ(clock.now_ns(), 0);
}

}  // namespace
}  // namespace hone::probe
