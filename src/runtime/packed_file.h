// A file of packed weights: the bytes as kernels read them, and what they were made from.
//
//   payload      [payload_bytes], at the start of the file: a map of it is aligned to pages
//   checksums    u64 of each piece of 4 MiB of the payload (the last one is shorter)
//   description  text: which model, which layout
//   footer       64 bytes: "HonePack", u32 version, u32 zero, u64 payload bytes, u64 description
//                bytes, 24 bytes of zeros, u64 checksum of all from the first piece's checksum to
//                here
//
// Numbers are little endian, checksums are those of base/checksum.h. The footer is written last, so
// a file cut short has none. Such a file is foreign bytes like any other: parse_packed_file()
// trusts no number of it, and the payload is not to be used before each piece was checked. What the
// bytes mean is graph::PackedWeights' business. Views borrow. Pure but for write_packed_file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"

namespace hone::runtime {

inline constexpr uint32_t kPackedFileVersion = 1;
inline constexpr size_t kPackedPieceBytes = size_t{4} << 20;
inline constexpr size_t kPackedFooterBytes = 64;
inline constexpr uint64_t kPackedDescriptionBytesMax = uint64_t{64} << 20;

struct PackedFileView {
    std::span<const std::byte> payload;
    std::span<const std::byte> checksums;  // u64 each, not aligned
    std::string_view description;

    size_t pieces() const { return checksums.size() / sizeof(uint64_t); }
    std::span<const std::byte> piece(size_t index) const;
    // The piece is as it was written. Safe from any thread.
    bool check(size_t index) const;
};

// corrupt (not such a file, cut short, damaged outside of the payload), unsupported (another
// version).
base::Result<PackedFileView> parse_packed_file(std::span<const std::byte> bytes);

// Bytes of a file with these.
uint64_t packed_file_bytes(uint64_t payload_bytes, uint64_t description_bytes);

// Writes payload (not empty), checksums, description and footer through `write`. After each piece
// `written` is told where it lies; it may throw its memory away. Errors are those of `write`.
base::Status write_packed_file(std::span<const std::byte> payload, std::string_view description,
                               const std::function<base::Status(std::span<const std::byte>)>& write,
                               const std::function<void(size_t offset, size_t bytes)>& written);

}  // namespace hone::runtime
