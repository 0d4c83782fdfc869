#include "probe/synthetic_prompt.h"

#include <algorithm>
#include <iterator>
#include <string_view>

#include "base/random.h"

namespace hone::probe {
namespace {

constexpr std::string_view kWords[] = {
    " the",   " river", " of",     " light", " was",    " a",      " house",  " and",
    " in",    " time",  " people", " water", " found",  " long",   " after",  " small",
    " where", " road",  " work",   " could", " night",  " before", " number", " open",
    " under", " story", " again",  " green", " letter", " hand",   " while",  " every"};
// Short pieces that add a single token in most vocabularies.
constexpr std::string_view kFillers[] = {" a", " the", ".", ",", "a", "e", "1", " ", "\n"};

int count_tokens(const text::Tokenizer& tokenizer, const std::string& text) {
    return static_cast<int>(tokenizer.encode(text).size());
}

}  // namespace

SyntheticPrompt make_prompt(const text::Tokenizer& tokenizer, int tokens, uint64_t seed) {
    base::Random random(seed);
    SyntheticPrompt prompt;
    prompt.tokens = count_tokens(tokenizer, prompt.text);
    // A word is at least one token in nearly all cases; where a chunk goes too far, smaller ones
    // follow.
    int chunk = std::max(1, tokens - prompt.tokens);
    while (prompt.tokens < tokens) {
        std::string longer = prompt.text;
        for (int i = 0; i < chunk; ++i) longer += kWords[random.next_below(std::size(kWords))];
        const int count = count_tokens(tokenizer, longer);
        if (count <= tokens && count > prompt.tokens) {
            prompt.text = std::move(longer);
            prompt.tokens = count;
            chunk = std::max(1, std::min(chunk, tokens - count));
        } else if (chunk == 1) {
            break;
        } else {
            chunk /= 2;
        }
    }
    while (prompt.tokens < tokens) {
        const auto adds_one = [&](std::string_view filler) {
            return count_tokens(tokenizer, prompt.text + std::string(filler)) == prompt.tokens + 1;
        };
        const auto* filler = std::find_if(std::begin(kFillers), std::end(kFillers), adds_one);
        if (filler == std::end(kFillers)) break;
        prompt.text += *filler;
        prompt.tokens += 1;
    }
    return prompt;
}

}  // namespace hone::probe
