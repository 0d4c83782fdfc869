// GgufParser: the one pass over a file's bytes that fills a GgufFile. Private to this room: use
// GgufFile::open or parse. Messages name the section but not the file; GgufFile adds its name.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "formats/gguf.h"

namespace hone::formats {

class GgufParser {
  public:
    explicit GgufParser(GgufFile& file) : file_(file), bytes_(file.bytes_) {}

    base::Status parse();

    // Sorts the tensors by name and refuses equal names.
    static base::Status index_tensors(GgufFile& file);

  private:
    base::Status parse_header();
    base::Status parse_metadata();
    base::Status parse_tensor_infos();
    base::Status index_names();
    base::Status take_alignment();
    base::Status place_tensors();
    base::Status check_overlaps() const;

    base::Result<GgufEntry> read_entry();
    base::Status read_value(const std::string& where, GgufValue& value);
    base::Status read_array(const std::string& where, GgufValue& value);
    base::Status skip_strings(const std::string& where, uint64_t count);
    base::Result<GgufTensor> read_tensor_info();
    base::Status read_shape(const std::string& where, GgufTensor& tensor);
    base::Result<std::string_view> read_string(const std::string& where, const char* what,
                                               uint64_t bytes_max);

    size_t remaining() const { return bytes_.size() - at_; }
    template <class T>
    std::optional<T> read();
    // The error for a file that ends inside `what`.
    tl::unexpected<base::Error> truncated(const std::string& where, const char* what) const;

    GgufFile& file_;
    std::span<const std::byte> bytes_;
    size_t at_ = 0;
    uint64_t metadata_count_ = 0;
    uint64_t tensor_count_ = 0;
};

}  // namespace hone::formats
