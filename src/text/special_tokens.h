// SpecialTokens: which tokens of a vocabulary are more than text, which of them end a generation,
// and how a text is cut at them.
//
// Files are often wrong about this, so tokens are also recognized by their well-known texts, by the
// rules llama.cpp established (its llama-vocab.cpp is the reference for behaviour). It does not
// tokenize what lies between special tokens. Const and thread-safe after create.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/prefix_index.h"
#include "text/vocabulary.h"

namespace hone::text {

// A part of a text: either a special token, or bytes between special tokens.
struct Fragment {
    std::string_view bytes;  // when token < 0
    int32_t token = -1;
};

class SpecialTokens {
  public:
    static constexpr size_t kSpecialCountMax = 16384;

    SpecialTokens() = default;
    // data: checked by the caller (types empty or of the length of tokens, ids in range); it must
    // outlive nothing, what is needed is copied. exhausted: over kSpecialCountMax special tokens.
    static base::Result<SpecialTokens> create(const VocabularyData& data);

    // Longer special tokens win over shorter ones, wherever they stand. Without parse_special,
    // control and unknown tokens are plain text and only user-defined ones are cut out. A few
    // tokens of a few families take the white space beside them with them. Only tokens that the
    // text holds cost a pass over it. tokens: the texts `create` was given.
    std::vector<Fragment> cut(std::string_view text, bool parse_special,
                              const std::vector<std::string>& tokens) const;

    bool is_control(int32_t id) const;  // control or unknown: hidden in decoded text
    // Spelled as stored, not in the byte-level spelling: control, unknown and user-defined.
    bool is_verbatim(int32_t id) const;
    bool is_normal(int32_t id) const;
    bool is_byte(int32_t id) const;
    bool is_end_of_generation(int32_t id) const;

  private:
    void mark_types(const VocabularyData& data);
    void mark_by_text(const VocabularyData& data);
    void mark_ends(const VocabularyData& data);
    void apply_exceptions(const VocabularyData& data);
    void mark_strips(const VocabularyData& data);
    std::vector<bool> present(std::string_view text, const std::vector<std::string>& tokens) const;
    void cut_at(int32_t id, std::string_view special, std::string_view text,
                std::vector<Fragment>& out) const;
    bool has(int32_t id, uint8_t flag) const;

    std::vector<uint8_t> flags_;    // [vocab_size] bits of the .cc
    std::vector<int32_t> cutting_;  // special tokens, the longest text first
    PrefixIndex cutting_index_;     // of the same
};

}  // namespace hone::text
