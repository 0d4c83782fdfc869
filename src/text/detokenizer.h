// StreamingDetokenizer: token by token into text that is whole UTF-8 at every moment.
//
// A token may end inside a character; such bytes are held back until the next token completes them,
// and come out as U+FFFD when it does not. It does not look for stop strings: see StopMatcher.
// Invariant: all answers together are valid UTF-8, and equal the decoded bytes where those are.
// One per stream; not thread-safe.
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizer.h"

namespace hone::text {

class StreamingDetokenizer {
  public:
    // special: show control tokens as their texts instead of hiding them.
    explicit StreamingDetokenizer(Tokenizer tokenizer, bool special = false)
        : tokenizer_(std::move(tokenizer)), special_(special) {}

    // The text that is complete with this token; may be empty. Requires 0 <= id < vocab_size().
    std::string push(int32_t id);
    // What is still held back (at most 3 bytes), as U+FFFD; the next push starts a new stream.
    std::string flush();

  private:
    Tokenizer tokenizer_;
    bool special_;
    std::string held_;
};

}  // namespace hone::text
