// StopMatcher: finds stop strings in a stream of text, also across the borders of its parts.
//
// Text that may still become a stop string is held back; once a stop string is complete, the text
// before it comes out and nothing after it. Of several stop strings the one that is complete first
// wins, and of those complete at the same byte the longest. It works on bytes: give it whole UTF-8
// (StreamingDetokenizer) and it gives back whole UTF-8. One per stream; not thread-safe.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hone::text {

class StopMatcher {
  public:
    static constexpr size_t kStopsMax = 32;
    static constexpr size_t kStopBytesMax = 256;

    // exhausted: too many or too long; invalid_argument: an empty stop string.
    static base::Result<StopMatcher> create(std::vector<std::string> stops);

    // The text that can be shown now. After stopped() it is empty.
    std::string push(std::string_view text);
    // What was held back and turned out to be no stop string.
    std::string flush();
    bool stopped() const { return stopped_; }
    // The stop string that was found; empty before stopped().
    const std::string& found() const { return found_; }

  private:
    explicit StopMatcher(std::vector<std::string> stops) : stops_(std::move(stops)) {}

    std::vector<std::string> stops_;  // the longest first
    std::string held_;                // shorter than the longest stop string
    std::string found_;
    bool stopped_ = false;
};

}  // namespace hone::text
