// The kinds of model that a checkpoint can hold: what the fields of config.json and the names of
// weights mean in GGUF's terms. One line each in checkpoint_family.cc.
//
// Field and tensor names are those of transformers, keys and the names that tensors get those of
// llama.cpp's converter. Whether values lie within limits is for the architecture that reads the
// keys (models/architecture.h). Constant tables; any thread.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/gguf_assembly.h"
#include "formats/gguf_writer.h"
#include "models/checkpoint_json.h"

namespace hone::models {

// What becomes of a stored tensor.
struct TensorPlace {
    std::string name;         // empty: it is not needed
    uint32_t pair_heads = 0;  // rows of so many heads go from halves to adjacent pairs; 0: stay
};

struct CheckpointFamily {
    const char* model_type;    // config.json's
    const char* architecture;  // general.architecture
    bool encoder;              // its tokenizer is WordPiece, and texts become vectors
    // Adds the keys under "<architecture>.".
    base::Status (*write_keys)(const CheckpointFamily& family, const CheckpointJson& config,
                               formats::GgufWriter& out);
    // nullopt: a name that such a model does not have.
    std::optional<TensorPlace> (*place)(const CheckpointJson& config, std::string_view stored);
    // Tensors that the files do not have and GGUF wants.
    base::Status (*add_tensors)(const CheckpointJson& config,
                                std::vector<formats::AssembledTensor>& out);
};

// unsupported: names it and lists what is supported.
base::Result<const CheckpointFamily*> find_checkpoint_family(const CheckpointJson& config);
// "bert, llama, ..."
std::string checkpoint_families();

}  // namespace hone::models
