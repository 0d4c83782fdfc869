// Pretokenizer: cuts text into the words that byte-pair merging never crosses.
//
// Each pre-tokenizer of the GGUF world is known by name (pretokenizer_families.h) and is a list of
// stages, mostly regular expressions, run one after another over the pieces the last one left. They
// are run by PCRE2 (JIT where it may), not over UTF-8 but over one byte per code point: ASCII as it
// is, everything else as its Unicode class and the sets of the family it is in. So the answer
// depends on Hone's own Unicode table, offsets are code points, and the patterns hold only plain
// character classes, on which a match is linear in its length. It is not a general regex door:
// patterns come from that table alone. Const and thread-safe after create.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/pretokenizer_families.h"

namespace hone::text {

class Pretokenizer {
  public:
    // The name is that of tokenizer.ggml.pre; empty means "default". unsupported: unknown name,
    // with the names there are.
    static base::Result<Pretokenizer> create(const std::string& name);

    // collapsed: one byte per code point, see collapse(). Replaces `ends` by the ascending end
    // offsets of the words, the last of which is collapsed.size(); empty for an empty text.
    void split(std::string_view collapsed, std::vector<uint32_t>& ends) const;
    // The same, and how many items of patterns were tried on the way: what tests hold to be linear
    // in the length of the text. Slow.
    size_t split_counting(std::string_view collapsed, std::vector<uint32_t>& ends) const;

    // Whole words that are tokens are taken without merging (Llama 3 and its kin).
    bool ignores_merges() const { return family_->ignores_merges; }
    // What tokenizer.ggml.add_bos_token defaults to.
    bool adds_bos_by_default() const { return family_->adds_bos_by_default; }
    TokenSpelling spelling() const { return family_->spelling; }

    // The byte that stands for a code point in the collapsed text.
    char collapse(uint32_t code_point) const;

  private:
    struct Expression;  // a compiled PCRE2 pattern
    // Null expression: the stage is one of digits from the right.
    using Stages = std::vector<std::shared_ptr<const Expression>>;
    explicit Pretokenizer(const PretokenizerFamily* family) : family_(family) {}

    static base::Result<Stages> compile(const PretokenizerFamily& family, bool counting);
    void run(const Stages& stages, size_t* steps, std::string_view collapsed,
             std::vector<uint32_t>& ends) const;

    const PretokenizerFamily* family_;  // a constant of the table
    Stages stages_;
};

}  // namespace hone::text
