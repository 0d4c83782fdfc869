// The prompts of a workload that the user brings, and what is wasted in them.
//
// A file has one JSON object per line: {"text": "..."} is tokenized like any plain text, without
// chat format; {"tokens": [1, 2, ...]} is taken as it is, as from a program that did its own
// preparation. Other keys are ignored, empty lines are skipped. Not here: chat formats, sampling
// options. Pure functions.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <unordered_set>
#include <vector>

#include "base/result.h"
#include "text/tokenizer.h"

namespace hone::probe {

inline constexpr size_t kPromptFileBytesMax = 64u << 20;
inline constexpr size_t kPromptsMax = 100'000;
inline constexpr size_t kPromptTokensMax = 1u << 20;

struct Prompt {
    std::string text;
    std::vector<int32_t> tokens = {};  // not empty: used instead of the text
};

// corrupt (a line that is none of the two forms, with its number), exhausted (a limit above),
// invalid_argument (no prompt at all). Ids are checked against a vocabulary by Engine::add.
base::Result<std::vector<Prompt>> parse_prompts(std::string_view jsonl);

// Runs of the padding token at the ends of a prompt, a BOS before the first run not counted. A
// model whose padding token has another use too (often it is the end token) pads only where there
// are two of it or more. Everything being padding, one token counts as text.
struct Padding {
    size_t first = 0;  // where the leading run begins: 0, or 1 behind a BOS
    size_t leading = 0;
    size_t trailing = 0;

    size_t tokens() const { return leading + trailing; }
};
Padding find_padding(const text::Tokenizer& tokenizer, std::span<const int32_t> tokens);
void trim_padding(const Padding& padding, std::vector<int32_t>& tokens);

// What a request is computed from.
std::vector<int32_t> prompt_ids(const text::Tokenizer& tokenizer, const Prompt& prompt,
                                bool without_padding);

// Which beginnings of token sequences were computed before, in whole pages of the KV cache: what a
// prefix cache without end could have kept. Remembers hashes, no tokens; at most kPagesMax of them,
// after which nothing more is learned.
class PrefixHistory {
  public:
    static constexpr size_t kPagesMax = 1u << 20;

    // Tokens of the longest beginning that was added before; never all of them.
    size_t repeated(std::span<const int32_t> tokens) const;
    void add(std::span<const int32_t> tokens);
    void clear() { pages_.clear(); }

  private:
    std::unordered_set<uint64_t> pages_;
};

}  // namespace hone::probe
