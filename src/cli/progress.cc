#include "cli/progress.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <string>

namespace hone::cli {
namespace {

constexpr int64_t kRedrawNs = 100'000'000;
constexpr int kBarWidth = 20;

}  // namespace

void Progress::show(std::string_view what, double done_share) {
    if (!enabled_) return;
    const int64_t now_ns = clock_.now_ns();
    if (drawn_ && now_ns - last_ns_ < kRedrawNs) return;
    last_ns_ = now_ns;
    drawn_ = true;
    const double share = std::clamp(done_share, 0.0, 1.0);
    const int filled = static_cast<int>(share * kBarWidth);
    const std::string line =
        fmt::format("\r\x1b[K[{}{}] {:3.0f}% {}", std::string(static_cast<size_t>(filled), '='),
                    std::string(static_cast<size_t>(kBarWidth - filled), ' '), share * 100, what);
    std::fputs(line.c_str(), stderr);
    std::fflush(stderr);
}

void Progress::clear() {
    if (!drawn_) return;
    std::fputs("\r\x1b[K", stderr);
    std::fflush(stderr);
    drawn_ = false;
}

probe::Conduct Progress::conduct(const std::atomic<bool>& cancelled) {
    return {[this](std::string_view what, double share) { show(what, share); }, &cancelled};
}

}  // namespace hone::cli
