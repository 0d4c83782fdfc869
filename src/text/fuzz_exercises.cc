#include "text/fuzz_exercises.h"

#include <array>

#include "base/check.h"
#include "base/json.h"
#include "text/chat_template.h"
#include "text/detokenizer.h"
#include "text/sentence_piece_merger.h"
#include "text/small_vocabulary.h"
#include "text/tokenizer.h"
#include "text/utf8.h"

namespace hone::text {

namespace {

constexpr std::array<const char*, 16> kPreTokenizers = {
    "default",      "gpt-2",       "smollm", "llama-bpe", "qwen2",    "qwen35",
    "gpt-4o",       "tekken",      "falcon", "kimi-k2",   "tiny_aya", "youtu",
    "deepseek-llm", "deepseek-v3", "bloom",  "exaone-moe"};

void check_encoding(const Tokenizer& tokenizer, std::string_view text, bool parse_special) {
    const auto ids = tokenizer.encode(text, {.parse_special = parse_special, .add_bos = false});
    for (const int32_t id : ids) {
        HONE_CHECK_GE(id, 0);
        HONE_CHECK_LT(id, tokenizer.vocab_size());
    }
    StreamingDetokenizer stream(tokenizer, true);
    std::string streamed;
    for (const int32_t id : ids) streamed += stream.push(id);
    streamed += stream.flush();
    HONE_CHECK(streamed == sanitize_utf8(tokenizer.decode(ids, true)));
}

// Every byte is a token of the small vocabulary, so no text may get lost in it.
void check_round_trip(const Tokenizer& tokenizer, std::string_view text) {
    std::string expected;
    for (std::string_view rest = text; !rest.empty();) {
        const DecodedCodePoint next = decode_lenient(rest);
        append_utf8(expected, next.code_point);
        rest.remove_prefix(next.size_bytes);
    }
    const auto ids = tokenizer.encode(text, {.add_bos = false});
    HONE_CHECK(tokenizer.decode(ids, true) == expected);
}

// Lines of the bytes as tokens and merges, by turns; types from their first characters.
VocabularyData foreign_vocabulary(std::string_view bytes, const char* pre) {
    VocabularyData data = small_vocabulary(pre);
    size_t line = 0;
    while (!bytes.empty()) {
        const size_t size = std::min(bytes.find('\n'), bytes.size());
        const std::string text(bytes.substr(0, size));
        if (line % 2 == 0) {
            data.tokens.push_back(text);
            data.types.push_back(text.empty() ? 1 : static_cast<unsigned char>(text[0]) % 8);
        } else {
            data.merges.push_back(text);
        }
        ++line;
        bytes.remove_prefix(std::min(size + 1, bytes.size()));
    }
    return data;
}

// Every byte is a token here too, and no byte is replaced: what comes out is what went in.
void exercise_sentence_pieces(std::string_view text) {
    VocabularyData data = small_sentence_pieces();
    data.add_space_prefix = false;
    const Tokenizer tokenizer = *Tokenizer::create(std::move(data));
    check_encoding(tokenizer, text, false);
    check_encoding(tokenizer, text, true);
    const auto ids = tokenizer.encode(text, {.add_bos = false});
    HONE_CHECK(unmark_spaces(tokenizer.decode(ids, true)) == unmark_spaces(text));
}

// The first half a normalizer, if asked for, the rest a text for it and for WordPiece.
void exercise_other_kinds(std::string_view bytes, bool foreign_normalizer) {
    VocabularyData data = small_unigram();
    size_t begin = 0;
    if (foreign_normalizer) {
        begin = bytes.size() / 2;
        data.charsmap = bytes.substr(0, begin);
    }
    const std::string_view text = bytes.substr(begin);
    const auto unigram = Tokenizer::create(std::move(data));
    if (unigram) {
        check_encoding(*unigram, text, false);
        check_encoding(*unigram, text, true);
    } else {
        HONE_CHECK(foreign_normalizer);
    }
    const Tokenizer word_pieces = *Tokenizer::create(small_word_pieces());
    check_encoding(word_pieces, text, true);
}

}  // namespace

void exercise_tokenizer(std::string_view bytes) {
    if (bytes.empty()) return;
    const auto choice = static_cast<unsigned char>(bytes[0]);
    const char* pre = kPreTokenizers[choice % kPreTokenizers.size()];
    const std::string_view text = bytes.substr(1);
    if ((choice & 0xE0) == 0x40) return exercise_sentence_pieces(text);
    if ((choice & 0xE0) == 0x60) return exercise_other_kinds(text, (choice & 1) != 0);
    const bool foreign = (choice & 0x80) != 0;
    const auto tokenizer =
        Tokenizer::create(foreign ? foreign_vocabulary(text, pre) : small_vocabulary(pre));
    if (!tokenizer) {
        HONE_CHECK(foreign);
        return;
    }
    check_encoding(*tokenizer, text, false);
    check_encoding(*tokenizer, text, true);
    if (!foreign) check_round_trip(*tokenizer, text);
}

void exercise_chat_template(std::string_view bytes) {
    const auto parsed = ChatTemplate::parse(bytes);
    if (!parsed) {
        HONE_CHECK(!parsed.error().message.empty());
        return;
    }
    ChatInput input;
    input.messages = {{"system", "Be brief.", {}}, {"user", "Hi \u4F60", {}}};
    input.bos_token = "<s>";
    input.eos_token = "</s>";
    input.extra = base::Json{{"tools", base::Json::array({{{"name", "f"}}})}};
    input.now = std::tm{};
    const TemplateLimits limits{.steps_max = 20'000, .output_bytes_max = size_t{64} << 10};
    const auto text = parsed->render(input, limits);
    if (text) HONE_CHECK_LE(text->size(), limits.output_bytes_max);
}

}  // namespace hone::text
