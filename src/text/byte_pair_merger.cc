#include "text/byte_pair_merger.h"

#include <algorithm>

#include "base/check.h"
#include "base/text.h"
#include "text/utf8.h"
#include "text/vocabulary.h"

namespace hone::text {

namespace {

using base::ErrorCode;

// The GPT-2 spelling: the 188 printable bytes of Latin-1 stand for themselves, the other 68, in
// ascending order, for U+0100, U+0101, ...
struct ByteSpelling {
    std::array<uint16_t, 256> code_points{};
    std::array<int16_t, 0x144> bytes{};  // -1: this character spells nothing
};

constexpr ByteSpelling make_byte_spelling() {
    ByteSpelling out;
    for (auto& byte : out.bytes) byte = -1;
    uint16_t next = 0x100;
    for (int byte = 0; byte < 256; ++byte) {
        const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
        const auto code_point = printable ? static_cast<uint16_t>(byte) : next++;
        out.code_points[static_cast<size_t>(byte)] = code_point;
        out.bytes[code_point] = static_cast<int16_t>(byte);
    }
    return out;
}

constexpr ByteSpelling kByteSpelling = make_byte_spelling();
static_assert(kByteSpelling.code_points[' '] == 0x120);

// The byte that a token stands for when a piece is spelled out, or -1.
int byte_of_token(std::string_view token, TokenSpelling spelling) {
    if (spelling == TokenSpelling::characters) return parse_byte_token(token).value_or(-1);
    return token.size() == 1 ? int{static_cast<unsigned char>(token[0])} : -1;
}

bool worse(const BytePairMerger::Scratch::Candidate& a,
           const BytePairMerger::Scratch::Candidate& b) {
    return a.order > b.order;
}

}  // namespace

std::optional<std::string> decode_byte_spelling(std::string_view spelled) {
    std::string out;
    out.reserve(spelled.size());
    while (!spelled.empty()) {
        const DecodedCodePoint next = decode_lenient(spelled);
        const bool canonical = next.size_bytes == (next.code_point < 0x80 ? 1u : 2u);
        if (!canonical || next.code_point >= kByteSpelling.bytes.size()) return std::nullopt;
        const int16_t byte = kByteSpelling.bytes[next.code_point];
        if (byte < 0) return std::nullopt;
        out.push_back(static_cast<char>(byte));
        spelled.remove_prefix(next.size_bytes);
    }
    return out;
}

base::Result<BytePairMerger> BytePairMerger::create(const std::vector<std::string>& tokens,
                                                    const std::vector<std::string>& merges,
                                                    TokenSpelling spelling) {
    BytePairMerger out;
    out.spelling_ = spelling;
    out.pieces_ = StringIndex(tokens.size() + merges.size() + 256);
    for (size_t byte = 0; byte < 256 && spelling == TokenSpelling::bytes; ++byte) {
        const char c = static_cast<char>(byte);
        out.byte_pieces_[byte] = out.pieces_.add({&c, 1});
    }
    out.one_byte_tokens_.fill(-1);
    out.piece_tokens_.assign(out.pieces_.size(), -1);
    for (size_t id = 0; id < tokens.size(); ++id) {
        const int byte = byte_of_token(tokens[id], spelling);
        if (byte >= 0) out.one_byte_tokens_[static_cast<size_t>(byte)] = static_cast<int32_t>(id);
        const auto bytes = out.decode_spelling(tokens[id]);
        if (!bytes) continue;
        const auto piece = static_cast<size_t>(out.pieces_.add(*bytes));
        if (piece >= out.piece_tokens_.size()) out.piece_tokens_.resize(piece + 1, -1);
        out.piece_tokens_[piece] = static_cast<int32_t>(id);
        if (out.pieces_.crowded()) {
            return base::fail(ErrorCode::exhausted, "the tokens up to {} share their hashes", id);
        }
    }
    HONE_TRY_STATUS(out.add_merges(merges));
    out.piece_tokens_.resize(out.pieces_.size(), -1);
    return out;
}

std::optional<std::string> BytePairMerger::decode_spelling(std::string_view spelled) const {
    if (spelling_ == TokenSpelling::characters) return std::string(spelled);
    return decode_byte_spelling(spelled);
}

base::Status BytePairMerger::add_merges(const std::vector<std::string>& merges) {
    merges_ = PairIndex(merges.size());
    for (size_t rank = 0; rank < merges.size(); ++rank) {
        const std::string_view merge = merges[rank];
        const size_t space = merge.find(' ', 1);
        if (space == std::string_view::npos || space + 1 == merge.size()) {
            return base::fail(ErrorCode::corrupt, "merge {} '{}' is not two parts", rank,
                              base::printable(merge));
        }
        const auto left = decode_spelling(merge.substr(0, space));
        const auto right = decode_spelling(merge.substr(space + 1));
        if (!left || !right) continue;
        const int32_t result = pieces_.add(*left + *right);
        merges_.add(pieces_.add(*left), pieces_.add(*right), {static_cast<int32_t>(rank), result});
        if (merges_.crowded() || pieces_.crowded()) {
            return base::fail(ErrorCode::exhausted, "the merges up to {} share their hashes", rank);
        }
    }
    return {};
}

void BytePairMerger::begin_symbols(std::string_view word, Scratch& scratch) const {
    auto& symbols = scratch.symbols;
    symbols.clear();
    scratch.heap.clear();
    for (size_t at = 0; at < word.size();) {
        const auto i = static_cast<int32_t>(symbols.size());
        const auto begin = static_cast<uint32_t>(at);
        size_t size = 1;
        int32_t piece = byte_pieces_[static_cast<unsigned char>(word[at])];
        if (spelling_ == TokenSpelling::characters) {
            size = decode_lenient(word.substr(at)).size_bytes;
            piece = pieces_.find(word.substr(at, size));
            if (piece < 0) piece = kNoPiece;
        }
        symbols.push_back({piece, begin, i - 1, i + 1});
        at += size;
    }
    symbols.back().next = -1;
    for (int32_t i = 0; i + 1 < static_cast<int32_t>(symbols.size()); ++i) {
        push_candidate(scratch, i, i + 1);
    }
}

void BytePairMerger::encode_word(std::string_view word, bool whole_word_first, Scratch& scratch,
                                 std::vector<int32_t>& out) const {
    HONE_CHECK_LE(word.size(), kWordBytesMax);
    if (word.empty()) return;
    if (whole_word_first) {
        const int32_t piece = pieces_.find(word);
        if (piece >= 0 && piece_tokens_[static_cast<size_t>(piece)] >= 0) {
            out.push_back(piece_tokens_[static_cast<size_t>(piece)]);
            return;
        }
    }
    begin_symbols(word, scratch);
    merge_all(scratch);
    const auto& symbols = scratch.symbols;
    for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
        const auto& symbol = symbols[static_cast<size_t>(i)];
        const size_t end =
            symbol.next >= 0 ? symbols[static_cast<size_t>(symbol.next)].begin : word.size();
        append_piece(symbol.piece, word.substr(symbol.begin, end - symbol.begin), out);
    }
}

void BytePairMerger::push_candidate(Scratch& scratch, int32_t left, int32_t right) const {
    if (left < 0 || right < 0) return;
    const int32_t left_piece = scratch.symbols[static_cast<size_t>(left)].piece;
    const int32_t right_piece = scratch.symbols[static_cast<size_t>(right)].piece;
    if (left_piece < 0 || right_piece < 0) return;
    const Merge merge = merges_.find(left_piece, right_piece);
    if (merge.rank < 0) return;
    const uint64_t order =
        uint64_t{static_cast<uint32_t>(merge.rank)} << 32 | static_cast<uint32_t>(left);
    scratch.heap.push_back({order, left_piece, right, right_piece, merge.result});
    std::push_heap(scratch.heap.begin(), scratch.heap.end(), worse);
}

void BytePairMerger::merge_all(Scratch& scratch) const {
    while (!scratch.heap.empty()) {
        std::pop_heap(scratch.heap.begin(), scratch.heap.end(), worse);
        const Scratch::Candidate best = scratch.heap.back();
        scratch.heap.pop_back();
        ++scratch.steps;
        const auto left = static_cast<int32_t>(best.order & UINT32_MAX);
        auto& left_symbol = scratch.symbols[static_cast<size_t>(left)];
        auto& right_symbol = scratch.symbols[static_cast<size_t>(best.right)];
        // A candidate is stale once either side has merged with someone else.
        if (left_symbol.piece != best.left_piece || right_symbol.piece != best.right_piece) {
            continue;
        }
        left_symbol.piece = best.result;
        right_symbol.piece = kMerged;
        left_symbol.next = right_symbol.next;
        if (left_symbol.next >= 0) {
            scratch.symbols[static_cast<size_t>(left_symbol.next)].previous = left;
        }
        push_candidate(scratch, left_symbol.previous, left);
        push_candidate(scratch, left, left_symbol.next);
    }
}

void BytePairMerger::append_piece(int32_t piece, std::string_view bytes,
                                  std::vector<int32_t>& out) const {
    const int32_t token = piece >= 0 ? piece_tokens_[static_cast<size_t>(piece)] : -1;
    if (token >= 0) {
        out.push_back(token);
        return;
    }
    // The vocabulary lacks this piece. What other engines do: try each byte of its spelling as a
    // token of its own, and drop what is not there.
    std::string spelled;
    for (const char c : bytes) {
        if (spelling_ == TokenSpelling::characters) {
            spelled.push_back(c);
        } else {
            append_utf8(spelled, kByteSpelling.code_points[static_cast<unsigned char>(c)]);
        }
    }
    for (const char c : spelled) {
        const int32_t single = one_byte_tokens_[static_cast<unsigned char>(c)];
        if (single >= 0) out.push_back(single);
    }
}

}  // namespace hone::text
