#include "models/architecture.h"

#include <array>
#include <set>

#include "base/text.h"
#include "models/bert.h"
#include "models/gemma2.h"
#include "models/gemma3.h"
#include "models/llama.h"
#include "models/phi3.h"
#include "models/qwen2.h"
#include "models/qwen3.h"
#include "models/qwen3moe.h"
#include "models/stablelm.h"

namespace hone::models {
namespace {

using base::ErrorCode;
using base::fail;
using formats::GgufFile;

constexpr Architecture kArchitectures[] = {
    {"bert", read_bert_config, bert_tensors, build_bert_graph},
    {"gemma2", read_gemma2_config, gemma2_tensors, build_gemma2_graph},
    // Blocks are Gemma 2's; the metadata differs, norms of heads and all.
    {"gemma3", read_gemma3_config, gemma2_tensors, build_gemma2_graph},
    {"llama", read_llama_config, llama_tensors, build_llama_graph},
    {"phi3", read_phi3_config, phi3_tensors, build_phi3_graph},
    // Blocks are Llama's; the metadata differs, biases and norms of heads with it.
    {"qwen2", read_qwen2_config, llama_tensors, build_llama_graph},
    {"qwen3", read_qwen3_config, llama_tensors, build_llama_graph},
    {"qwen3moe", read_qwen3moe_config, qwen3moe_tensors, build_qwen3moe_graph},
    {"stablelm", read_stablelm_config, stablelm_tensors, build_stablelm_graph},
};

base::Status check_tensor(const GgufFile& file, const ExpectedTensor& expected) {
    const formats::GgufTensor* tensor = file.find_tensor(expected.name);
    if (tensor == nullptr) {
        return fail(ErrorCode::corrupt, "{}: tensor '{}' is missing", file.name(), expected.name);
    }
    HONE_TRY(const tensor::TensorView view, file.tensor(expected.name));
    if (view.dims != std::array{expected.columns, expected.rows, expected.experts, uint64_t{1}}) {
        return fail(ErrorCode::corrupt, "{}: tensor '{}' is {} x {}, expected {} x {}", file.name(),
                    expected.name, view.rows(), view.columns(), expected.rows * expected.experts,
                    expected.columns);
    }
    // Frequencies are read as they are.
    if (expected.name.starts_with("rope_f") && view.dtype != tensor::DType::f32) {
        return fail(ErrorCode::unsupported, "{}: {} is not F32", file.name(), expected.name);
    }
    return {};
}

}  // namespace

std::span<const Architecture> architectures() {
    return kArchitectures;
}

std::string architecture_names() {
    std::string names;
    for (const Architecture& architecture : kArchitectures) {
        names += (names.empty() ? "" : ", ") + std::string(architecture.name);
    }
    return names;
}

base::Result<const Architecture*> find_architecture(std::string_view name) {
    for (const Architecture& architecture : kArchitectures) {
        if (architecture.name == name) return &architecture;
    }
    return fail(ErrorCode::unsupported, "architecture '{}' is not supported; supported: {}",
                base::printable(name), architecture_names());
}

base::Status check_tensors(const GgufFile& file, const ModelConfig& config,
                           const std::vector<ExpectedTensor>& expected) {
    for (const ExpectedTensor& tensor : expected) HONE_TRY_STATUS(check_tensor(file, tensor));
    if (expected.size() == file.tensors().size()) return {};
    std::set<std::string_view> known;
    for (const ExpectedTensor& tensor : expected) known.insert(tensor.name);
    for (const formats::GgufTensor& tensor : file.tensors()) {
        if (known.contains(tensor.name)) continue;
        return fail(ErrorCode::unsupported,
                    "{}: tensor '{}' has no place in a plain {} of this shape: biases or adapters "
                    "are not supported",
                    file.name(), base::printable(tensor.name), config.architecture);
    }
    return {};
}

}  // namespace hone::models
