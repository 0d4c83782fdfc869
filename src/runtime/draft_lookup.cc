#include "runtime/draft_lookup.h"

namespace hone::runtime {

namespace {

// The index behind the most recent earlier occurrence of the last tokens, or 0: one scan for both
// lengths, since every long match is a short one.
size_t behind_last_match(std::span<const int32_t> tokens) {
    const size_t n = tokens.size();
    if (n <= kDraftNgramShort) return 0;
    const size_t lowest = n > kDraftLookupTokensMax ? n - kDraftLookupTokensMax : 0;
    const int32_t last = tokens[n - 1];
    const int32_t before = tokens[n - 2];
    size_t short_match = 0;
    for (size_t end = n - 1; end >= lowest + kDraftNgramShort; --end) {
        if (tokens[end - 1] != last || tokens[end - 2] != before) continue;
        if (end >= lowest + kDraftNgramLong && tokens[end - 3] == tokens[n - 3]) return end;
        if (short_match == 0) short_match = end;
    }
    return short_match;
}

}  // namespace

void draft_by_lookup(std::span<const int32_t> tokens, uint32_t drafts_max,
                     std::vector<int32_t>& drafts) {
    const size_t from = behind_last_match(tokens);
    if (from == 0) return;
    const size_t first = drafts.size();
    for (size_t i = from; i < from + drafts_max; ++i) {
        drafts.push_back(i < tokens.size() ? tokens[i] : drafts[first + i - tokens.size()]);
    }
}

}  // namespace hone::runtime
