// Reading the user's text: standard input and prompt files, bytes untouched.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probe/prompt.h"

namespace hone::cli {

// All of standard input; exhausted over the limit, cancelled by Ctrl-C.
base::Result<std::string> read_standard_input(size_t bytes_max);

// Requests of a file as probe/prompt.h describes it; none for "". Errors begin with the path.
base::Result<std::vector<probe::Prompt>> read_prompts(const std::string& path);

// "96MiB", "100MB", "2G" (binary) or plain bytes.
std::optional<double> parse_size_bytes(std::string_view text);

// "90s", "8m", "1h", "30d" or plain seconds. invalid_argument.
base::Result<double> parse_duration_s(const std::string& text);

}  // namespace hone::cli
