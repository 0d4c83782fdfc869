// Reading the user's text: standard input and prompt files, bytes untouched.
#pragma once

#include <string>

#include "base/result.h"

namespace hone::cli {

// All of standard input; exhausted over the limit, cancelled by Ctrl-C.
base::Result<std::string> read_standard_input(size_t bytes_max);

}  // namespace hone::cli
