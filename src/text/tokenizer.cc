#include "text/tokenizer.h"

#include <algorithm>
#include <array>
#include <utility>
#include <variant>

#include "base/check.h"
#include "base/text.h"
#include "text/byte_pair_merger.h"
#include "text/pretokenizer.h"
#include "text/sentence_piece_merger.h"
#include "text/special_tokens.h"
#include "text/string_index.h"
#include "text/utf8.h"

namespace hone::text {

namespace {

using base::ErrorCode;
using base::fail;

// A text as code points: what the pre-tokenizer sees, and where each code point's bytes are.
struct CollapsedText {
    std::string bytes;              // valid in the lenient sense, U+FFFD for bad bytes
    std::string classes;            // [n] one byte per code point
    std::vector<uint32_t> offsets;  // [n + 1] of code points in `bytes`
};

CollapsedText collapse(std::string_view text) {
    CollapsedText out;
    out.bytes.reserve(text.size());
    out.classes.reserve(text.size());
    out.offsets.reserve(text.size() + 1);
    while (!text.empty()) {
        const DecodedCodePoint next = decode_lenient(text);
        out.offsets.push_back(static_cast<uint32_t>(out.bytes.size()));
        append_utf8(out.bytes, next.code_point);
        out.classes.push_back(Pretokenizer::collapse(next.code_point));
        text.remove_prefix(next.size_bytes);
    }
    out.offsets.push_back(static_cast<uint32_t>(out.bytes.size()));
    return out;
}

base::Status check_sizes(const VocabularyData& data) {
    if (data.model != "gpt2" && data.model != "llama") {
        return fail(ErrorCode::unsupported,
                    "tokenizer model '{}' is not supported; gpt2 and llama are",
                    base::printable(data.model));
    }
    if (data.tokens.empty()) return fail(ErrorCode::corrupt, "the vocabulary is empty");
    if (data.tokens.size() > Tokenizer::kTokenCountMax) {
        return fail(ErrorCode::exhausted, "{} tokens, at most {} are supported", data.tokens.size(),
                    Tokenizer::kTokenCountMax);
    }
    if (data.merges.size() > Tokenizer::kMergeCountMax) {
        return fail(ErrorCode::exhausted, "{} merges, at most {} are supported", data.merges.size(),
                    Tokenizer::kMergeCountMax);
    }
    if (!data.types.empty() && data.types.size() != data.tokens.size()) {
        return fail(ErrorCode::corrupt, "{} token types for {} tokens", data.types.size(),
                    data.tokens.size());
    }
    if (!data.scores.empty() && data.scores.size() != data.tokens.size()) {
        return fail(ErrorCode::corrupt, "{} token scores for {} tokens", data.scores.size(),
                    data.tokens.size());
    }
    return {};
}

base::Status check_id(const char* name, int32_t id, size_t count) {
    if (id < -1 || (id >= 0 && static_cast<size_t>(id) >= count)) {
        return fail(ErrorCode::corrupt, "the {} token is {}, but there are {} tokens", name, id,
                    count);
    }
    return {};
}

base::Status check_ids(const VocabularyData& data) {
    const size_t count = data.tokens.size();
    HONE_TRY_STATUS(check_id("BOS", data.bos_id, count));
    HONE_TRY_STATUS(check_id("EOS", data.eos_id, count));
    HONE_TRY_STATUS(check_id("EOT", data.eot_id, count));
    HONE_TRY_STATUS(check_id("unknown", data.unk_id, count));
    HONE_TRY_STATUS(check_id("padding", data.pad_id, count));
    if (data.add_bos.value_or(false) && data.bos_id < 0) {
        return fail(ErrorCode::corrupt, "the file asks for a BOS token but names none");
    }
    if (data.add_eos.value_or(false) && data.eos_id < 0) {
        return fail(ErrorCode::corrupt, "the file asks for an EOS token but names none");
    }
    return {};
}

// Fills `index` so that its numbers are the token ids.
base::Status index_tokens(std::vector<std::string>& tokens, StringIndex& index) {
    for (size_t id = 0; id < tokens.size(); ++id) {
        std::string& token = tokens[id];
        if (token.empty()) token = fmt::format("[EMPTY_{}]", id);
        if (token.size() > Tokenizer::kTokenBytesMax) {
            return fail(ErrorCode::exhausted, "token {} has {} bytes, at most {} are supported", id,
                        token.size(), Tokenizer::kTokenBytesMax);
        }
        if (static_cast<size_t>(index.add(token)) != id) {
            return fail(ErrorCode::corrupt, "token {} '{}' appears twice", id,
                        base::printable(token));
        }
    }
    return {};
}

base::Status check_merges(const std::vector<std::string>& merges) {
    for (size_t rank = 0; rank < merges.size(); ++rank) {
        if (merges[rank].size() > 2 * Tokenizer::kTokenBytesMax) {
            return fail(ErrorCode::exhausted, "merge {} has {} bytes", rank, merges[rank].size());
        }
    }
    return {};
}

// A byte token is spelled <0xNN>.
std::string decode_byte_token(std::string_view text) {
    if (text.size() != 6 || text.substr(0, 3) != "<0x" || text.back() != '>') return {};
    int value = 0;
    for (const char c : text.substr(3, 2)) {
        const bool digit = c >= '0' && c <= '9';
        const char letter = static_cast<char>(c | 0x20);
        if (!digit && (letter < 'a' || letter > 'f')) return {};
        value = value * 16 + (digit ? c - '0' : letter - 'a' + 10);
    }
    return std::string(1, static_cast<char>(value));
}

// What a token stands for: the bytes of its spelling, or the text itself where it is not one.
std::string piece_of(const SpecialTokens& special, bool sentence_piece, int32_t id,
                     const std::string& text) {
    if (special.is_verbatim(id)) return text;
    if (special.is_byte(id)) return decode_byte_token(text);
    if (!special.is_normal(id)) return {};
    if (sentence_piece) return unmark_spaces(text);
    auto bytes = decode_byte_spelling(text);
    return bytes ? *std::move(bytes) : text;
}

// Byte-level BPE: words by a pre-tokenizer, each merged by rank.
class WordEncoder {
  public:
    static base::Result<WordEncoder> create(const VocabularyData& data) {
        HONE_TRY(auto pretokenizer, Pretokenizer::create(data.pre));
        HONE_TRY(auto merger, BytePairMerger::create(data.tokens, data.merges));
        return WordEncoder(std::move(pretokenizer), std::move(merger));
    }

    bool adds_bos_by_default() const { return pretokenizer_.adds_bos_by_default(); }
    void encode(std::string_view bytes, BytePairMerger::Scratch& scratch,
                std::vector<int32_t>& out) const {
        const CollapsedText text = collapse(bytes);
        std::vector<uint32_t> ends;
        pretokenizer_.split(text.classes, ends);
        uint32_t begin = 0;
        for (const uint32_t end : ends) {
            const std::string_view word =
                std::string_view(text.bytes)
                    .substr(text.offsets[begin], text.offsets[end] - text.offsets[begin]);
            merger_.encode_word(word, pretokenizer_.ignores_merges(), scratch, out);
            begin = end;
        }
    }

  private:
    WordEncoder(Pretokenizer pretokenizer, BytePairMerger merger)
        : pretokenizer_(std::move(pretokenizer)), merger_(std::move(merger)) {}

    Pretokenizer pretokenizer_;
    BytePairMerger merger_;
};

}  // namespace

struct Tokenizer::Tables {
    VocabularyData data;  // without merges and scores, which are not needed again
    StringIndex index;    // token texts; the number is the id
    SpecialTokens special;
    std::variant<SentencePieceMerger, WordEncoder> encoder;
    std::vector<std::string> pieces;  // [vocab_size] raw bytes
    bool adds_bos = false;
    bool adds_eos = false;
    bool adds_space = false;  // before a text that follows a special token or nothing

    struct Scratch {
        BytePairMerger::Scratch words;
        SentencePieceMerger::Scratch pieces;
    };
    void encode_text(std::string_view bytes, bool after_special, Scratch& scratch,
                     std::vector<int32_t>& out) const;
};

base::Result<Tokenizer> Tokenizer::create(VocabularyData data) {
    HONE_TRY_STATUS(check_sizes(data));
    HONE_TRY_STATUS(check_ids(data));
    HONE_TRY_STATUS(check_merges(data.merges));
    auto tables = std::make_shared<Tables>();
    tables->index = StringIndex(data.tokens.size());
    HONE_TRY_STATUS(index_tokens(data.tokens, tables->index));
    HONE_TRY(tables->special, SpecialTokens::create(data));
    const bool sentence_piece = data.model == "llama";
    bool adds_bos = sentence_piece;
    if (sentence_piece) {
        HONE_TRY(tables->encoder, SentencePieceMerger::create(data, tables->index));
        tables->adds_space = data.add_space_prefix.value_or(true);
    } else {
        HONE_TRY(auto words, WordEncoder::create(data));
        adds_bos = words.adds_bos_by_default();
        tables->encoder = std::move(words);
    }
    tables->adds_bos = data.add_bos.value_or(adds_bos) && data.bos_id >= 0;
    tables->adds_eos = data.add_eos.value_or(false);
    data.merges = {};
    data.scores = {};
    tables->pieces.reserve(data.tokens.size());
    for (size_t id = 0; id < data.tokens.size(); ++id) {
        tables->pieces.push_back(
            piece_of(tables->special, sentence_piece, static_cast<int32_t>(id), data.tokens[id]));
    }
    tables->data = std::move(data);
    return Tokenizer(std::move(tables));
}

void Tokenizer::Tables::encode_text(std::string_view bytes, bool after_special, Scratch& scratch,
                                    std::vector<int32_t>& out) const {
    if (const auto* words = std::get_if<WordEncoder>(&encoder)) {
        return words->encode(bytes, scratch.words, out);
    }
    std::string text = adds_space && after_special ? " " : "";
    text += bytes;
    std::get<SentencePieceMerger>(encoder).encode(mark_spaces(text), index, scratch.pieces, out);
}

std::vector<int32_t> Tokenizer::encode(std::string_view bytes, EncodeOptions options) const {
    // Each bad byte can grow to the three bytes of U+FFFD; offsets have 32 bits.
    HONE_CHECK_LE(bytes.size(), kTextBytesMax);
    std::vector<int32_t> out;
    if (options.add_bos && tables_->adds_bos) out.push_back(tables_->data.bos_id);
    Tables::Scratch scratch;
    bool after_special = true;
    for (const Fragment& fragment :
         tables_->special.cut(bytes, options.parse_special, tables_->data.tokens)) {
        if (fragment.token >= 0) {
            out.push_back(fragment.token);
        } else {
            tables_->encode_text(fragment.bytes, after_special, scratch, out);
        }
        after_special = fragment.token >= 0;
    }
    if (options.add_bos && tables_->adds_eos) out.push_back(tables_->data.eos_id);
    return out;
}

std::string Tokenizer::decode_piece(int32_t id, bool special) const {
    HONE_CHECK_GE(id, 0);
    HONE_CHECK_LT(id, vocab_size());
    if (!special && tables_->special.is_control(id)) return {};
    return tables_->pieces[static_cast<size_t>(id)];
}

std::string Tokenizer::decode(std::span<const int32_t> ids, bool special) const {
    std::string out;
    for (const int32_t id : ids) out += decode_piece(id, special);
    return out;
}

int32_t Tokenizer::vocab_size() const {
    return static_cast<int32_t>(tables_->data.tokens.size());
}
int32_t Tokenizer::bos() const {
    return tables_->data.bos_id;
}
int32_t Tokenizer::eos() const {
    return tables_->data.eos_id;
}
int32_t Tokenizer::pad() const {
    return tables_->data.pad_id;
}
bool Tokenizer::adds_bos() const {
    return tables_->adds_bos;
}
bool Tokenizer::is_end_of_generation(int32_t id) const {
    return tables_->special.is_end_of_generation(id);
}

const std::string& Tokenizer::token_text(int32_t id) const {
    HONE_CHECK_GE(id, 0);
    HONE_CHECK_LT(id, vocab_size());
    return tables_->data.tokens[static_cast<size_t>(id)];
}

std::optional<int32_t> Tokenizer::find_token(std::string_view text) const {
    const int32_t id = tables_->index.find(text);
    if (id < 0) return std::nullopt;
    return id;
}

const std::string& Tokenizer::chat_template() const {
    return tables_->data.chat_template;
}

}  // namespace hone::text
