// What the user gives: standard input and prompt files, bytes untouched; sizes, durations, files
// to write and names of files.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "probe/prompt.h"

namespace hone::cli {

// Of a text that two sides predict to compare their quality.
inline constexpr size_t kQualityTextBytesMax = size_t{1} << 20;

// All of standard input; exhausted over the limit, cancelled by Ctrl-C.
base::Result<std::string> read_standard_input(size_t bytes_max);

// Requests of a file as probe/prompt.h describes it; none for "". Errors begin with the path.
base::Result<std::vector<probe::Prompt>> read_prompts(const std::string& path);

// "96MiB", "100MB", "2G" (binary) or plain bytes.
std::optional<double> parse_size_bytes(std::string_view text);

// "90s", "8m", "1h", "30d" or plain seconds. invalid_argument.
base::Result<double> parse_duration_s(const std::string& text);

// Before long work, not after it: not_found when a file of that path has no folder to lie in. ""
// is no file.
base::Status check_destination(const std::string& path);

// Without its directories: how results name a file.
std::string file_name(const std::string& path);

}  // namespace hone::cli
