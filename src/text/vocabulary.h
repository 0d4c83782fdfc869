// VocabularyData: a vocabulary as plain data, on its way from a model file to a Tokenizer.
//
// A reader of a file format fills it; Tokenizer::create checks it. It is not checked itself and
// knows no file format. Plain value; no thread rule.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

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

struct VocabularyData {
    std::string model;                // "gpt2": byte-level BPE; "llama": SentencePiece BPE
    std::string pre;                  // pre-tokenizer by name: "smollm", "llama-bpe", "qwen2", ...
    std::vector<std::string> tokens;  // [vocab_size] as stored, byte-level BPE spelling
    std::vector<float> scores;        // [vocab_size] or empty
    std::vector<int32_t> types;       // [vocab_size] TokenType, or empty: all normal
    std::vector<std::string> merges;  // "left right", the best merge first
    int32_t bos_id = -1;              // -1: none, for all five
    int32_t eos_id = -1;
    int32_t eot_id = -1;
    int32_t unk_id = -1;
    int32_t pad_id = -1;
    std::optional<bool> add_bos;  // empty: the file does not say, the pre-tokenizer's default holds
    std::optional<bool> add_eos;
    std::optional<bool> add_space_prefix;
    std::string chat_template;  // Jinja source, or empty
};

}  // namespace hone::text
