// Charsmap: SentencePiece's compiled normalizer, as it comes in a model file.
//
// A list of rules "these bytes become those": most often Unicode's NFKC with a few changes,
// compiled into a double-array trie (Yata et al. 2007; the 32-bit units of darts-clone, whose
// layout Kanda 2018 explains) and a pool of zero-terminated replacements. It says what the longest
// rule at a place gives; white space, prefixes and bad UTF-8 are the caller's. Every index is
// checked against its array at each step, since the bytes are foreign. Const and thread-safe after
// create.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hone::text {

class Charsmap {
  public:
    static constexpr size_t kBytesMax = size_t{16} << 20;
    // NFKC's longest is 33 bytes. It bounds how much a text can grow.
    static constexpr size_t kReplacementBytesMax = 64;

    struct Rule {
        std::string_view replacement;
        size_t consumed = 0;  // bytes of the text; 0: no rule begins here
    };

    // No rules.
    Charsmap() = default;
    // bytes: u32 size of the trie, its units, the pool. corrupt: sizes or offsets that do not fit;
    // exhausted: over a limit above. Empty bytes are no rules.
    static base::Result<Charsmap> create(std::string_view bytes);

    Rule longest(std::string_view text) const;

  private:
    std::vector<uint32_t> units_;
    std::string pool_;  // ends with a zero byte
};

}  // namespace hone::text
