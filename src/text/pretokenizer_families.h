// The pre-tokenizers of the GGUF world as data: names, patterns, sets of code points.
//
// Each family is a list of stages that run one after another over the pieces the last one left. A
// pattern sees one byte per code point: ASCII as it is, any other code point as a byte that holds
// its Unicode class and which of the family's sets (at most four) it is in; the macros below stand
// for such bytes. The patterns are those the models were trained with, as far as classes go:
// llama.cpp, whose names these are, tells letters by case only in ASCII, and so does this table.
// Plain constants; no thread rule.
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace hone::text {

struct CodePointRange {
    uint32_t first;
    uint32_t last;
};

using CodePointSet = std::span<const CodePointRange>;  // ascending and disjoint
bool contains(CodePointSet set, uint32_t code_point);

struct PretokenizerStage {
    enum class Kind : uint8_t { pattern, digits_from_right };
    Kind kind;
    // Macros, inside [...] only: <L> <N> <M> <P> <S> <W> letters, numbers, marks, punctuation,
    // symbols, white space; <O> letters beyond ASCII; <1> to <4> the members of the family's sets
    // beyond ASCII, without white space; <l> letters outside the first set.
    std::string_view pattern;
};

// How the spelling of tokens relates to text.
enum class TokenSpelling : uint8_t {
    bytes,       // GPT-2's: a visible character for each byte
    characters,  // the text itself, with U+2581 for a space, and <0xNN> for what has no token
};

struct PretokenizerFamily {
    std::string_view names;  // separated and framed by spaces
    std::span<const PretokenizerStage> stages;
    std::span<const CodePointSet> sets;
    bool ignores_merges = false;       // whole words that are tokens are taken without merging
    bool adds_bos_by_default = false;  // what tokenizer.ggml.add_bos_token defaults to
    TokenSpelling spelling = TokenSpelling::bytes;
};

std::span<const PretokenizerFamily> pretokenizer_families();

// The letters of upper, lower and title case beyond ASCII that DeepSeek's first pre-tokenizer
// lists: a part of Unicode 11's, without Armenian small, Georgian and Latin letters that came late.
extern const std::array<CodePointRange, 85> kDeepseekCasedLetters;

}  // namespace hone::text
