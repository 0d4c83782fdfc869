// `hone inspect --tensor`: options and action, beside those of whole models.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cli/command.h"

namespace hone::cli {

// A table of more rows is not read; a page of more figures does not open.
inline constexpr size_t kInspectTensorsMax = 1024;
inline constexpr size_t kInspectPageTensorsMax = 16;

struct TensorOptions {
    std::vector<std::string> patterns;  // empty: not asked for
    std::vector<std::string> types;
    std::optional<uint64_t> block;
    std::string html;
    std::string language = "en";
};

void add_tensor_options(Command command, TensorOptions& options);
// invalid_argument where options of tensors came without a tensor.
base::Status check_tensor_options(const TensorOptions& options);
base::Status inspect_tensors(const std::string& model, const TensorOptions& options, int threads,
                             bool json, const CommandContext& context);

}  // namespace hone::cli
