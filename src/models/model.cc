#include "models/model.h"

#include <algorithm>

#include "base/text.h"
#include "models/architecture.h"

namespace hone::models {
namespace {

using base::ErrorCode;
using base::fail;

// A token id from the metadata; -1 when absent or outside the vocabulary.
int32_t token_id(const formats::GgufFile& file, const char* key, size_t vocab) {
    const auto id = file.get_u64(key);
    return id && *id < vocab ? static_cast<int32_t>(*id) : -1;
}

std::optional<bool> flag(const formats::GgufFile& file, const char* key) {
    const auto value = file.get_bool(key);
    return value ? std::optional<bool>(*value) : std::nullopt;
}

base::Result<std::vector<std::string>> strings(const formats::GgufFile& file, const char* key) {
    HONE_TRY(const std::vector<std::string_view> views, file.get_strings(key));
    return std::vector<std::string>(views.begin(), views.end());
}

}  // namespace

base::Result<std::unique_ptr<Model>> Model::open(const std::string& path) {
    HONE_TRY(formats::GgufFile file, formats::GgufFile::open(path));
    auto model = std::unique_ptr<Model>(new Model());
    model->file_ = std::make_unique<formats::GgufFile>(std::move(file));
    const formats::GgufFile& gguf = *model->file_;
    HONE_TRY(const std::string_view architecture, gguf.get_string("general.architecture"));
    const auto found = find_architecture(architecture);
    if (!found) return fail(found.error().code, "{}: {}", path, found.error().message);
    model->architecture_ = *found;
    HONE_TRY(model->config_, model->architecture_->read_config(gguf));
    HONE_TRY_STATUS(
        check_tensors(gguf, model->config_, model->architecture_->tensors(model->config_)));
    model->path_ = path;
    model->file_bytes_ = gguf.size_bytes();
    for (const formats::GgufTensor& tensor : gguf.tensors()) {
        model->parameters_ += tensor.elements();
        model->bytes_by_dtype_[tensor.type_name] += tensor.bytes;
    }
    return model;
}

base::Result<text::VocabularyData> Model::vocabulary() const {
    const formats::GgufFile& file = *file_;
    text::VocabularyData data;
    HONE_TRY(const std::string_view kind, file.get_string("tokenizer.ggml.model"));
    data.model = kind;
    HONE_TRY(const std::string_view pre, file.get_string_or("tokenizer.ggml.pre", "default"));
    data.pre = pre;
    HONE_TRY(data.tokens, strings(file, "tokenizer.ggml.tokens"));
    if (data.tokens.size() != config_.n_vocab) {
        return fail(ErrorCode::corrupt, "{}: {} tokens for an embedding of {} rows", path_,
                    data.tokens.size(), config_.n_vocab);
    }
    if (file.find("tokenizer.ggml.scores") != nullptr) {
        HONE_TRY(data.scores, file.get_f32s("tokenizer.ggml.scores"));
    }
    if (file.find("tokenizer.ggml.token_type") != nullptr) {
        HONE_TRY(const std::vector<int64_t> types, file.get_i64s("tokenizer.ggml.token_type"));
        data.types.assign(types.begin(), types.end());
    }
    if (file.find("tokenizer.ggml.merges") != nullptr) {
        HONE_TRY(data.merges, strings(file, "tokenizer.ggml.merges"));
    }
    const size_t vocab = data.tokens.size();
    data.bos_id = token_id(file, "tokenizer.ggml.bos_token_id", vocab);
    data.eos_id = token_id(file, "tokenizer.ggml.eos_token_id", vocab);
    data.eot_id = token_id(file, "tokenizer.ggml.eot_token_id", vocab);
    data.unk_id = token_id(file, "tokenizer.ggml.unknown_token_id", vocab);
    data.pad_id = token_id(file, "tokenizer.ggml.padding_token_id", vocab);
    data.add_bos = flag(file, "tokenizer.ggml.add_bos_token");
    data.add_eos = flag(file, "tokenizer.ggml.add_eos_token");
    data.add_space_prefix = flag(file, "tokenizer.ggml.add_space_prefix");
    HONE_TRY(const std::string_view chat, file.get_string_or("tokenizer.chat_template", ""));
    data.chat_template = chat;
    return data;
}

base::Result<graph::Graph> Model::build_graph(uint32_t context) const {
    if (context == 0 || context > config_.context_max) {
        return fail(ErrorCode::invalid_argument, "{}: a context of {} is outside [1, {}]", path_,
                    context, config_.context_max);
    }
    graph::Graph graph = architecture_->build(*file_, config_, context);
    HONE_TRY_STATUS(graph::verify(graph));
    return graph;
}

base::Result<tensor::TensorView> Model::tensor(const std::string& name) const {
    return file_->tensor(name);
}

void Model::release(const std::string& name) const {
    const formats::GgufTensor* tensor = file_->find_tensor(name);
    if (tensor != nullptr) file_->release(*tensor);
}

}  // namespace hone::models
