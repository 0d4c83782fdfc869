// VocabularyData: a vocabulary as plain data, on its way from a model file to a Tokenizer.
//
// A reader of a file format fills it; Tokenizer::create checks it with check_vocabulary. It is not
// checked itself and knows no file format. Plain value; no thread rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hone::text {

// The kinds of token a model file distinguishes; the numbers are those of
// tokenizer.ggml.token_type.
enum class TokenType : int32_t {
    undefined = 0,
    normal = 1,
    unknown = 2,
    control = 3,
    user_defined = 4,
    unused = 5,
    byte = 6,
};

inline constexpr size_t kTokenCountMax = size_t{1} << 22;
inline constexpr size_t kMergeCountMax = size_t{1} << 22;
inline constexpr size_t kTokenBytesMax = size_t{16} << 10;

struct VocabularyData {
    // "gpt2" and "gemma4": BPE; "llama": SentencePiece BPE; "t5": SentencePiece unigram; "bert":
    // WordPiece
    std::string model;
    std::string pre;           // of BPE, the pre-tokenizer by name: "smollm", "llama-bpe", ...
    std::string name;          // of the model file; some families are known by it alone
    std::string architecture;  // likewise
    std::vector<std::string> tokens;  // [vocab_size] as stored, byte-level BPE spelling
    std::vector<float> scores;        // [vocab_size] or empty
    std::vector<int32_t> types;       // [vocab_size] TokenType, or empty: all normal
    std::vector<std::string> merges;  // "left right", the best merge first
    std::string charsmap;             // of unigram: SentencePiece's compiled normalizer, or empty
    int32_t bos_id = -1;              // -1: none, for all six
    int32_t eos_id = -1;
    int32_t eot_id = -1;
    int32_t unk_id = -1;
    int32_t pad_id = -1;
    int32_t sep_id = -1;          // ends a text of WordPiece, where BOS is the classification token
    std::optional<bool> add_bos;  // empty: the file does not say, the pre-tokenizer's default holds
    std::optional<bool> add_eos;
    std::optional<bool> add_space_prefix;
    std::optional<bool> remove_extra_spaces;  // unigram
    std::optional<bool> lowercase;            // WordPiece
    std::optional<bool> strip_accents;        // WordPiece; empty: as lowercase
    std::string chat_template;                // Jinja source, or empty
};

// The byte of a token spelled "<0xNN>", with two hexadecimal digits in any case; nothing else, no
// sign and no third digit, is one.
std::optional<int> parse_byte_token(std::string_view text);

// What a file may not get wrong: sizes that belong together, ids in range, limits. unsupported: a
// tokenizer model Hone does not have; corrupt, exhausted: see Tokenizer::create.
base::Status check_vocabulary(const VocabularyData& data);

}  // namespace hone::text
