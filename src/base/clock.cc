#include "base/clock.h"

#include <ctime>

namespace hone::base {

int64_t SteadyClock::now_ns() const {
    timespec t{};
    clock_gettime(CLOCK_MONOTONIC, &t);
    return int64_t{t.tv_sec} * 1'000'000'000 + t.tv_nsec;
}

}  // namespace hone::base
