// Time as an interface, so that schedulers and statistics are tested in virtual time.
// Nanoseconds on a monotonic scale whose zero has no meaning. now_ns is safe from any thread.
#pragma once

#include <atomic>
#include <cstdint>

namespace hone::base {

class Clock {
  public:
    virtual ~Clock() = default;
    virtual int64_t now_ns() const = 0;
};

// CLOCK_MONOTONIC.
class SteadyClock final : public Clock {
  public:
    int64_t now_ns() const override;
};

// A clock that moves when told, and by `tick_ns` whenever somebody looks; for tests.
class VirtualClock final : public Clock {
  public:
    explicit VirtualClock(int64_t tick_ns = 0) : tick_ns_(tick_ns) {}
    int64_t now_ns() const override { return now_ns_.fetch_add(tick_ns_); }
    void advance_ns(int64_t delta_ns) { now_ns_ += delta_ns; }

  private:
    int64_t tick_ns_;
    mutable std::atomic<int64_t> now_ns_{0};
};

}  // namespace hone::base
