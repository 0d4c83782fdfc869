#include "models/synth_vocabulary.h"

#include <string_view>

#include "text/vocabulary.h"

namespace hone::models {

namespace {

constexpr std::string_view kLetters = "etaoinshrdlucmfwypvbgkjqxz";
// The byte-level spelling of a space (U+0120).
constexpr std::string_view kSpace = "\xc4\xa0";

constexpr std::string_view kChatTemplate =
    "{% for message in messages %}{{'<|im_start|>' + message['role'] + '\\n' + message['content'] "
    "+ '<|im_end|>' + '\\n'}}{% endfor %}{% if add_generation_prompt %}"
    "{{ '<|im_start|>assistant\\n' }}{% endif %}";

std::string utf8(uint32_t code_point) {
    if (code_point < 0x80) return std::string(1, static_cast<char>(code_point));
    return {static_cast<char>(0xc0 | code_point >> 6), static_cast<char>(0x80 | (code_point & 63))};
}

// GPT-2's alphabet: visible Latin-1 characters stand for themselves, the other bytes, in order, for
// the code points from 256 on.
std::vector<std::string> byte_tokens() {
    std::vector<std::string> tokens;
    uint32_t next = 256;
    for (uint32_t byte = 0; byte < 256; ++byte) {
        const bool visible = (byte >= 0x21 && byte <= 0x7e) || (byte >= 0xa1 && byte != 0xad);
        tokens.push_back(utf8(visible ? byte : next++));
    }
    return tokens;
}

}  // namespace

base::Result<SynthVocabulary> make_synth_vocabulary(uint32_t n_vocab) {
    if (n_vocab < kSynthVocabularyMin || n_vocab > kSynthVocabularyMax) {
        return base::fail(base::ErrorCode::invalid_argument,
                          "a vocabulary of {} tokens, must be {} to {}", n_vocab,
                          kSynthVocabularyMin, kSynthVocabularyMax);
    }
    SynthVocabulary vocabulary;
    vocabulary.tokens = {"<|endoftext|>", "<|im_start|>", "<|im_end|>"};
    vocabulary.types.assign(3, static_cast<int32_t>(text::TokenType::control));
    vocabulary.unknown_id = 0;
    vocabulary.bos_id = 1;
    vocabulary.eos_id = 2;
    vocabulary.chat_template = kChatTemplate;
    for (std::string& token : byte_tokens()) vocabulary.tokens.push_back(std::move(token));

    // Words grow breadth first: each stem of the last generation takes every letter in turn. A word
    // has one way to be built, so no two merges give the same token.
    std::vector<std::string> stems{std::string(kSpace)};
    for (char letter : kLetters) stems.emplace_back(1, letter);
    for (size_t i = 0; vocabulary.tokens.size() < n_vocab; ++i) {
        const std::string stem = stems[i];
        for (size_t j = 0; j < kLetters.size() && vocabulary.tokens.size() < n_vocab; ++j) {
            const std::string_view letter = kLetters.substr(j, 1);
            vocabulary.merges.push_back(stem + " " + std::string(letter));
            stems.push_back(stem + std::string(letter));
            vocabulary.tokens.push_back(stems.back());
        }
    }
    vocabulary.types.resize(n_vocab, static_cast<int32_t>(text::TokenType::normal));
    return vocabulary;
}

}  // namespace hone::models
