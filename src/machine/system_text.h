// Readers for the small text files of /proc and /sys. Not a parser of foreign files: content comes
// from the kernel (or a test's fake tree), and whatever does not look as expected reads as absent.
// Pure functions apart from the file access.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace hone::machine {

// The file's text without the trailing newline; nullopt when missing or larger than 4 MiB.
std::optional<std::string> read_system_text(const std::string& path);

// A decimal number with nothing but white space around it.
std::optional<uint64_t> parse_count(std::string_view text);
std::optional<uint64_t> read_count(const std::string& path);

// Decimal with an optional K, M or G suffix, as in the size files of the caches.
std::optional<uint64_t> parse_size(std::string_view text);

// How many CPUs a list like "0-3,8,10-11" names; 0 when it is malformed.
int count_cpu_list(std::string_view list);
// The first CPU of such a list, or nullopt.
std::optional<int> first_of_cpu_list(std::string_view list);

// The rest of the first line that starts with `key`, after white space and ':' are trimmed.
std::optional<std::string_view> value_of(std::string_view text, std::string_view key);
// The same for lines like "MemTotal:  123 kB", in bytes.
std::optional<uint64_t> bytes_of(std::string_view text, std::string_view key);

}  // namespace hone::machine
