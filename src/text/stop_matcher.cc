#include "text/stop_matcher.h"

#include <algorithm>
#include <utility>

namespace hone::text {

namespace {

using base::ErrorCode;

// The length of the longest end of `text` that begins `stop` without being all of it.
size_t open_match_bytes(std::string_view text, std::string_view stop) {
    for (size_t size = std::min(text.size(), stop.size() - 1); size > 0; --size) {
        if (text.substr(text.size() - size) == stop.substr(0, size)) return size;
    }
    return 0;
}

}  // namespace

base::Result<StopMatcher> StopMatcher::create(std::vector<std::string> stops) {
    if (stops.size() > kStopsMax) {
        return base::fail(ErrorCode::exhausted, "{} stop strings, at most {} are allowed",
                          stops.size(), kStopsMax);
    }
    for (const std::string& stop : stops) {
        if (stop.empty()) return base::fail(ErrorCode::invalid_argument, "empty stop string");
        if (stop.size() > kStopBytesMax) {
            return base::fail(ErrorCode::exhausted,
                              "a stop string of {} bytes, at most {} are allowed", stop.size(),
                              kStopBytesMax);
        }
    }
    std::sort(stops.begin(), stops.end(), [](const std::string& a, const std::string& b) {
        return a.size() != b.size() ? a.size() > b.size() : a < b;
    });
    return StopMatcher(std::move(stops));
}

std::string StopMatcher::push(std::string_view text) {
    if (stopped_) return {};
    std::string all = std::exchange(held_, {});
    all += text;
    size_t first_end = std::string::npos;
    const std::string* winner = nullptr;
    for (const std::string& stop : stops_) {
        const size_t at = all.find(stop);
        if (at == std::string::npos || at + stop.size() >= first_end) continue;
        first_end = at + stop.size();
        winner = &stop;
    }
    if (winner != nullptr) {
        stopped_ = true;
        found_ = *winner;
        all.resize(first_end - found_.size());
        return all;
    }
    size_t open = 0;
    for (const std::string& stop : stops_) open = std::max(open, open_match_bytes(all, stop));
    held_ = all.substr(all.size() - open);
    all.resize(all.size() - open);
    return all;
}

std::string StopMatcher::flush() {
    return std::exchange(held_, {});
}

}  // namespace hone::text
