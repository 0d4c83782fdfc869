// Pretokenizer: cuts text into the words that byte-pair merging never crosses.
//
// Each pre-tokenizer of the GGUF world is known by name and is a list of regular expressions, run
// one after another over the pieces the last one left. They are run by PCRE2 (JIT where it may),
// not over UTF-8 but over one byte per code point: ASCII as it is, everything else as its Unicode
// class. So the answer depends on Hone's own Unicode table, offsets are code points, and the
// patterns hold only plain character classes, on which a match is linear in its length. It is not
// a general regex door: patterns come from the table in the .cc alone.
// Const and thread-safe after create.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hone::text {

class Pretokenizer {
  public:
    // The name is that of tokenizer.ggml.pre; empty means "default". unsupported: unknown name.
    static base::Result<Pretokenizer> create(const std::string& name);

    // collapsed: one byte per code point, see collapse(). Replaces `ends` by the ascending end
    // offsets of the words, the last of which is collapsed.size(); empty for an empty text.
    void split(std::string_view collapsed, std::vector<uint32_t>& ends) const;

    // Whole words that are tokens are taken without merging (Llama 3 and its kin).
    bool ignores_merges() const { return ignores_merges_; }
    // What tokenizer.ggml.add_bos_token defaults to.
    bool adds_bos_by_default() const { return adds_bos_by_default_; }

    // The byte that stands for a code point in the collapsed text.
    static char collapse(uint32_t code_point);

  private:
    struct Expression;  // a compiled PCRE2 pattern
    Pretokenizer() = default;

    std::vector<std::shared_ptr<const Expression>> stages_;
    bool ignores_merges_ = false;
    bool adds_bos_by_default_ = false;
};

}  // namespace hone::text
