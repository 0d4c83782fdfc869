// A made-up but valid byte-level BPE vocabulary of any size, for synthetic models.
//
// Three control tokens, the 256 byte tokens (spelled as GPT-2 does: Radford et al. 2019), then
// merges that build lower-case words letter by letter, the most frequent English letters first. So
// any bytes can be tokenized, and English text falls into tokens of two to four letters. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"

namespace hone::models {

struct SynthVocabulary {
    std::vector<std::string> tokens;  // [n_vocab]
    std::vector<int32_t> types;       // [n_vocab], numbers of text::TokenType
    std::vector<std::string> merges;  // [n_vocab - kSynthVocabularyMin], the best first
    uint32_t bos_id = 0;
    uint32_t eos_id = 0;
    uint32_t unknown_id = 0;
    std::string chat_template;
};

inline constexpr uint32_t kSynthVocabularyMin = 3 + 256;
inline constexpr uint32_t kSynthVocabularyMax = 400000;

// Errors: invalid_argument (n_vocab outside the bounds above).
base::Result<SynthVocabulary> make_synth_vocabulary(uint32_t n_vocab);

}  // namespace hone::models
