// How work that takes minutes is told to stop: it asks from time to time.
#pragma once

#include <cstddef>
#include <functional>

#include "base/result.h"

namespace hone::quality {

// Told the share that is done; answers whether to go on. Empty: nobody asks to stop.
using GoOn = std::function<bool(double)>;

// cancelled: not to go on, after `done` of `all` parts.
inline base::Status check_go_on(const GoOn& go_on, size_t done, size_t all) {
    if (!go_on || go_on(static_cast<double>(done) / static_cast<double>(all))) return {};
    return base::fail(base::ErrorCode::cancelled, "stopped on request");
}

}  // namespace hone::quality
