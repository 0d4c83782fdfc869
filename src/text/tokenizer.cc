#include "text/tokenizer.h"

#include <fmt/format.h>

#include <utility>
#include <variant>

#include "base/check.h"
#include "base/text.h"
#include "text/byte_pair_merger.h"
#include "text/sentence_piece_merger.h"
#include "text/special_tokens.h"
#include "text/string_index.h"
#include "text/unigram_encoder.h"
#include "text/word_encoder.h"
#include "text/word_piece_encoder.h"

namespace hone::text {

namespace {

using base::ErrorCode;
using base::fail;

// Fills `index` so that its numbers are the token ids.
base::Status index_tokens(std::vector<std::string>& tokens, StringIndex& index) {
    for (size_t id = 0; id < tokens.size(); ++id) {
        std::string& token = tokens[id];
        if (token.empty()) token = fmt::format("[EMPTY_{}]", id);
        if (token.size() > kTokenBytesMax) {
            return fail(ErrorCode::exhausted, "token {} has {} bytes, at most {} are supported", id,
                        token.size(), kTokenBytesMax);
        }
        if (static_cast<size_t>(index.add(token)) != id) {
            return fail(ErrorCode::corrupt, "token {} '{}' appears twice", id,
                        base::printable(token));
        }
        if (index.crowded()) {
            return fail(ErrorCode::exhausted, "the tokens up to {} share their hashes", id);
        }
    }
    return {};
}

// What a token stands for: the bytes of its spelling, or the text itself where it is not one.
std::string piece_of(const SpecialTokens& special, TokenSpelling spelling, int32_t id,
                     const std::string& text) {
    if (special.is_verbatim(id)) return text;
    if (special.is_byte(id)) {
        const auto byte = parse_byte_token(text);
        return byte ? std::string(1, static_cast<char>(*byte)) : std::string();
    }
    if (!special.is_normal(id)) return {};
    if (spelling == TokenSpelling::characters) return unmark_spaces(text);
    auto bytes = decode_byte_spelling(text);
    return bytes ? *std::move(bytes) : text;
}

}  // namespace

struct Tokenizer::Tables {
    VocabularyData data;  // without merges, scores and charsmap, which are not needed again
    StringIndex index;    // token texts; the number is the id
    SpecialTokens special;
    std::variant<SentencePieceMerger, WordEncoder, UnigramEncoder, WordPieceEncoder> encoder;
    std::vector<std::string> pieces;  // [vocab_size] raw bytes
    TokenSpelling spelling = TokenSpelling::characters;
    int32_t opening = -1;     // token that begins a text when asked for, or -1
    int32_t closing = -1;     // token that ends it, or -1
    bool adds_space = false;  // before a text that follows a special token or nothing

    struct Scratch {
        BytePairMerger::Scratch words;
        SentencePieceMerger::Scratch pieces;
        UnigramEncoder::Scratch unigram;
        size_t word_piece_steps = 0;
    };
    base::Status choose_encoder(const VocabularyData& data);
    void choose_frame(const VocabularyData& data, bool adds_bos, bool adds_eos);
    void encode_text(std::string_view bytes, bool after_special, Scratch& scratch,
                     std::vector<int32_t>& out) const;
};

base::Result<Tokenizer> Tokenizer::create(VocabularyData data) {
    HONE_TRY_STATUS(check_vocabulary(data));
    auto tables = std::make_shared<Tables>();
    tables->index = StringIndex(data.tokens.size());
    HONE_TRY_STATUS(index_tokens(data.tokens, tables->index));
    HONE_TRY(tables->special, SpecialTokens::create(data));
    HONE_TRY_STATUS(tables->choose_encoder(data));
    data.merges = {};
    data.scores = {};
    data.charsmap = {};
    tables->pieces.reserve(data.tokens.size());
    for (size_t id = 0; id < data.tokens.size(); ++id) {
        tables->pieces.push_back(
            piece_of(tables->special, tables->spelling, static_cast<int32_t>(id), data.tokens[id]));
    }
    tables->data = std::move(data);
    return Tokenizer(std::move(tables));
}

base::Status Tokenizer::Tables::choose_encoder(const VocabularyData& data) {
    if (data.model == "llama") {
        HONE_TRY(encoder, SentencePieceMerger::create(data, index));
        adds_space = data.add_space_prefix.value_or(true);
        choose_frame(data, true, false);
    } else if (data.model == "t5") {
        HONE_TRY(encoder, UnigramEncoder::create(data));
        choose_frame(data, false, true);
    } else if (data.model == "bert") {
        // Whatever the file says about BOS and EOS: a text is framed by its two tokens.
        encoder = WordPieceEncoder(data);
        opening = data.bos_id;
        closing = data.sep_id;
    } else {
        HONE_TRY(auto words, WordEncoder::create(data));
        spelling = words.spelling();
        choose_frame(data, words.adds_bos_by_default(), false);
        // Published Gemma 4 files say no, wrongly.
        if (spelling == TokenSpelling::characters && words.adds_bos_by_default()) {
            opening = data.bos_id;
        }
        encoder = std::move(words);
    }
    return {};
}

void Tokenizer::Tables::choose_frame(const VocabularyData& data, bool adds_bos, bool adds_eos) {
    if (data.add_bos.value_or(adds_bos)) opening = data.bos_id;
    if (data.add_eos.value_or(adds_eos)) closing = data.eos_id;
}

void Tokenizer::Tables::encode_text(std::string_view bytes, bool after_special, Scratch& scratch,
                                    std::vector<int32_t>& out) const {
    if (const auto* words = std::get_if<WordEncoder>(&encoder)) {
        return words->encode(bytes, scratch.words, out);
    }
    if (const auto* unigram = std::get_if<UnigramEncoder>(&encoder)) {
        return unigram->encode(bytes, data.tokens, scratch.unigram, out);
    }
    if (const auto* word_piece = std::get_if<WordPieceEncoder>(&encoder)) {
        return word_piece->encode(bytes, data.tokens, scratch.word_piece_steps, out);
    }
    std::string text = adds_space && after_special ? " " : "";
    text += bytes;
    std::get<SentencePieceMerger>(encoder).encode(mark_spaces(text), index, scratch.pieces, out);
}

std::vector<int32_t> Tokenizer::encode(std::string_view bytes, EncodeOptions options) const {
    // Each bad byte can grow to the three bytes of U+FFFD; offsets have 32 bits.
    HONE_CHECK_LE(bytes.size(), kTextBytesMax);
    std::vector<int32_t> out;
    if (options.add_bos && tables_->opening >= 0) out.push_back(tables_->opening);
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
    if (options.add_bos && tables_->closing >= 0) out.push_back(tables_->closing);
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
    return tables_->opening >= 0;
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
