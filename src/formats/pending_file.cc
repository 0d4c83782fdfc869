#include "formats/pending_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace hone::formats {

namespace {

constexpr mode_t kFileMode = 0644;

}  // namespace

PendingFile::PendingFile(std::string path, std::string temporary_path, int fd)
    : path_(std::move(path)), temporary_path_(std::move(temporary_path)), fd_(fd) {}

PendingFile::PendingFile(PendingFile&& other) noexcept
    : path_(std::move(other.path_)),
      temporary_path_(std::exchange(other.temporary_path_, {})),
      fd_(std::exchange(other.fd_, -1)) {}

PendingFile::~PendingFile() {
    if (fd_ >= 0) close(fd_);
    if (!temporary_path_.empty()) unlink(temporary_path_.c_str());
}

base::Result<PendingFile> PendingFile::create(const std::string& path) {
    std::string temporary_path = path + ".XXXXXX";
    const int fd = mkostemp(temporary_path.data(), O_CLOEXEC);
    if (fd < 0) {
        const auto code = errno == ENOENT || errno == ENOTDIR ? base::ErrorCode::not_found
                                                              : base::ErrorCode::unavailable;
        return base::fail(code, "{}: cannot create: {}", path, std::strerror(errno));
    }
    return PendingFile(path, std::move(temporary_path), fd);
}

tl::unexpected<base::Error> PendingFile::io_error(const char* action) const {
    const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return base::fail(full ? base::ErrorCode::exhausted : base::ErrorCode::unavailable,
                      "{}: cannot {}: {}", path_, action, std::strerror(errno));
}

base::Status PendingFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return io_error("write");
        bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return {};
}

base::Status PendingFile::commit() {
    // mkostemp makes the file private; a model is as readable as other files of the user.
    if (fchmod(fd_, kFileMode) != 0 || fsync(fd_) != 0) return io_error("write");
    if (rename(temporary_path_.c_str(), path_.c_str()) != 0) return io_error("rename");
    temporary_path_.clear();
    return {};
}

}  // namespace hone::formats
