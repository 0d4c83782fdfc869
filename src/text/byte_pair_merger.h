// BytePairMerger: byte-pair encoding of one word.
//
// A word starts as one piece per byte, or per character where tokens are spelled as text; as long
// as a known pair of neighbours exists, the pair of best rank (leftmost among equals) becomes one
// piece (Sennrich, Haddow, Birch 2016; byte level: Radford et al. 2019). A priority queue over a
// doubly linked list makes that O(n log n) for a word of n bytes. Pieces are raw bytes here; the
// printable spelling of files (a map from the 256 bytes to 256 visible characters) ends at create.
// A character without a piece becomes the tokens "<0xNN>" of its bytes. It does not cut text into
// words and knows no special tokens. Const and thread-safe after create; the scratch belongs to one
// call.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/pretokenizer_families.h"
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
            int32_t piece;   // kMerged, kNoPiece, or of pieces_
            uint32_t begin;  // in the word
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
        size_t steps = 0;  // candidates taken up, over all words
    };

    BytePairMerger() = default;
    // tokens: as stored in the file, the index is the id. corrupt: a merge without two parts.
    static base::Result<BytePairMerger> create(const std::vector<std::string>& tokens,
                                               const std::vector<std::string>& merges,
                                               TokenSpelling spelling = TokenSpelling::bytes);

    // Appends the tokens of a word of raw bytes, at most kWordBytesMax of them.
    void encode_word(std::string_view word, bool whole_word_first, Scratch& scratch,
                     std::vector<int32_t>& out) const;

    static constexpr size_t kWordBytesMax = size_t{1} << 30;

  private:
    static constexpr int32_t kMerged = -1;   // into a neighbour
    static constexpr int32_t kNoPiece = -2;  // no token and no merge has this character

    base::Status add_merges(const std::vector<std::string>& merges);
    std::optional<std::string> decode_spelling(std::string_view spelled) const;
    void begin_symbols(std::string_view word, Scratch& scratch) const;
    void push_candidate(Scratch& scratch, int32_t left, int32_t right) const;
    void merge_all(Scratch& scratch) const;
    void append_piece(int32_t piece, std::string_view bytes, std::vector<int32_t>& out) const;

    TokenSpelling spelling_ = TokenSpelling::bytes;
    StringIndex pieces_;                      // raw bytes of every token and merge part
    std::vector<int32_t> piece_tokens_;       // [pieces] token id or -1
    std::array<int32_t, 256> byte_pieces_{};  // piece of each single byte
    // By byte, or -1: the token whose stored text is that byte, or "<0xNN>" for characters.
    std::array<int32_t, 256> one_byte_tokens_{};
    PairIndex merges_;
};

}  // namespace hone::text
