#include "text/sentence_piece_merger.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace hone::text {
namespace {

using base::ErrorCode;

// The best score on top, the leftmost among equals.
bool worse_piece_pair(const SentencePieceMerger::Scratch::Candidate& a,
                      const SentencePieceMerger::Scratch::Candidate& b) {
    return a.score != b.score ? a.score < b.score : a.left > b.left;
}

// Bytes of the character that begins with this one, by its high bits alone: what follows may be
// anything, and then no token has it.
uint32_t character_bytes(char lead) {
    const auto byte = static_cast<unsigned char>(lead);
    if (byte >= 0xF0) return 4;
    if (byte >= 0xE0) return 3;
    return byte >= 0xC0 ? 2 : 1;
}

std::string replace_all(std::string_view text, std::string_view from, std::string_view to) {
    std::string out;
    out.reserve(text.size());
    for (size_t at = 0; at < text.size();) {
        const size_t found = std::min(text.find(from, at), text.size());
        out += text.substr(at, found - at);
        if (found < text.size()) out += to;
        at = found + from.size();
    }
    return out;
}

}  // namespace

std::string mark_spaces(std::string_view text) {
    return replace_all(text, " ", kSpaceMark);
}

std::string unmark_spaces(std::string_view text) {
    return replace_all(text, kSpaceMark, " ");
}

base::Result<SentencePieceMerger> SentencePieceMerger::create(const VocabularyData& data,
                                                              const StringIndex& index) {
    SentencePieceMerger out;
    if (data.scores.size() != data.tokens.size()) {
        return base::fail(ErrorCode::corrupt, "{} scores for {} tokens", data.scores.size(),
                          data.tokens.size());
    }
    out.scores_ = data.scores;
    out.unknown_ = data.unk_id;
    for (size_t id = 0; id < data.tokens.size(); ++id) {
        if (!std::isfinite(data.scores[id])) {
            return base::fail(ErrorCode::corrupt, "the score of token {} is {}", id,
                              data.scores[id]);
        }
        out.longest_bytes_ = std::max(out.longest_bytes_, data.tokens[id].size());
    }
    for (size_t byte = 0; byte < out.byte_tokens_.size(); ++byte) {
        out.byte_tokens_[byte] = index.find(fmt::format("<0x{:02X}>", byte));
    }
    return out;
}

void SentencePieceMerger::encode(std::string_view text, const StringIndex& index, Scratch& scratch,
                                 std::vector<int32_t>& out) const {
    HONE_CHECK_LE(text.size(), size_t{INT32_MAX});
    auto& symbols = scratch.symbols;
    symbols.clear();
    scratch.heap.clear();
    for (size_t at = 0; at < text.size();) {
        const auto size =
            static_cast<uint32_t>(std::min<size_t>(character_bytes(text[at]), text.size() - at));
        const auto i = static_cast<int32_t>(symbols.size());
        symbols.push_back({static_cast<uint32_t>(at), size, i - 1, i + 1});
        at += size;
    }
    if (symbols.empty()) return;
    symbols.back().next = -1;
    for (int32_t i = 0; i + 1 < static_cast<int32_t>(symbols.size()); ++i) {
        push_candidate(text, index, scratch, i, i + 1);
    }
    while (!scratch.heap.empty()) {
        std::pop_heap(scratch.heap.begin(), scratch.heap.end(), worse_piece_pair);
        const Scratch::Candidate best = scratch.heap.back();
        scratch.heap.pop_back();
        ++scratch.steps;
        auto& left = symbols[static_cast<size_t>(best.left)];
        auto& right = symbols[static_cast<size_t>(best.right)];
        // Stale once either side has merged with someone else.
        if (left.size == 0 || right.size == 0 || left.size + right.size != best.size) continue;
        left.size += right.size;
        right.size = 0;
        left.next = right.next;
        if (left.next >= 0) symbols[static_cast<size_t>(left.next)].previous = best.left;
        push_candidate(text, index, scratch, left.previous, best.left);
        push_candidate(text, index, scratch, best.left, left.next);
    }
    for (int32_t i = 0; i >= 0; i = symbols[static_cast<size_t>(i)].next) {
        const auto& symbol = symbols[static_cast<size_t>(i)];
        append_piece(text.substr(symbol.begin, symbol.size), index, out);
    }
}

void SentencePieceMerger::push_candidate(std::string_view text, const StringIndex& index,
                                         Scratch& scratch, int32_t left, int32_t right) const {
    if (left < 0 || right < 0) return;
    const auto& a = scratch.symbols[static_cast<size_t>(left)];
    const auto& b = scratch.symbols[static_cast<size_t>(right)];
    const uint32_t size = a.size + b.size;
    if (size > longest_bytes_) return;
    const int32_t token = index.find(text.substr(a.begin, size));
    if (token < 0) return;
    scratch.heap.push_back({scores_[static_cast<size_t>(token)], left, right, size});
    std::push_heap(scratch.heap.begin(), scratch.heap.end(), worse_piece_pair);
}

void SentencePieceMerger::append_piece(std::string_view piece, const StringIndex& index,
                                       std::vector<int32_t>& out) const {
    const int32_t token = index.find(piece);
    if (token >= 0) {
        out.push_back(token);
        return;
    }
    for (const char c : piece) {
        const int32_t byte = byte_tokens_[static_cast<unsigned char>(c)];
        if (byte >= 0) {
            out.push_back(byte);
        } else if (unknown_ >= 0) {
            out.push_back(unknown_);
        }
    }
}

}  // namespace hone::text
