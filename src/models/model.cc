#include "models/model.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/text.h"
#include "models/architecture.h"
#include "models/checkpoint.h"
#include "models/gguf_vocabulary.h"
#include "models/model_key.h"

namespace hone::models {
namespace {

using base::ErrorCode;
using base::fail;

// A file that is there and lacks a key that it must have contradicts its format.
template <class T>
base::Result<T> complete(base::Result<T> result) {
    if (result || result.error().code != ErrorCode::not_found) return result;
    base::Error error = std::move(result).error();
    error.code = ErrorCode::corrupt;
    return tl::unexpected<base::Error>(std::move(error));
}

}  // namespace

base::Result<std::unique_ptr<Model>> Model::open(const std::string& path) {
    HONE_TRY(formats::GgufFile file, open_model_file(path));
    auto model = std::unique_ptr<Model>(new Model());
    model->file_ = std::make_unique<formats::GgufFile>(std::move(file));
    const formats::GgufFile& gguf = *model->file_;
    HONE_TRY(const std::string_view architecture,
             complete(gguf.get_string("general.architecture")));
    const auto found = find_architecture(architecture);
    if (!found) return fail(found.error().code, "{}: {}", path, found.error().message);
    model->architecture_ = *found;
    HONE_TRY(model->config_, complete(model->architecture_->read_config(gguf)));
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

base::Status Model::remove_layers(std::span<const uint32_t> layers) {
    std::vector<uint32_t> removed = config_.removed_layers;
    for (const uint32_t layer : layers) {
        if (layer >= config_.n_layers) {
            return fail(ErrorCode::invalid_argument,
                        "{}: there is no layer {} to leave out; layers are 0 to {}", path_, layer,
                        config_.n_layers - 1);
        }
        removed.push_back(layer);
    }
    std::sort(removed.begin(), removed.end());
    removed.erase(std::unique(removed.begin(), removed.end()), removed.end());
    if (removed.size() == config_.n_layers) {
        return fail(ErrorCode::invalid_argument, "{}: without all {} layers nothing is left", path_,
                    config_.n_layers);
    }
    config_.removed_layers = std::move(removed);
    for (LayerGroup& group : config_.groups) {
        std::erase_if(group.layers, [&](uint32_t layer) {
            return std::binary_search(config_.removed_layers.begin(), config_.removed_layers.end(),
                                      layer);
        });
    }
    std::erase_if(config_.groups, [](const LayerGroup& group) { return group.layers.empty(); });
    return {};
}

base::Result<text::VocabularyData> Model::vocabulary() const {
    HONE_TRY(text::VocabularyData data, complete(read_vocabulary(*file_)));
    if (data.tokens.size() != config_.n_vocab) {
        return fail(ErrorCode::corrupt, "{}: {} tokens for an embedding of {} rows", path_,
                    data.tokens.size(), config_.n_vocab);
    }
    return data;
}

std::string Model::identity() const {
    std::string text;
    for (const base::MappedFile* file : file_->maps()) {
        text += fmt::format("{} {} {} {}\n", file->bytes().size(), file->modified_ns(),
                            file->changed_ns(), model_key(file->bytes()));
    }
    // Of a directory, also the settings and the tokenizer.
    if (!file_->assembled_head().empty()) text += model_key(file_->assembled_head()) + "\n";
    return text;
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

void Model::release_all() const {
    for (const base::MappedFile* map : file_->maps()) map->release(0, map->bytes().size());
}

}  // namespace hone::models
