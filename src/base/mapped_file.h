// A read-only memory map of a regular file. Owns the mapping; spans of bytes() borrow from it and
// die with it. Not a view of a growing file: the size is that at open. If another process truncates
// the file while it is mapped, the kernel raises SIGBUS on access; Hone accepts that risk for
// models. Thread rule: const after open; release() may run beside readers.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace hone::base {

class MappedFile {
  public:
    // not_found, invalid_argument (not a regular file), corrupt (empty), unavailable (no
    // permission).
    static Result<MappedFile> open(const std::string& path);

    MappedFile(MappedFile&& other) noexcept;
    MappedFile& operator=(MappedFile&& other) noexcept;
    MappedFile(const MappedFile&) = delete;
    MappedFile& operator=(const MappedFile&) = delete;
    ~MappedFile();

    std::span<const std::byte> bytes() const { return {data_, size_}; }
    const std::string& path() const { return path_; }
    // Of the content and of the inode, at open, in ns since 1970.
    int64_t modified_ns() const { return modified_ns_; }
    int64_t changed_ns() const { return changed_ns_; }

    // Tells the kernel that these bytes will be read soon, in order.
    void will_read(size_t offset, size_t size) const;
    // Reads these bytes into memory and enters them into this process's page table, in large pages
    // where the file system has them. Nothing where the kernel cannot: they come when touched.
    void prefault(size_t offset, size_t size) const;
    // Drops the resident pages of [offset, offset + size), and what came in around them; they are
    // read again if touched.
    void release(size_t offset, size_t size) const;

  private:
    MappedFile(std::string path, const std::byte* data, size_t size);
    void advise(size_t offset, size_t size, int advice) const;

    std::string path_;
    const std::byte* data_ = nullptr;
    size_t size_ = 0;
    int64_t modified_ns_ = 0;
    int64_t changed_ns_ = 0;
};

}  // namespace hone::base
