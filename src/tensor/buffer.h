// Buffer: owns a zeroed, aligned piece of memory for weights, workspaces and caches.
//
// Small buffers come from the aligned heap (64 bytes: a cache line and a ZMM register). From 2 MiB
// on they are anonymous maps aligned to 2 MiB, so that the kernel can back them by huge pages: with
// 4 KiB pages a decode step that streams 100 MB touches 25,000 pages and pays for the TLB misses.
// Such memory is committed on first touch, by the thread (and so on the NUMA node) that touches it.
// Not a container: no growing, no element type. Move only; one owner; the bytes themselves have no
// thread rule of their own.
#pragma once

#include <cstddef>
#include <span>

#include "base/result.h"

namespace hone::tensor {

inline constexpr size_t kBufferAlignmentBytes = 64;
inline constexpr size_t kHugePageBytes = size_t{2} << 20;

struct BufferOptions {
    // Asks for transparent huge pages; without effect below kHugePageBytes or where disabled.
    bool huge_pages = true;
};

class Buffer {
  public:
    Buffer() = default;
    Buffer(Buffer&& other) noexcept;
    Buffer& operator=(Buffer&& other) noexcept;
    Buffer(const Buffer&) = delete;
    Buffer& operator=(const Buffer&) = delete;
    ~Buffer();

    // Zero bytes give an empty buffer. Errors: exhausted.
    static base::Result<Buffer> allocate(size_t bytes, BufferOptions options = {});

    // Gives the memory of [offset, offset + bytes) back to the system, as far as it consists of
    // whole pages of a map; what it held is lost.
    void discard(size_t offset, size_t bytes);

    std::byte* data() { return data_; }
    const std::byte* data() const { return data_; }
    size_t size() const { return size_; }
    std::span<std::byte> span() { return {data_, size_}; }
    std::span<const std::byte> span() const { return {data_, size_}; }

  private:
    Buffer(std::byte* data, size_t size, size_t mapped_bytes)
        : data_(data), size_(size), mapped_bytes_(mapped_bytes) {}
    void free();

    std::byte* data_ = nullptr;
    size_t size_ = 0;
    size_t mapped_bytes_ = 0;  // length of the map, or 0 when the heap owns data_
};

}  // namespace hone::tensor
