#include "text/small_vocabulary.h"

#include <fmt/format.h>

#include "text/utf8.h"

namespace hone::text {

VocabularyData small_vocabulary(const std::string& pre) {
    VocabularyData data;
    data.model = "gpt2";
    data.pre = pre;
    uint32_t next = 0x100;
    for (uint32_t byte = 0; byte < 256; ++byte) {
        const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
        data.tokens.emplace_back();
        append_utf8(data.tokens.back(), printable ? byte : next++);
    }
    const char* merged[] = {"he", "ll", "hell", "hello", "\u0120hello", "12", "\u00C3\u00A9"};
    data.tokens.insert(data.tokens.end(), std::begin(merged), std::end(merged));
    data.merges = {"h e", "l l", "he ll", "hell o", "\u0120 hello", "1 2", "\u00C3 \u00A9"};
    data.types.assign(data.tokens.size(), static_cast<int32_t>(TokenType::normal));
    for (const char* special : {"<|endoftext|>", "<|im_end|>"}) {
        data.tokens.emplace_back(special);
        data.types.push_back(static_cast<int32_t>(TokenType::control));
    }
    data.tokens.emplace_back("<tool>");
    data.types.push_back(static_cast<int32_t>(TokenType::user_defined));
    data.bos_id = kSmallEndOfText;
    data.eos_id = kSmallEndOfText;
    return data;
}

VocabularyData small_sentence_pieces() {
    VocabularyData data;
    data.model = "llama";
    data.tokens = {"<unk>", "<s>", "</s>"};
    data.types = {2, 3, 3};
    for (int byte = 0; byte < 256; ++byte) {
        data.tokens.push_back(fmt::format("<0x{:02X}>", byte));
        data.types.push_back(6);
    }
    for (const char* piece : {"\u2581", "a", "b", "c", "ab", "bc", "\u2581a", "\u2581ab"}) {
        data.tokens.emplace_back(piece);
        data.types.push_back(1);
    }
    data.scores.assign(data.tokens.size(), 0.0f);
    for (size_t i = 0; i < 4; ++i) {
        data.scores[static_cast<size_t>(kPieceAb) + i] = -1.0f - static_cast<float>(i);
    }
    data.bos_id = 1;
    data.eos_id = 2;
    data.unk_id = 0;
    return data;
}

VocabularyData small_unigram() {
    VocabularyData data = small_sentence_pieces();
    data.model = "t5";
    data.add_space_prefix = true;
    data.remove_extra_spaces = true;
    return data;
}

VocabularyData small_word_pieces() {
    VocabularyData data;
    data.model = "bert";
    data.tokens = {"[PAD]", "[UNK]", "[CLS]", "[SEP]", "\u2581a", "\u2581ab", "b", "ab", "\u2581!"};
    data.types = {3, 2, 3, 3, 1, 1, 1, 1, 1};
    data.bos_id = 2;
    data.sep_id = 3;
    data.unk_id = 1;
    return data;
}

}  // namespace hone::text
