#include "cli/input.h"

#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

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

}  // namespace hone::cli
