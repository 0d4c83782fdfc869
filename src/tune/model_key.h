// Which model a promise was about: a key of the file's size and of bytes at its ends and between.
//
// Two files of one key are the same for the ledger; it is no protection against forgery. FNV-1a, 64
// bits (Fowler, Noll, Vo).
#pragma once

#include <string>

#include "base/result.h"

namespace hone::tune {

// 16 hexadecimal digits. not_found, unavailable.
base::Result<std::string> model_key(const std::string& path);

}  // namespace hone::tune
