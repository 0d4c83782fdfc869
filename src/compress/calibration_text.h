// The text that calibration reads when the user gives none: a few pages of English prose, dialogue,
// instructions, code, numbers and some other languages. Written for this program, under its
// licence. Small: it tells which columns of a matrix are large, not how a model speaks; a text of
// the user's own kind is better. Constant.
#pragma once

#include <string_view>

namespace hone::compress {

std::string_view default_calibration_text();

}  // namespace hone::compress
