// SentencePieceMerger: SentencePiece's byte-pair encoding of a text, without cutting it into words.
//
// A text starts as one piece per character; as long as two neighbours together are a token, the
// pair whose token has the best score (leftmost among equals) becomes one piece (Kudo and
// Richardson 2018; llama.cpp's tokenizer "llama" is the reference for behaviour). A priority queue
// over a linked list makes that O(n log n) for n characters. A character that no token has becomes
// its bytes' tokens "<0x00>" to "<0xFF>", or the unknown token. Spaces are U+2581 in tokens: the
// caller has put them into the text. Knows no special tokens. Const and thread-safe after create;
// the scratch belongs to one call.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/string_index.h"
#include "text/vocabulary.h"

namespace hone::text {

// The spelling of a space in tokens: U+2581.
inline constexpr std::string_view kSpaceMark = "\xE2\x96\x81";
// Every space of the text as kSpaceMark, and back.
std::string mark_spaces(std::string_view text);
std::string unmark_spaces(std::string_view text);

class SentencePieceMerger {
  public:
    struct Scratch {
        struct Symbol {
            uint32_t begin;  // in the text
            uint32_t size;   // bytes, 0: merged into the one before
            int32_t previous;
            int32_t next;
        };
        struct Candidate {
            float score;
            int32_t left;
            int32_t right;
            uint32_t size;  // bytes of both
        };
        std::vector<Symbol> symbols;
        std::vector<Candidate> heap;
        size_t steps = 0;  // candidates taken up, over all calls
    };

    // corrupt: no score for each token, or one that is not a number. `index`, here and below: of
    // the vocabulary's tokens, the numbers are ids.
    static base::Result<SentencePieceMerger> create(const VocabularyData& data,
                                                    const StringIndex& index);

    // Appends the tokens of a text of at most 2^31 bytes.
    void encode(std::string_view text, const StringIndex& index, Scratch& scratch,
                std::vector<int32_t>& out) const;

  private:
    void push_candidate(std::string_view text, const StringIndex& index, Scratch& scratch,
                        int32_t left, int32_t right) const;
    void append_piece(std::string_view piece, const StringIndex& index,
                      std::vector<int32_t>& out) const;

    std::vector<float> scores_;  // [vocab_size]
    size_t longest_bytes_ = 0;
    std::array<int32_t, 256> byte_tokens_{};  // -1: none
    int32_t unknown_ = -1;
};

}  // namespace hone::text
