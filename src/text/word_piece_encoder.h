// WordPieceEncoder: BERT's tokenizer.
//
// A text is cleaned (controls go, accents and case where the model asks), cut at white space,
// around punctuation and around Chinese characters, and each word is covered from the left by the
// longest token that fits (Wu et al. 2016; Devlin et al. 2019; Hugging Face's tokenizers is the
// reference for behaviour, without its limit of 100 characters a word). A word that cannot be
// covered is one unknown token. Tokens that begin a word begin with U+2581 in model files, others
// with nothing. Work is linear in the text: at each token's place as many steps as the longest
// token has bytes, at most. Knows no special tokens. Const and thread-safe after create.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "text/prefix_index.h"
#include "text/vocabulary.h"

namespace hone::text {

class WordPieceEncoder {
  public:
    // data: checked in sizes by the caller.
    explicit WordPieceEncoder(const VocabularyData& data);

    // Appends the tokens of a text. tokens: the texts of the vocabulary. Adds the steps of walking
    // tokens to `steps`.
    void encode(std::string_view text, const std::vector<std::string>& tokens, size_t& steps,
                std::vector<int32_t>& out) const;

    // The words of a text, cleaned.
    std::vector<std::string> words(std::string_view text) const;

  private:
    void encode_word(const std::string& word, const std::vector<std::string>& tokens, size_t& steps,
                     std::vector<int32_t>& out) const;
    std::u32string clean(uint32_t code_point) const;

    PrefixIndex index_;
    int32_t unknown_;
    bool lowercase_;
    bool strips_accents_;
};

}  // namespace hone::text
