// SafetensorsFile: a reader of safetensors files.
//
// The format (specification: the safetensors project's README, "Format"), in the order of the file:
//   1. u64, little endian: bytes of the header, 100,000,000 at most
//   2. the header: JSON that begins with '{' and may be padded with spaces; by the name of each
//      tensor its dtype, its shape (outermost first) and data_offsets [begin, end) from the start
//      of the data; "__metadata__" is an object of strings
//   3. the data: little endian, rows without gaps, every byte in exactly one tensor
//
// The file is foreign: open() checks every size and range against the real file, that extents are
// what type and shape ask for, and that they neither overlap nor leave holes, so that afterwards
// each tensor's bytes lie inside the file. It does not know what names mean (room models does),
// and the format knows no alignment: a tensor may begin at any byte. Everything handed out borrows
// from the file's map and dies with it; moving the SafetensorsFile keeps it alive. Const after open
// and safe from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"
#include "tensor/dtype.h"

namespace hone::formats {

inline constexpr uint64_t kSafetensorsHeaderBytesMax = 100'000'000;
inline constexpr size_t kSafetensorsTensorsMax = 65536;
inline constexpr size_t kSafetensorsNameBytesMax = 1024;
inline constexpr size_t kSafetensorsRankMax = 8;

struct SafetensorsTensor {
    std::string name;
    std::string_view type_name;          // "F32", "BF16", "I64"
    std::optional<tensor::DType> dtype;  // nullopt: Hone cannot compute with it
    std::vector<uint64_t> shape;         // outermost first; none for a single number
    uint64_t offset = 0;                 // from the start of the file
    std::span<const std::byte> bytes;
};

class SafetensorsFile {
  public:
    // Errors: those of MappedFile::open; corrupt (the bytes contradict the format); exhausted (a
    // limit above is exceeded); unsupported (a dtype that the format's description does not have).
    static base::Result<SafetensorsFile> open(const std::string& path);
    // The same for bytes in memory, which must outlive the result; `name` stands for the path in
    // messages.
    static base::Result<SafetensorsFile> parse(std::span<const std::byte> bytes, std::string name);

    const std::string& name() const { return name_; }
    std::span<const std::byte> bytes() const { return bytes_; }
    // In the order of the header; names are unique.
    const std::vector<SafetensorsTensor>& tensors() const { return tensors_; }
    // "__metadata__", in the order of the header.
    const std::vector<std::pair<std::string, std::string>>& metadata() const { return metadata_; }

  private:
    friend class GgufAssembly;

    std::string name_;
    std::optional<base::MappedFile> map_;
    std::span<const std::byte> bytes_;
    std::vector<SafetensorsTensor> tensors_;
    std::vector<std::pair<std::string, std::string>> metadata_;
};

}  // namespace hone::formats
