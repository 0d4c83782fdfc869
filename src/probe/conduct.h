// How a long piece of work is told to go on: progress out, cancellation in.
//
// Given to everything in this room that takes longer than a blink. Not a logger: the texts are
// short labels for a progress line, and a caller without a terminal gives no callback. Thread rule:
// the callback comes from the thread that called the work; the flag may be set from any thread or
// signal handler.
#pragma once

#include <atomic>
#include <functional>
#include <string_view>

#include "base/result.h"

namespace hone::probe {

struct Conduct {
    // What is being done, and how much of the whole is done, in [0, 1]. May be empty.
    std::function<void(std::string_view what, double done_share)> progress;
    // Set by the user to stop; looked at between pieces of at most about a second. May be null.
    const std::atomic<bool>* cancel = nullptr;

    void report(std::string_view what, double done_share) const {
        if (progress) progress(what, done_share);
    }
    bool cancelled() const { return cancel != nullptr && cancel->load(std::memory_order_relaxed); }
    // cancelled, or nothing.
    base::Status check() const {
        if (cancelled()) return base::fail(base::ErrorCode::cancelled, "stopped on request");
        return {};
    }
};

}  // namespace hone::probe
