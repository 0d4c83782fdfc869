#include "text/unigram_encoder.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "base/check.h"
#include "text/sentence_piece_merger.h"
#include "text/utf8.h"

namespace hone::text {

namespace {

using base::ErrorCode;

constexpr double kUnknownPenalty = 10.0;
constexpr std::string_view kReplacement = "\xEF\xBF\xBD";

// Bytes of the first character; 0 when they are not UTF-8 in the shortest form.
uint32_t character_bytes(std::string_view text) {
    const DecodedCodePoint next = decode_lenient(text);
    constexpr uint32_t kFirst[] = {0, 0, 0x80, 0x800, 0x10000};
    if (next.code_point == kReplacementCharacter && next.size_bytes == 1) return 0;
    return next.code_point >= kFirst[next.size_bytes] ? next.size_bytes : 0;
}

TokenType type_of(const VocabularyData& data, size_t id) {
    return data.types.empty() ? TokenType::normal : static_cast<TokenType>(data.types[id]);
}

}  // namespace

base::Result<UnigramEncoder> UnigramEncoder::create(const VocabularyData& data) {
    UnigramEncoder out;
    if (data.scores.size() != data.tokens.size()) {
        return base::fail(ErrorCode::corrupt, "{} scores for {} tokens", data.scores.size(),
                          data.tokens.size());
    }
    HONE_TRY(out.charsmap_, Charsmap::create(data.charsmap));
    out.scores_ = data.scores;
    out.byte_tokens_.fill(-1);
    std::vector<int32_t> ids;
    float worst = std::numeric_limits<float>::max();
    for (size_t id = 0; id < data.tokens.size(); ++id) {
        if (!std::isfinite(data.scores[id])) {
            return base::fail(ErrorCode::corrupt, "the score of token {} is {}", id,
                              data.scores[id]);
        }
        const TokenType type = type_of(data, id);
        if (type == TokenType::normal) worst = std::min(worst, data.scores[id]);
        if (type == TokenType::user_defined) out.scores_[id] = 0;
        if (type == TokenType::normal || type == TokenType::user_defined) {
            ids.push_back(static_cast<int32_t>(id));
        }
        if (type == TokenType::byte) {
            // Only as SentencePiece writes it, in capitals.
            const auto byte = parse_byte_token(data.tokens[id]);
            if (byte && data.tokens[id] == fmt::format("<0x{:02X}>", *byte)) {
                out.byte_tokens_[static_cast<size_t>(*byte)] = static_cast<int32_t>(id);
            }
        }
    }
    out.has_bytes_ = std::all_of(out.byte_tokens_.begin(), out.byte_tokens_.end(),
                                 [](int32_t id) { return id >= 0; });
    out.index_ = PrefixIndex(data.tokens, std::move(ids));
    out.unknown_score_ = double{worst} - kUnknownPenalty;
    out.unknown_ = data.unk_id;
    out.adds_space_ = data.add_space_prefix.value_or(false);
    out.removes_extra_spaces_ = data.remove_extra_spaces.value_or(false);
    return out;
}

std::string UnigramEncoder::normalize(std::string_view text) const {
    std::string out;
    out.reserve(text.size() + text.size() / 4 + kSpaceMark.size());
    // Before the first character: nothing is written, so that white space alone is an empty text.
    bool begun = !removes_extra_spaces_;
    bool after_space = removes_extra_spaces_;
    if (begun && adds_space_ && !text.empty()) out += kSpaceMark;
    while (!text.empty()) {
        Charsmap::Rule rule = charsmap_.longest(text);
        if (rule.consumed == 0) {
            const uint32_t size = character_bytes(text);
            rule = size > 0 ? Charsmap::Rule{text.substr(0, size), size}
                            : Charsmap::Rule{kReplacement, 1};
        }
        text.remove_prefix(rule.consumed);
        if (!begun && rule.replacement == " ") continue;
        if (!begun && adds_space_) out += kSpaceMark;
        begun = true;
        std::string_view piece = rule.replacement;
        while (after_space && !piece.empty() && piece[0] == ' ') piece.remove_prefix(1);
        for (const char c : piece) {
            if (c == ' ') {
                out += kSpaceMark;
            } else {
                out.push_back(c);
            }
        }
        if (!piece.empty()) after_space = removes_extra_spaces_ && piece.back() == ' ';
    }
    while (removes_extra_spaces_ && std::string_view(out).ends_with(kSpaceMark)) {
        out.resize(out.size() - kSpaceMark.size());
    }
    return out;
}

void UnigramEncoder::find_best(std::string_view text, const std::vector<std::string>& tokens,
                               Scratch& scratch) const {
    auto& best = scratch.best;
    best.assign(text.size() + 1, {-std::numeric_limits<double>::max(), 0, -1});
    best[0].score = 0;
    for (size_t at = 0; at < text.size();) {
        const auto begin = static_cast<uint32_t>(at);
        const double before = best[at].score;
        const auto offer = [&](size_t end, double score, int32_t token) {
            if (before + score > best[end].score) best[end] = {before + score, begin, token};
        };
        const size_t character = std::max<size_t>(character_bytes(text.substr(at)), 1);
        bool known = false;
        scratch.steps +=
            index_.for_each_match(tokens, text.substr(at), [&](int32_t token, size_t size) {
                offer(at + size, double{scores_[static_cast<size_t>(token)]}, token);
                known = known || size == character;
            });
        if (!known) offer(at + character, unknown_score_, -1);
        at += character;
    }
}

void UnigramEncoder::encode(std::string_view text, const std::vector<std::string>& tokens,
                            Scratch& scratch, std::vector<int32_t>& out) const {
    const std::string normalized = normalize(text);
    HONE_CHECK_LT(normalized.size(), size_t{UINT32_MAX});
    if (normalized.empty()) return;
    find_best(normalized, tokens, scratch);
    // From the end backwards, so what is appended comes out reversed.
    const auto appended = static_cast<ptrdiff_t>(out.size());
    bool after_unknown = false;
    for (size_t end = normalized.size(); end > 0; end = scratch.best[end].begin) {
        const Scratch::Best& best = scratch.best[end];
        if (best.token >= 0) {
            out.push_back(best.token);
        } else if (has_bytes_) {
            for (size_t i = end; i > best.begin; --i) {
                out.push_back(byte_tokens_[static_cast<unsigned char>(normalized[i - 1])]);
            }
        } else if (!after_unknown && unknown_ >= 0) {
            out.push_back(unknown_);
        }
        after_unknown = best.token < 0;
    }
    std::reverse(out.begin() + appended, out.end());
}

}  // namespace hone::text
