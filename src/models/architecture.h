// The architectures that Hone runs: one line each in architecture.cc, one file each beside it.
//
// An architecture knows what its metadata means, which tensors it has, and its formulas as a graph;
// the rest of Hone knows none of the three. Constant tables; any thread.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/gguf.h"
#include "graph/graph.h"
#include "models/config.h"

namespace hone::models {

struct ExpectedTensor {
    std::string name;
    uint64_t columns = 0;
    uint64_t rows = 1;     // 1: a vector
    uint64_t experts = 1;  // matrices of this shape, one behind the other
};

struct Architecture {
    const char* name;  // general.architecture
    // Hyperparameters, all within limits; unsupported where the file asks for something Hone does
    // not do.
    base::Result<ModelConfig> (*read_config)(const formats::GgufFile& file);
    // Every tensor of such a model, the globals first, then layer by layer.
    std::vector<ExpectedTensor> (*tensors)(const ModelConfig& config);
    // One node per operator of the formulas, for at most `context` positions. The tensors have been
    // checked.
    graph::Graph (*build)(const formats::GgufFile& file, const ModelConfig& config,
                          uint32_t context);
};

std::span<const Architecture> architectures();
// unsupported: names it and lists what is supported.
base::Result<const Architecture*> find_architecture(std::string_view name);
// "gemma2, gemma3, llama, ..."
std::string architecture_names();

// Each tensor is there with the right shape: corrupt otherwise. One that the formulas do not use (a
// bias, an adapter) would silently change the model: unsupported.
base::Status check_tensors(const formats::GgufFile& file, const ModelConfig& config,
                           const std::vector<ExpectedTensor>& expected);

}  // namespace hone::models
