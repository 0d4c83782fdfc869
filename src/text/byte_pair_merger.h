// BytePairMerger: byte-level byte-pair encoding of one word.
//
// A word starts as one piece per byte; as long as a known pair of neighbours exists, the pair of
// best rank (leftmost among equals) becomes one piece (Sennrich, Haddow, Birch 2016; byte level:
// Radford et al. 2019). A priority queue over a doubly linked list makes that O(n log n) for a word
// of n bytes. Pieces are raw bytes here; the printable spelling of files (a map from the 256 bytes
// to 256 visible characters) ends at create. It does not cut text into words and knows no special
// tokens. Const and thread-safe after create; the scratch belongs to one call.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/string_index.h"

namespace hone::text {

// The raw bytes of a token or merge in the byte-level spelling; nullopt when some character is not
// one of the 256, or its UTF-8 is not canonical: such text can never come out of merging.
std::optional<std::string> decode_byte_spelling(std::string_view spelled);

class BytePairMerger {
  public:
    // Memory that calls of encode_word reuse; one per thread of use.
    struct Scratch {
        struct Symbol {
            int32_t piece;  // -1: merged into a neighbour
            int32_t previous;
            int32_t next;
        };
        struct Candidate {
            uint64_t order;  // rank << 32 | left symbol
            int32_t left_piece;
            int32_t right;
            int32_t right_piece;
            int32_t result;
        };
        std::vector<Symbol> symbols;
        std::vector<Candidate> heap;
    };

    BytePairMerger() = default;
    // tokens: as stored in the file, the index is the id. corrupt: a merge without two parts.
    static base::Result<BytePairMerger> create(const std::vector<std::string>& tokens,
                                               const std::vector<std::string>& merges);

    // Appends the tokens of a word of raw bytes, at most kWordBytesMax of them.
    void encode_word(std::string_view word, bool whole_word_first, Scratch& scratch,
                     std::vector<int32_t>& out) const;

    static constexpr size_t kWordBytesMax = size_t{1} << 30;

  private:
    void push_candidate(Scratch& scratch, int32_t left, int32_t right) const;
    void merge_all(Scratch& scratch) const;
    void append_piece(int32_t piece, std::vector<int32_t>& out) const;

    StringIndex pieces_;                          // raw bytes of every token and merge part
    std::vector<int32_t> piece_tokens_;           // [pieces] token id or -1
    std::array<int32_t, 256> byte_pieces_{};      // piece of each single byte
    std::array<int32_t, 256> one_byte_tokens_{};  // token whose stored text is that byte, or -1
    PairIndex merges_;
};

}  // namespace hone::text
