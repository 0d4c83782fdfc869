#include "base/pending_file.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <utility>

namespace hone::base {

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

Result<PendingFile> PendingFile::create(const std::string& path) {
    std::string temporary_path = path + ".XXXXXX";
    const int fd = mkostemp(temporary_path.data(), O_CLOEXEC);
    if (fd < 0) {
        const auto code =
            errno == ENOENT || errno == ENOTDIR ? ErrorCode::not_found : ErrorCode::unavailable;
        return fail(code, "{}: cannot create: {}", path, std::strerror(errno));
    }
    return PendingFile(path, std::move(temporary_path), fd);
}

tl::unexpected<Error> PendingFile::io_error(const char* action) const {
    const bool full = errno == ENOSPC || errno == EDQUOT || errno == EFBIG;
    return fail(full ? ErrorCode::exhausted : ErrorCode::unavailable, "{}: cannot {}: {}", path_,
                action, std::strerror(errno));
}

Status PendingFile::reserve(uint64_t bytes) {
    while (fallocate(fd_, FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes)) != 0) {
        if (errno == EINTR) continue;
        if (errno == EOPNOTSUPP || errno == ENOSYS) return {};  // write() will tell
        return io_error("reserve");
    }
    return {};
}

Status PendingFile::write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
        const ssize_t written = ::write(fd_, bytes.data(), bytes.size());
        if (written < 0 && errno == EINTR) continue;
        if (written < 0) return io_error("write");
        bytes = bytes.subspan(static_cast<size_t>(written));
    }
    return {};
}

Status PendingFile::commit() {
    if (fsync(fd_) != 0) return io_error("write");
    return commit_unsynced();
}

Status PendingFile::commit_unsynced() {
    // mkostemp makes the file private; a model is as readable as other files of the user.
    if (fchmod(fd_, kFileMode) != 0) return io_error("write");
    if (rename(temporary_path_.c_str(), path_.c_str()) != 0) return io_error("rename");
    temporary_path_.clear();
    return {};
}

}  // namespace hone::base
