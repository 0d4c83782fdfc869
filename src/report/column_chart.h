// Columns of text as a picture: one character wide, so many lines high, drawn from below.
//
// Eighths of a block where the style allows them, else four steps of ASCII. Pure.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "report/style.h"

namespace hone::report {

// `height` lines, the highest first; the largest value is as high as all of them. What is not 0
// shows, be it ever so small. No values or no height give no lines.
std::vector<std::string> column_chart(const Style& style, std::span<const uint64_t> values,
                                      size_t height);

// Neighbours added up, so that at most `columns` are left; the last may have fewer.
std::vector<uint64_t> merged(std::span<const uint64_t> values, size_t columns);

}  // namespace hone::report
