// GgufWriter: collects metadata and tensor declarations, then writes a GGUF version 3 file.
//
// Tensor data is not collected: each tensor has a source that is asked for its bytes in order while
// the file is written, so a file of any size needs about one MiB. The file appears under its name
// only when it is complete (written beside it, then renamed). Not an editor of existing files.
// Mistakes of the caller that may come from a user's argument (a shape that is not whole blocks, a
// name given twice) are errors of write(). One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/gguf_types.h"
#include "formats/gguf_value.h"
#include "tensor/dtype.h"

namespace hone::formats {

// Fills `out`, which starts `offset_bytes` into the tensor and holds whole rows. Called in order.
using TensorSource = std::function<base::Status(uint64_t offset_bytes, std::span<std::byte> out)>;
// Takes the file's bytes in order.
using ByteSink = std::function<base::Status(std::span<const std::byte>)>;

class GgufWriter {
  public:
    // `alignment` is a power of two in the reader's range; it is written when not the default.
    explicit GgufWriter(uint32_t alignment = 32);

    void add_u32(std::string_view key, uint32_t value);
    void add_i32(std::string_view key, int32_t value);
    void add_u64(std::string_view key, uint64_t value);
    void add_f32(std::string_view key, float value);
    void add_f64(std::string_view key, double value);
    void add_bool(std::string_view key, bool value);
    void add_string(std::string_view key, std::string_view value);
    void add_strings(std::string_view key, std::span<const std::string> values);
    void add_i32s(std::string_view key, std::span<const int32_t> values);
    void add_u32s(std::string_view key, std::span<const uint32_t> values);
    void add_f32s(std::string_view key, std::span<const float> values);
    // A value of another file as it is.
    void add_value(std::string_view key, const GgufValue& value);

    // `dims` innermost first, 1 to 4 of them.
    void add_tensor(std::string name, tensor::DType dtype, std::vector<uint64_t> dims,
                    TensorSource source);
    // The same for bytes at hand, which are copied.
    void add_tensor(std::string name, tensor::DType dtype, std::vector<uint64_t> dims,
                    std::span<const std::byte> bytes);

    // Errors: invalid_argument (shapes, names), not_found (no such directory), exhausted (the disk
    // is full), unavailable (other I/O), or the error of a source. On error no file is left.
    base::Status write(const std::string& path) const;
    // The same to anything that takes bytes.
    base::Status write_to(const ByteSink& sink) const;

  private:
    struct Tensor {
        std::string name;
        tensor::DType dtype;
        std::vector<uint64_t> dims;
        TensorSource source;
    };
    struct Placement {
        uint64_t offset;     // from the start of the data
        uint64_t bytes;      // of the tensor, without padding
        uint64_t row_bytes;  // the unit that a source fills
    };

    void add_key(std::string_view key, GgufType type);
    base::Result<std::vector<Placement>> place() const;
    std::string make_head(const std::vector<Placement>& placements) const;
    base::Status write_tensor(const Tensor& tensor, const Placement& placement,
                              const ByteSink& sink) const;

    uint32_t alignment_;
    std::vector<std::string> keys_;
    std::string metadata_;  // entries as on the wire
    std::vector<Tensor> tensors_;
};

}  // namespace hone::formats
