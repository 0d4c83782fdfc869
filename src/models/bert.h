// BERT (Devlin et al. 2019) and what is built like it: an encoder, which turns a text into values
// of each of its tokens. Pure; any thread.
#pragma once

#include <vector>

#include "models/architecture.h"

namespace hone::models {

base::Result<ModelConfig> read_bert_config(const formats::GgufFile& file);
std::vector<ExpectedTensor> bert_tensors(const ModelConfig& config);
graph::Graph build_bert_graph(const formats::GgufFile& file, const ModelConfig& config,
                              uint32_t context);

}  // namespace hone::models
