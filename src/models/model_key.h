// Which model a promise or a file in a cache was about: a key of the file's size and of bytes at
// its ends and between.
//
// Two files of one key are the same to whoever asks; it is no protection against forgery. FNV-1a,
// 64 bits (Fowler, Noll, Vo).
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace hone::models {

// 16 hexadecimal digits; of a directory, of all that a model takes from it. not_found, unavailable,
// and of a directory the errors of open_checkpoint.
base::Result<std::string> model_key(const std::string& path);
// Of the bytes of a file.
std::string model_key(std::span<const std::byte> bytes);

}  // namespace hone::models
