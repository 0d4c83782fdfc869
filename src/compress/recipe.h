// Which type each tensor of a model gets: a value to be printed, stored or changed before anything
// is written.
//
// Rules, first match wins:
//   1. an override whose pattern matches the name (* any text, ? one character)
//   2. vectors (norms, biases) and the small matrices that choose experts keep their type
//   3. token_embd and output have their own types. Default: where the type has fewer than six bits,
//      the matrix that makes the logits (output, or token_embd when it is shared) gets Q6_K,
//      because its errors reach every token unsoftened, and it is read once per token
//   4. everything else gets the type
// A row that is not whole blocks falls back: Q4_K to Q5_0, Q5_K to Q5_1, Q6_K to Q8_0, and those
// with blocks of 32 to F16. A tensor that cannot be read is an error: nothing is copied blindly.
//
// Not the search for the best types (compress/allocate.h makes overrides). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/gguf.h"
#include "tensor/dtype.h"

namespace hone::compress {

struct TypeOverride {
    std::string pattern;
    tensor::DType type;
};

struct RecipeSpec {
    tensor::DType type = tensor::DType::q8_0;
    std::optional<tensor::DType> embedding_type;
    std::optional<tensor::DType> output_type;
    bool pure = false;  // rule 3 off: the embedding and the head are as everything else
    std::vector<TypeOverride> overrides;
};

enum class Reason : uint8_t { type, kept, embedding, output, chosen, fallback };
std::string_view reason_name(Reason reason);

struct TensorChoice {
    std::string name;
    tensor::DType from = tensor::DType::f32;
    tensor::DType to = tensor::DType::f32;
    uint64_t columns = 0;
    uint64_t rows = 0;
    uint64_t bytes = 0;  // in its new type
    Reason reason = Reason::type;

    uint64_t elements() const { return columns * rows; }
};

struct Recipe {
    std::vector<TensorChoice> tensors;  // in the order of the file

    uint64_t bytes() const;
    uint64_t elements() const;
    double bits_per_weight() const;
    // The matrix type that holds most elements: what the file is called after.
    tensor::DType main_type() const;
};

// Errors: unsupported (a tensor of a type that cannot be read; a type that cannot be written),
// invalid_argument (a pattern that matches no tensor).
base::Result<Recipe> make_recipe(const formats::GgufFile& file, const RecipeSpec& spec);

// A matrix whose values are weights of a product: what types are chosen for.
bool is_quantizable(const formats::GgufTensor& tensor);
bool matches_pattern(std::string_view pattern, std::string_view text);
// "Q4_K=..." of a command line: PATTERN=TYPE. invalid_argument.
base::Result<TypeOverride> parse_override(std::string_view text);

// Of an element, scales of its block included.
double bits_of(tensor::DType type);

// The number that GGUF files give for a file of that main type (general.file_type; the enumeration
// of llama.cpp's file types).
uint32_t gguf_file_type(tensor::DType main_type);

}  // namespace hone::compress
