// GgufValue: one metadata value as a view into the file, converted only when asked for.
//
// Arrays are kept as their bytes, so that opening a file with a vocabulary of 50,000 entries
// allocates nothing per entry. The accessors answer nullopt when the value does not have the asked
// kind; GgufFile (formats/gguf.h) turns that into an error that names the key. Nothing here trusts
// the bytes: lengths are checked again at each walk. Borrowed from the file's bytes; const and safe
// from any thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "formats/gguf_types.h"

namespace hone::formats {

struct GgufValue {
    GgufType type = GgufType::u8;
    GgufType element_type = GgufType::u8;  // of an array; otherwise equal to `type`
    uint64_t count = 1;                    // elements of an array; 1 otherwise
    std::span<const std::byte> bytes;      // scalar: its bytes; string: its text; array: elements

    bool is_array() const { return type == GgufType::array; }
    // "u32", "string", "array of 49152 string"
    std::string type_text() const;

    // Any integer type; nullopt for a negative number.
    std::optional<uint64_t> as_u64() const;
    // Any integer type whose value fits.
    std::optional<int64_t> as_i64() const;
    // f32, f64, or any integer type.
    std::optional<double> as_f64() const;
    std::optional<bool> as_bool() const;
    std::optional<std::string_view> as_string() const;

    // Arrays: of strings, of any integers that fit, of f32 or f64, of bools. The string views
    // borrow from the file.
    std::optional<std::vector<std::string_view>> as_strings() const;
    std::optional<std::vector<int64_t>> as_i64s() const;
    std::optional<std::vector<float>> as_f32s() const;
    std::optional<std::vector<bool>> as_bools() const;
};

}  // namespace hone::formats
