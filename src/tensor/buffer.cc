#include "tensor/buffer.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <utility>

#include "base/check.h"
#include "base/checked.h"

namespace hone::tensor {

namespace {

// A map of `bytes` (a multiple of the huge page) that starts on a huge page: map one huge page more
// than needed, then give the ends back.
std::byte* map_aligned(size_t bytes) {
    const size_t reserved = bytes + kHugePageBytes;
    void* raw = mmap(nullptr, reserved, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (raw == MAP_FAILED) return nullptr;
    auto* start = static_cast<std::byte*>(raw);
    const uintptr_t address = reinterpret_cast<uintptr_t>(start);
    const size_t head = base::round_up(address, kHugePageBytes) - address;
    const size_t tail = reserved - head - bytes;
    if (head > 0) munmap(start, head);
    if (tail > 0) munmap(start + head + bytes, tail);
    return start + head;
}

}  // namespace

base::Result<Buffer> Buffer::allocate(size_t bytes, BufferOptions options) {
    if (bytes == 0) return Buffer();
    // Half of the address space is beyond any machine and keeps the sums below free of wraps.
    if (bytes > std::numeric_limits<size_t>::max() / 2) {
        return base::fail(base::ErrorCode::exhausted, "cannot allocate {} bytes", bytes);
    }
    if (bytes < kHugePageBytes) {
        const size_t padded = base::round_up(bytes, kBufferAlignmentBytes);
        void* data = std::aligned_alloc(kBufferAlignmentBytes, padded);
        if (data == nullptr) {
            return base::fail(base::ErrorCode::exhausted, "cannot allocate {} bytes", bytes);
        }
        std::memset(data, 0, padded);
        return Buffer(static_cast<std::byte*>(data), bytes, 0);
    }
    const size_t mapped_bytes = base::round_up(bytes, kHugePageBytes);
    std::byte* data = map_aligned(mapped_bytes);
    if (data == nullptr) {
        return base::fail(base::ErrorCode::exhausted, "cannot allocate {} bytes", bytes);
    }
    // A kernel without transparent huge pages refuses the advice; 4 KiB pages work as well.
    madvise(data, mapped_bytes, options.huge_pages ? MADV_HUGEPAGE : MADV_NOHUGEPAGE);
    return Buffer(data, bytes, mapped_bytes);
}

Buffer::Buffer(Buffer&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)),
      mapped_bytes_(std::exchange(other.mapped_bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
    if (this != &other) {
        free();
        data_ = std::exchange(other.data_, nullptr);
        size_ = std::exchange(other.size_, 0);
        mapped_bytes_ = std::exchange(other.mapped_bytes_, 0);
    }
    return *this;
}

Buffer::~Buffer() {
    free();
}

void Buffer::discard(size_t offset, size_t bytes) {
    HONE_CHECK_LE(offset, size_);
    HONE_CHECK_LE(bytes, size_ - offset);
    if (mapped_bytes_ == 0) return;
    const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const size_t begin = base::round_up(offset, page);
    const size_t end = (offset + bytes) / page * page;
    if (begin < end) madvise(data_ + begin, end - begin, MADV_DONTNEED);
}

void Buffer::free() {
    if (mapped_bytes_ > 0) {
        munmap(data_, mapped_bytes_);
    } else {
        std::free(data_);
    }
    data_ = nullptr;
}

}  // namespace hone::tensor
