// Tokenizer: text to token ids and back, for the vocabularies of model files: BPE, SentencePiece
// BPE and unigram, WordPiece.
//
// Special tokens are cut out first. BPE: invalid UTF-8 becomes U+FFFD byte by byte, the
// pre-tokenizer splits and byte-pair merging encodes each word. SentencePiece BPE: a space is put
// before a text that follows nothing or a special token (where the file does not say otherwise;
// decoding gives it back), and merging encodes the whole text; bad bytes become byte tokens. These
// two give exactly the ids llama.cpp gives for the same vocabulary, on any bytes. (Where llama.cpp
// itself aborts, on sequences beyond U+10FFFF, the same replacement is used.) Unigram and WordPiece
// give those of SentencePiece and of Hugging Face's tokenizers; docs/tokenizers.md says where
// llama.cpp differs. It is not a streaming decoder: see StreamingDetokenizer. Invariant: every id
// it returns is below vocab_size(). Copies share one immutable state; all methods are const and
// thread-safe.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "text/vocabulary.h"

namespace hone::text {

struct EncodeOptions {
    bool parse_special = false;  // texts of control tokens become those tokens
    bool add_bos = true;         // put BOS, EOS and the like where the model file asks for them
};

class Tokenizer {
  public:
    static constexpr size_t kTextBytesMax = size_t{256} << 20;

    // unsupported: a model or pre-tokenizer Hone does not have; corrupt: duplicate or contradicting
    // entries; exhausted: over a limit of vocabulary.h.
    static base::Result<Tokenizer> create(VocabularyData data);

    // Requires at most kTextBytesMax bytes. Time is O(n log n) in the longest word.
    std::vector<int32_t> encode(std::string_view bytes, EncodeOptions options = {}) const;

    // The raw bytes of one token, which may be a part of a UTF-8 sequence. Control and unknown
    // tokens are empty unless `special`. Requires 0 <= id < vocab_size().
    std::string decode_piece(int32_t id, bool special = false) const;
    std::string decode(std::span<const int32_t> ids, bool special = false) const;

    int32_t vocab_size() const;
    int32_t bos() const;  // -1: none, likewise below
    int32_t eos() const;
    int32_t pad() const;
    bool adds_bos() const;
    // EOS, EOT and the tokens known by their texts to end a turn in any model family.
    bool is_end_of_generation(int32_t id) const;
    // The text as stored in the file; requires 0 <= id < vocab_size().
    const std::string& token_text(int32_t id) const;
    // The id whose stored text is `text`, or nothing.
    std::optional<int32_t> find_token(std::string_view text) const;
    const std::string& chat_template() const;

  private:
    struct Tables;
    explicit Tokenizer(std::shared_ptr<const Tables> tables) : tables_(std::move(tables)) {}

    std::shared_ptr<const Tables> tables_;
};

}  // namespace hone::text
