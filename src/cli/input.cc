#include "cli/input.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <utility>

#include "base/text.h"
#include "models/checkpoint.h"

namespace hone::cli {

base::Result<std::string> read_standard_input(size_t bytes_max) {
    std::string content;
    std::array<char, 65536> chunk;
    while (true) {
        const ssize_t n = read(STDIN_FILENO, chunk.data(), chunk.size());
        if (n < 0 && errno == EINTR) {
            return base::fail(base::ErrorCode::cancelled, "stopped on request");
        }
        if (n < 0) {
            return base::fail(base::ErrorCode::unavailable, "cannot read standard input: {}",
                              std::strerror(errno));
        }
        if (n == 0) return content;
        content.append(chunk.data(), static_cast<size_t>(n));
        if (content.size() > bytes_max) {
            return base::fail(base::ErrorCode::exhausted, "standard input is over {} bytes",
                              bytes_max);
        }
    }
}

base::Result<std::vector<probe::Prompt>> read_prompts(const std::string& path) {
    if (path.empty()) return std::vector<probe::Prompt>();
    HONE_TRY(const std::string text, base::read_file(path, probe::kPromptFileBytesMax));
    auto prompts = probe::parse_prompts(text);
    if (!prompts) return tl::unexpected(prompts.error().within(path));
    return prompts;
}

std::optional<double> parse_size_bytes(std::string_view text) {
    constexpr double kKibi = 1024;
    constexpr std::pair<const char*, double> kUnits[] = {{"", 1},
                                                         {"KB", 1e3},
                                                         {"MB", 1e6},
                                                         {"GB", 1e9},
                                                         {"KiB", kKibi},
                                                         {"MiB", kKibi * kKibi},
                                                         {"K", kKibi},
                                                         {"M", kKibi * kKibi},
                                                         {"GiB", kKibi * kKibi * kKibi},
                                                         {"G", kKibi * kKibi * kKibi}};
    double number = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    if (parsed.ec != std::errc() || !(number >= 0) || number > 1e15) return std::nullopt;
    const std::string_view unit(parsed.ptr, static_cast<size_t>(end - parsed.ptr));
    for (const auto& [suffix, factor] : kUnits) {
        if (unit == suffix) return number * factor;
    }
    return std::nullopt;
}

base::Result<double> parse_duration_s(const std::string& text) {
    double number = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data(), end, number);
    const std::string_view unit(parsed.ptr, static_cast<size_t>(end - parsed.ptr));
    const double unit_s = unit.empty() || unit == "s" ? 1
                          : unit == "m"               ? 60
                          : unit == "h"               ? 3600
                          : unit == "d"               ? 86400
                                                      : 0;
    if (parsed.ec != std::errc() || unit_s == 0 || !(number > 0) || !std::isfinite(number)) {
        return base::fail(base::ErrorCode::invalid_argument, "'{}': not a duration like 90s or 8m",
                          base::printable(text));
    }
    return number * unit_s;
}

base::Status check_destination(const std::string& path) {
    const auto directory = std::filesystem::path(path).parent_path();
    std::error_code error;
    if (directory.empty() || std::filesystem::is_directory(directory, error)) return {};
    return base::fail(base::ErrorCode::not_found, "{}: no such directory", directory.string());
}

std::string file_name(const std::string& path) {
    return models::display_name(path);
}

}  // namespace hone::cli
