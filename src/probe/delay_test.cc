#include "probe/delay.h"

#include <gtest/gtest.h>

namespace hone::probe {
namespace {

// Every look at it takes a microsecond, so that a busy wait ends without real time.
class TickingClock final : public base::Clock {
  public:
    int64_t now_ns() const override { return now_ns_ += 1000; }
    void pass_ns(int64_t ns) { now_ns_ += ns; }

  private:
    mutable int64_t now_ns_ = 0;
};

TEST(StepDelay, AddsItsShareOfTheStep) {
    TickingClock clock;
    const StepDelay delay(clock, 0.25);
    const int64_t begin_ns = clock.now_ns();
    const int result = delay.run([&] {
        clock.pass_ns(1'000'000);
        return 7;
    });
    const auto took_ns = static_cast<double>(clock.now_ns() - begin_ns);
    EXPECT_EQ(result, 7);
    EXPECT_NEAR(took_ns, 1'250'000, 6'000);
}

TEST(StepDelay, WithoutAShareItDoesNotEvenLookAtTheClock) {
    TickingClock clock;
    EXPECT_FALSE(StepDelay().active());
    const StepDelay none(clock, 0);
    EXPECT_FALSE(none.active());
    EXPECT_EQ(none.run([] { return 1; }), 1);
    EXPECT_EQ(StepDelay().run([] { return 2; }), 2);
    EXPECT_EQ(clock.now_ns(), 1000);
}

}  // namespace
}  // namespace hone::probe
