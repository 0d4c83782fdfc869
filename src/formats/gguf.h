// GgufFile: a reader of GGUF model files, version 2 and 3, little endian.
//
// The format (specification: ggml, docs/gguf.md), in the order of the file:
//   1. header: "GGUF", u32 version, u64 tensor count, u64 metadata count
//   2. metadata: per entry a key (u64 length, text), u32 value type, value; a string is u64 length
//      and bytes, an array is u32 element type, u64 count and elements
//   3. tensor infos: per tensor a name, u32 rank, rank x u64 dims (innermost first), u32 type,
//      u64 offset from the start of the data
//   4. zeros up to a multiple of general.alignment (default 32)
//   5. tensor data, each tensor at a multiple of the alignment
//
// The file is foreign: open() checks every count, size and range against the real file before
// anything is allocated or touched, so that afterwards each value and each TensorView lies inside
// the file. It does not know what keys mean (room models does) and reads no tensor data. It follows
// no reference to other files, with one exception: the first shard of a split model
// (gguf_shards.h) opens those beside it that its own name tells. A tensor of a type that Hone
// cannot compute with does not fail open(); tensor() refuses it by name. Tensors of safetensors
// files can be presented as a GgufFile too (gguf_assembly.h).
//
// Keys and tensors keep the order of the file; names are unique. Everything handed out borrows from
// the file's map and dies with it; moving the GgufFile keeps it alive. Const after open and safe
// from any thread.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <deque>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"
#include "formats/gguf_types.h"
#include "formats/gguf_value.h"
#include "tensor/view.h"

namespace hone::formats {

// Far above any model in use, and small enough to bound the memory of the index (some 20 MiB).
inline constexpr uint64_t kGgufMetadataMax = 65536;
inline constexpr uint64_t kGgufTensorsMax = 65536;
inline constexpr uint64_t kGgufKeyBytesMax = 65535;
inline constexpr uint64_t kGgufTensorNameBytesMax = 1024;
inline constexpr uint64_t kGgufStringBytesMax = uint64_t{1} << 30;
inline constexpr uint64_t kGgufAlignmentMin = 8;
inline constexpr uint64_t kGgufAlignmentMax = 65536;
inline constexpr uint64_t kGgufAlignmentDefault = 32;
inline constexpr uint32_t kGgufRankMax = 4;

struct GgufEntry {
    std::string_view key;
    GgufValue value;
};

struct GgufTensor {
    std::string_view name;
    std::array<uint64_t, 4> dims{1, 1, 1, 1};  // innermost first
    int rank = 0;
    uint32_t type_id = 0;
    std::string type_name;               // "Q4_1", or "type 99" for an id outside the table
    std::optional<tensor::DType> dtype;  // nullopt: Hone cannot compute with it
    uint32_t shard = 0;                  // the file of a split model that holds it
    uint64_t offset = 0;                 // from the start of that file
    uint64_t bytes = 0;                  // 0 when the type id is outside the table
    tensor::TensorView view;             // data is nullptr without a dtype

    uint64_t elements() const { return dims[0] * dims[1] * dims[2] * dims[3]; }
};

class GgufFile {
  public:
    // Errors: those of MappedFile::open; corrupt (the bytes contradict the format); exhausted (a
    // limit above is exceeded); unsupported (another version or byte order, nested arrays); of a
    // split model also those of GgufShards::join.
    static base::Result<GgufFile> open(const std::string& path);
    // The same for bytes in memory, which must outlive the result; `name` stands for the path in
    // messages. Views are aligned only as well as `bytes` is.
    static base::Result<GgufFile> parse(std::span<const std::byte> bytes, std::string name);

    const std::string& name() const { return name_; }
    uint32_t version() const { return version_; }
    uint64_t alignment() const { return alignment_; }
    // Of all shards.
    uint64_t size_bytes() const;
    size_t shards() const { return 1 + more_.size(); }
    // The files of all shards in order; none after parse(). They live as long as this.
    std::vector<const base::MappedFile*> maps() const;
    // The metadata as bytes where it was put together in memory, and so is in none of the maps;
    // empty otherwise.
    std::span<const std::byte> assembled_head() const;
    uint64_t data_offset() const { return data_offset_; }
    // Drops the tensor's pages (they are read again if touched); nothing to do after parse().
    void release(const GgufTensor& tensor) const;

    const std::vector<GgufEntry>& metadata() const { return metadata_; }
    // nullptr when there is no such key.
    const GgufValue* find(std::string_view key) const;

    // The value of a key. Errors, naming the key: not_found; corrupt when it has another kind.
    base::Result<uint64_t> get_u64(std::string_view key) const;
    base::Result<double> get_f64(std::string_view key) const;
    base::Result<bool> get_bool(std::string_view key) const;
    base::Result<std::string_view> get_string(std::string_view key) const;
    base::Result<std::vector<std::string_view>> get_strings(std::string_view key) const;
    base::Result<std::vector<int64_t>> get_i64s(std::string_view key) const;
    base::Result<std::vector<float>> get_f32s(std::string_view key) const;

    // As above, but `fallback` when the key is missing (still corrupt when it has another kind).
    base::Result<uint64_t> get_u64_or(std::string_view key, uint64_t fallback) const;
    base::Result<double> get_f64_or(std::string_view key, double fallback) const;
    base::Result<bool> get_bool_or(std::string_view key, bool fallback) const;
    base::Result<std::string_view> get_string_or(std::string_view key,
                                                 std::string_view fallback) const;

    const std::vector<GgufTensor>& tensors() const { return tensors_; }
    // nullptr when there is no such tensor.
    const GgufTensor* find_tensor(std::string_view name) const;
    // Errors, naming the tensor: not_found; unsupported (its type).
    base::Result<tensor::TensorView> tensor(std::string_view name) const;

  private:
    friend class GgufAssembly;
    friend class GgufParser;
    friend class GgufShards;

    // What an assembled file owns beside maps. Elements of a deque stay where they are.
    struct Assembled {
        std::vector<std::byte> head;
        std::deque<std::string> names;
        std::deque<std::vector<std::byte>> own;  // bytes of tensors
    };

    static base::Result<GgufFile> open_one(const std::string& path);

    std::string name_;
    std::optional<base::MappedFile> map_;
    std::span<const std::byte> bytes_;
    uint32_t version_ = 0;
    uint64_t alignment_ = kGgufAlignmentDefault;
    uint64_t data_offset_ = 0;
    std::vector<GgufEntry> metadata_;
    std::vector<GgufTensor> tensors_;  // of all shards
    std::vector<GgufFile> more_;       // shards 1, 2, .. of a split model; files with tensors
    std::unique_ptr<Assembled> assembled_;
    // Positions in metadata_ and tensors_ sorted by name: a search tree has no bad inputs, while
    // the keys of a hash table could be chosen to collide.
    std::vector<uint32_t> metadata_by_key_;
    std::vector<uint32_t> tensors_by_name_;
};

}  // namespace hone::formats
