// The type ids of the GGUF format: metadata value types and tensor element types.
//
// Facts from the GGUF specification (ggml, docs/gguf.md). Tensor types that Hone cannot compute
// with are listed too, with their block sizes, so that a file that uses them can still be inspected
// and its extents checked. Pure tables; safe from any thread.
#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "tensor/dtype.h"

namespace hone::formats {

enum class GgufType : uint32_t {
    u8 = 0,
    i8 = 1,
    u16 = 2,
    i16 = 3,
    u32 = 4,
    i32 = 5,
    f32 = 6,
    boolean = 7,
    string = 8,
    array = 9,
    u64 = 10,
    i64 = 11,
    f64 = 12,
};

// nullopt for an id that the format does not define.
std::optional<GgufType> gguf_type(uint32_t id);
// "u32", "string", ...
std::string_view gguf_type_name(GgufType type);
// Bytes of one value on the wire; 0 for strings and arrays, whose size is in the file.
uint32_t gguf_type_bytes(GgufType type);

struct GgufTensorType {
    uint32_t id;
    std::string_view name;  // "Q4_1", "IQ2_XS"
    uint32_t block_elements;
    uint32_t block_bytes;
    std::optional<tensor::DType> dtype;  // set when Hone can compute with it
};

// nullptr for an id that is not in the table.
const GgufTensorType* gguf_tensor_type(uint32_t id);
// The id under which a type is written.
uint32_t gguf_tensor_type_id(tensor::DType dtype);

}  // namespace hone::formats
