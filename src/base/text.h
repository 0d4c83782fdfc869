// Small text helpers for messages and reports. Pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hone::base {

// "87.5 MiB"; three significant digits, binary units.
std::string format_bytes(double bytes);
// "1.23 G", "45.6 M": three significant digits, decimal units; the caller adds the unit.
std::string format_count(double value);
// "1.23 ms", "45 us": from nanoseconds.
std::string format_duration_ns(double ns);

std::vector<std::string_view> split(std::string_view text, char separator);
std::string_view trim(std::string_view text);

// Foreign text in one line of a message: control and invalid bytes become \xNN, long text is cut.
std::string printable(std::string_view text, size_t length_max = 64);

// The whole file as bytes; bytes_max guards against a device or a mistake.
Result<std::string> read_file(const std::string& path, size_t bytes_max);
// Writes beside the target and renames, so that a reader never sees half a file.
Status write_file(const std::string& path, std::string_view content);

}  // namespace hone::base
