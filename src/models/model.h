// A loaded model: a model file turned into a vocabulary, a configuration and a graph.
//
// Opening reads metadata only; weights stay mapped until an executor packs them. Owns the mapped
// file. One file per architecture (models/architecture.h) knows names and hyperparameters; nothing
// else does. Thread rule: const after open
// and remove_layers().
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/gguf.h"
#include "graph/graph.h"
#include "graph/weight_source.h"
#include "models/config.h"
#include "tensor/dtype.h"
#include "text/vocabulary.h"

namespace hone::models {

struct Architecture;

class Model final : public graph::WeightSource {
  public:
    // unsupported (architecture, tensor type), corrupt (missing or mis-shaped tensors), ...
    static base::Result<std::unique_ptr<Model>> open(const std::string& path);

    // Leaves layers out of every graph that is built from now on, in addition to those that are out
    // already: what went into such a layer goes into the next. Numbers are those of the file's
    // tensors, from 0, in any order. invalid_argument: no such layer, or none would be left.
    base::Status remove_layers(std::span<const uint32_t> layers);

    const ModelConfig& config() const { return config_; }
    uint64_t file_bytes() const { return file_bytes_; }
    uint64_t parameters() const { return parameters_; }
    const std::map<std::string, uint64_t>& bytes_by_dtype() const { return bytes_by_dtype_; }
    const std::string& path() const { return path_; }
    // Which bytes these are, for what is kept from one load to the next: of each file the size, the
    // times of change when it was opened, and model_key().
    std::string identity() const;

    // The vocabulary for text::Tokenizer::create.
    base::Result<text::VocabularyData> vocabulary() const;
    // The unoptimized graph: one node per operator of the architecture's formulas, for at most
    // `context` positions (the size of the rotation table).
    base::Result<graph::Graph> build_graph(uint32_t context) const;

    base::Result<tensor::TensorView> tensor(const std::string& name) const override;
    void release(const std::string& name) const override;
    void release_all() const override;

  private:
    Model() = default;

    std::unique_ptr<formats::GgufFile> file_;
    const Architecture* architecture_ = nullptr;
    ModelConfig config_;
    std::string path_;
    uint64_t file_bytes_ = 0;
    uint64_t parameters_ = 0;
    std::map<std::string, uint64_t> bytes_by_dtype_;
};

}  // namespace hone::models
