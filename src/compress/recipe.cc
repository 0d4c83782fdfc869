#include "compress/recipe.h"

#include <algorithm>
#include <map>

#include "base/text.h"
#include "compress/encode.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

using base::ErrorCode;
using base::fail;
using tensor::DType;

constexpr std::string_view kEmbedding = "token_embd.weight";
constexpr std::string_view kOutput = "output.weight";
constexpr std::string_view kOutputNorm = "output_norm.weight";
// Below this many bits per weight the head's own type takes over.
constexpr double kHeadBits = 6.0;

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

struct Wanted {
    DType type;
    Reason reason;
};

Wanted wanted_type(const formats::GgufTensor& tensor, const RecipeSpec& spec, bool tied) {
    for (const TypeOverride& item : spec.overrides) {
        if (matches_pattern(item.pattern, tensor.name)) return {item.type, Reason::chosen};
    }
    if (!is_quantizable(tensor)) return {*tensor.dtype, Reason::kept};
    const bool embedding = tensor.name == kEmbedding;
    const bool output = tensor.name == kOutput || (embedding && tied);
    if (embedding && spec.embedding_type) return {*spec.embedding_type, Reason::embedding};
    if (output && spec.output_type) return {*spec.output_type, Reason::output};
    if (output && !spec.pure && bits_of(spec.type) < kHeadBits) {
        return {DType::q6_k, Reason::output};
    }
    return {spec.type, Reason::type};
}

base::Status check_patterns(const formats::GgufFile& file, const RecipeSpec& spec) {
    for (const TypeOverride& item : spec.overrides) {
        const bool found = std::any_of(
            file.tensors().begin(), file.tensors().end(),
            [&](const auto& tensor) { return matches_pattern(item.pattern, tensor.name); });
        if (!found) {
            return fail(ErrorCode::invalid_argument, "no tensor of {} is called '{}'", file.name(),
                        base::printable(item.pattern));
        }
    }
    return {};
}

}  // namespace

double bits_of(DType type) {
    return 8.0 * tensor::block_bytes(type) / tensor::block_elements(type);
}

std::string_view reason_name(Reason reason) {
    switch (reason) {
        case Reason::type:
            return "type";
        case Reason::kept:
            return "kept";
        case Reason::embedding:
            return "embedding";
        case Reason::output:
            return "output";
        case Reason::chosen:
            return "chosen";
        case Reason::fallback:
            return "fallback";
    }
    return "";
}

uint64_t Recipe::bytes() const {
    uint64_t sum = 0;
    for (const TensorChoice& tensor : tensors) sum += tensor.bytes;
    return sum;
}

uint64_t Recipe::elements() const {
    uint64_t sum = 0;
    for (const TensorChoice& tensor : tensors) sum += tensor.elements();
    return sum;
}

double Recipe::bits_per_weight() const {
    return 8.0 * static_cast<double>(bytes()) / static_cast<double>(elements());
}

DType Recipe::main_type() const {
    std::map<DType, uint64_t> elements;
    for (const TensorChoice& tensor : tensors) {
        if (tensor.reason != Reason::kept) elements[tensor.to] += tensor.elements();
    }
    const auto most = std::max_element(elements.begin(), elements.end(),
                                       [](auto& a, auto& b) { return a.second < b.second; });
    return most == elements.end() ? DType::f32 : most->first;
}

base::Result<Recipe> make_recipe(const formats::GgufFile& file, const RecipeSpec& spec) {
    HONE_TRY_STATUS(check_patterns(file, spec));
    // An encoder has no head.
    const bool tied =
        file.find_tensor(kOutput) == nullptr && file.find_tensor(kOutputNorm) != nullptr;
    Recipe recipe;
    for (const formats::GgufTensor& tensor : file.tensors()) {
        if (!tensor.dtype) {
            return fail(ErrorCode::unsupported, "{}: tensor '{}' is {}, which cannot be read",
                        file.name(), base::printable(tensor.name), tensor.type_name);
        }
        const Wanted wanted = wanted_type(tensor, spec, tied);
        TensorChoice choice;
        choice.name = tensor.name;
        choice.from = *tensor.dtype;
        choice.columns = tensor.dims[0];
        choice.rows = tensor.elements() / tensor.dims[0];
        choice.reason = wanted.reason;
        choice.to = wanted.type;
        if (wanted.reason != Reason::kept) {
            if (!can_encode(wanted.type)) {
                return fail(ErrorCode::unsupported, "{} is not a type that can be written",
                            tensor::name(wanted.type));
            }
            choice.to = tensor::fitting_type(wanted.type, choice.columns);
            if (choice.to != wanted.type) choice.reason = Reason::fallback;
        }
        choice.bytes = *tensor::row_bytes(choice.to, choice.columns) * choice.rows;
        recipe.tensors.push_back(std::move(choice));
    }
    return recipe;
}

bool is_quantizable(const formats::GgufTensor& tensor) {
    return tensor.rank >= 2 && tensor.dtype != DType::i32 && ends_with(tensor.name, ".weight") &&
           !ends_with(tensor.name, "_norm.weight") &&
           !ends_with(tensor.name, "ffn_gate_inp.weight") && tensor.name != "token_types.weight" &&
           tensor.name != "position_embd.weight";
}

bool matches_pattern(std::string_view pattern, std::string_view text) {
    // The usual two pointers: on a mismatch the last * takes one character more.
    size_t p = 0, t = 0, star = std::string_view::npos, after_star = 0;
    while (t < text.size()) {
        if (p < pattern.size() && pattern[p] == '*') {
            star = p++;
            after_star = t;
        } else if (p < pattern.size() && (pattern[p] == '?' || pattern[p] == text[t])) {
            ++p;
            ++t;
        } else if (star != std::string_view::npos) {
            p = star + 1;
            t = ++after_star;
        } else {
            return false;
        }
    }
    while (p < pattern.size() && pattern[p] == '*') ++p;
    return p == pattern.size();
}

base::Result<TypeOverride> parse_override(std::string_view text) {
    const size_t equals = text.rfind('=');
    const auto type = equals == std::string_view::npos
                          ? std::nullopt
                          : tensor::parse_dtype(text.substr(equals + 1));
    if (!type || equals == 0) {
        return fail(ErrorCode::invalid_argument, "'{}': not PATTERN=TYPE", base::printable(text));
    }
    return TypeOverride{std::string(text.substr(0, equals)), *type};
}

uint32_t gguf_file_type(DType main_type) {
    switch (main_type) {
        case DType::f16:
            return 1;
        case DType::q4_0:
            return 2;
        case DType::q4_1:
            return 3;
        case DType::q8_0:
            return 7;
        case DType::q5_0:
            return 8;
        case DType::q5_1:
            return 9;
        case DType::q4_k:
            return 14;
        case DType::q5_k:
            return 16;
        case DType::q6_k:
            return 18;
        case DType::iq4_nl:
            return 25;
        case DType::bf16:
            return 32;
        default:
            return 0;  // all F32
    }
}

}  // namespace hone::compress
