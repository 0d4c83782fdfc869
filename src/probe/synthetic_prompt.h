// Texts of an exact token count, made of common words in random order.
//
// Real requests start from text, so that tokenization is in their time; equal seeds give equal
// texts on every machine, different seeds share no prefix worth caching. Means nothing; not for
// quality. Pure functions.
#pragma once

#include <cstdint>
#include <string>

#include "text/tokenizer.h"

namespace hone::probe {

struct SyntheticPrompt {
    std::string text;
    int tokens = 0;  // what the tokenizer makes of it, BOS included where the model wants one
};

// As many tokens as asked for, or the nearest count below that this vocabulary allows.
SyntheticPrompt make_prompt(const text::Tokenizer& tokenizer, int tokens, uint64_t seed);

}  // namespace hone::probe
