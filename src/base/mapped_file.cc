#include "base/mapped_file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

namespace hone::base {
namespace {

// MADV_POPULATE_READ of Linux 5.14, which older headers lack; older kernels refuse it.
constexpr int kMadvPopulateRead = 22;
// One touch may enter a large page's worth of the file into the page table.
constexpr size_t kFaultBytes = size_t{2} << 20;

int64_t ns_of(const timespec& time) {
    return int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

tl::unexpected<Error> open_error(const std::string& path, int error) {
    if (error == ENOENT || error == ENOTDIR) {
        return fail(ErrorCode::not_found, "{}: no such file", path);
    }
    return fail(ErrorCode::unavailable, "{}: {}", path, std::strerror(error));
}

}  // namespace

MappedFile::MappedFile(std::string path, const std::byte* data, size_t size)
    : path_(std::move(path)), data_(data), size_(size) {}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      modified_ns_(other.modified_ns_),
      changed_ns_(other.changed_ns_) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
    std::swap(path_, other.path_);
    std::swap(data_, other.data_);
    std::swap(size_, other.size_);
    std::swap(modified_ns_, other.modified_ns_);
    std::swap(changed_ns_, other.changed_ns_);
    return *this;
}

MappedFile::~MappedFile() {
    if (data_ != nullptr) munmap(const_cast<std::byte*>(data_), size_);
}

Result<MappedFile> MappedFile::open(const std::string& path) {
    // O_NONBLOCK: opening a FIFO must not hang before the regular-file test below.
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    if (fd < 0) return open_error(path, errno);
    struct stat info {};
    if (fstat(fd, &info) != 0) {
        const int error = errno;
        close(fd);
        return open_error(path, error);
    }
    if (!S_ISREG(info.st_mode)) {
        close(fd);
        return fail(ErrorCode::invalid_argument, "{}: not a regular file", path);
    }
    if (info.st_size == 0) {
        close(fd);
        return fail(ErrorCode::corrupt, "{}: the file is empty", path);
    }
    const auto size = static_cast<size_t>(info.st_size);
    void* data = mmap(nullptr, size, PROT_READ, MAP_PRIVATE, fd, 0);
    const int error = errno;
    close(fd);
    if (data == MAP_FAILED) return open_error(path, error);
    MappedFile file(path, static_cast<const std::byte*>(data), size);
    file.modified_ns_ = ns_of(info.st_mtim);
    file.changed_ns_ = ns_of(info.st_ctim);
    return file;
}

void MappedFile::advise(size_t offset, size_t size, int advice) const {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t begin = offset / page * page;
    if (begin >= size_) return;
    const size_t end = offset + size < size_ ? offset + size : size_;
    madvise(const_cast<std::byte*>(data_) + begin, end - begin, advice);
}

void MappedFile::will_read(size_t offset, size_t size) const {
    advise(offset, size, MADV_WILLNEED);
}

void MappedFile::prefault(size_t offset, size_t size) const {
    advise(offset, size, MADV_HUGEPAGE);
    advise(offset, size, kMadvPopulateRead);
}

void MappedFile::release(size_t offset, size_t size) const {
    const size_t begin = offset / kFaultBytes * kFaultBytes;
    const size_t end =
        std::min((offset + size + kFaultBytes - 1) / kFaultBytes * kFaultBytes, size_);
    if (begin >= end) return;
    madvise(const_cast<std::byte*>(data_) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace hone::base
