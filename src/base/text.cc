#include "base/text.h"

#include <sys/stat.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <memory>

namespace hone::base {
namespace {

std::string three_digits(double value) {
    const double magnitude = std::fabs(value);
    if (magnitude >= 100) return fmt::format("{:.0f}", value);
    if (magnitude >= 10) return fmt::format("{:.1f}", value);
    return fmt::format("{:.2f}", value);
}

template <size_t N>
std::string scaled(double value, double step, const std::array<const char*, N>& units) {
    size_t unit = 0;
    // 999.5 would print as "1000": move on to the next unit instead.
    while (std::fabs(value) >= step * 0.9995 && unit + 1 < N) {
        value /= step;
        ++unit;
    }
    const std::string number = unit == 0 && value == std::floor(value)
                                   ? fmt::format("{:.0f}", value)
                                   : three_digits(value);
    return *units[unit] == '\0' ? number : number + " " + units[unit];
}

}  // namespace

std::string format_bytes(double bytes) {
    return scaled(bytes, 1024, std::array<const char*, 5>{"B", "KiB", "MiB", "GiB", "TiB"});
}

std::string format_count(double value) {
    return scaled(value, 1000, std::array<const char*, 5>{"", "k", "M", "G", "T"});
}

std::string format_duration_ns(double ns) {
    return scaled(ns, 1000, std::array<const char*, 4>{"ns", "us", "ms", "s"});
}

std::vector<std::string_view> split(std::string_view text, char separator) {
    std::vector<std::string_view> parts;
    while (true) {
        const size_t at = text.find(separator);
        parts.push_back(text.substr(0, at));
        if (at == std::string_view::npos) return parts;
        text.remove_prefix(at + 1);
    }
}

std::string_view trim(std::string_view text) {
    constexpr std::string_view kSpace = " \t\r\n";
    const size_t begin = text.find_first_not_of(kSpace);
    if (begin == std::string_view::npos) return {};
    return text.substr(begin, text.find_last_not_of(kSpace) - begin + 1);
}

std::string printable(std::string_view text, size_t length_max) {
    std::string out;
    for (size_t i = 0; i < text.size(); ++i) {
        if (out.size() >= length_max) return out + "...";
        const auto c = static_cast<unsigned char>(text[i]);
        if (c >= 0x20 && c < 0x7f) {
            out += text[i];
        } else {
            out += fmt::format("\\x{:02x}", c);
        }
    }
    return out;
}

Result<std::string> read_file(const std::string& path, size_t bytes_max) {
    std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "rb"), &std::fclose);
    if (!file) {
        if (errno == ENOENT) return fail(ErrorCode::not_found, "{}: no such file", path);
        return fail(ErrorCode::unavailable, "{}: {}", path, std::strerror(errno));
    }
    std::string content;
    std::array<char, 65536> chunk;
    while (const size_t n = std::fread(chunk.data(), 1, chunk.size(), file.get())) {
        content.append(chunk.data(), n);
        if (content.size() > bytes_max) {
            return fail(ErrorCode::exhausted, "{}: more than {} bytes", path, bytes_max);
        }
    }
    if (std::ferror(file.get())) return fail(ErrorCode::unavailable, "{}: cannot read", path);
    return content;
}

Status write_file(const std::string& path, std::string_view content) {
    std::string temporary = path + ".XXXXXX";
    const int fd = mkstemp(temporary.data());
    if (fd < 0) return fail(ErrorCode::unavailable, "{}: {}", path, std::strerror(errno));
    fchmod(fd, 0644);
    size_t written = 0;
    while (written < content.size()) {
        const ssize_t n = write(fd, content.data() + written, content.size() - written);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) break;
        written += static_cast<size_t>(n);
    }
    const bool complete = written == content.size();
    if (close(fd) != 0 || !complete || std::rename(temporary.c_str(), path.c_str()) != 0) {
        const int error = errno;
        unlink(temporary.c_str());
        return fail(ErrorCode::unavailable, "{}: {}", path, std::strerror(error));
    }
    return {};
}

}  // namespace hone::base
