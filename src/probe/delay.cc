#include "probe/delay.h"

namespace hone::probe {

void StepDelay::wait_after(int64_t begin_ns) const {
    const int64_t now_ns = clock_->now_ns();
    const int64_t end_ns =
        now_ns + static_cast<int64_t>(share_ * static_cast<double>(now_ns - begin_ns));
    while (clock_->now_ns() < end_ns) {
    }
}

}  // namespace hone::probe
