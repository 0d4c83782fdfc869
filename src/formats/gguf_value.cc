#include "formats/gguf_value.h"

#include <fmt/format.h>

#include <cstring>
#include <limits>

namespace hone::formats {

namespace {

template <class T>
T load(const std::byte* from) {
    T value;
    std::memcpy(&value, from, sizeof(T));
    return value;
}

struct Integer {
    bool negative = false;
    uint64_t bits = 0;  // two's complement when negative
};

Integer from_signed(int64_t value) {
    return {value < 0, static_cast<uint64_t>(value)};
}

std::optional<Integer> load_integer(GgufType type, const std::byte* from) {
    switch (type) {
        case GgufType::u8:
            return Integer{false, load<uint8_t>(from)};
        case GgufType::u16:
            return Integer{false, load<uint16_t>(from)};
        case GgufType::u32:
            return Integer{false, load<uint32_t>(from)};
        case GgufType::u64:
            return Integer{false, load<uint64_t>(from)};
        case GgufType::i8:
            return from_signed(load<int8_t>(from));
        case GgufType::i16:
            return from_signed(load<int16_t>(from));
        case GgufType::i32:
            return from_signed(load<int32_t>(from));
        case GgufType::i64:
            return from_signed(load<int64_t>(from));
        default:
            return std::nullopt;
    }
}

std::optional<int64_t> to_i64(const Integer& integer) {
    constexpr auto kMax = static_cast<uint64_t>(std::numeric_limits<int64_t>::max());
    if (!integer.negative && integer.bits > kMax) return std::nullopt;
    return static_cast<int64_t>(integer.bits);
}

}  // namespace

std::string GgufValue::type_text() const {
    if (!is_array()) return std::string(gguf_type_name(type));
    return fmt::format("array of {} {}", count, gguf_type_name(element_type));
}

std::optional<uint64_t> GgufValue::as_u64() const {
    const auto integer = load_integer(type, bytes.data());
    if (!integer || integer->negative) return std::nullopt;
    return integer->bits;
}

std::optional<int64_t> GgufValue::as_i64() const {
    const auto integer = load_integer(type, bytes.data());
    return integer ? to_i64(*integer) : std::nullopt;
}

std::optional<double> GgufValue::as_f64() const {
    if (type == GgufType::f32) return load<float>(bytes.data());
    if (type == GgufType::f64) return load<double>(bytes.data());
    const auto integer = load_integer(type, bytes.data());
    if (!integer) return std::nullopt;
    return integer->negative ? static_cast<double>(static_cast<int64_t>(integer->bits))
                             : static_cast<double>(integer->bits);
}

std::optional<bool> GgufValue::as_bool() const {
    if (type != GgufType::boolean) return std::nullopt;
    return bytes[0] != std::byte{0};
}

std::optional<std::string_view> GgufValue::as_string() const {
    if (type != GgufType::string) return std::nullopt;
    return std::string_view(reinterpret_cast<const char*>(bytes.data()), bytes.size());
}

std::optional<std::vector<std::string_view>> GgufValue::as_strings() const {
    if (!is_array() || element_type != GgufType::string) return std::nullopt;
    std::vector<std::string_view> strings;
    strings.reserve(count);
    size_t at = 0;
    for (uint64_t i = 0; i < count; ++i) {
        if (bytes.size() - at < 8) return std::nullopt;
        const auto length = load<uint64_t>(bytes.data() + at);
        at += 8;
        if (length > bytes.size() - at) return std::nullopt;
        strings.emplace_back(reinterpret_cast<const char*>(bytes.data() + at), length);
        at += length;
    }
    return strings;
}

std::optional<std::vector<int64_t>> GgufValue::as_i64s() const {
    if (!is_array()) return std::nullopt;
    std::vector<int64_t> values;
    const size_t step = gguf_type_bytes(element_type);
    for (uint64_t i = 0; i < count; ++i) {
        const auto integer = load_integer(element_type, bytes.data() + i * step);
        const auto value = integer ? to_i64(*integer) : std::nullopt;
        if (!value) return std::nullopt;
        if (i == 0) values.reserve(count);
        values.push_back(*value);
    }
    return values;
}

std::optional<std::vector<float>> GgufValue::as_f32s() const {
    const bool narrow = element_type == GgufType::f32;
    if (!is_array() || (!narrow && element_type != GgufType::f64)) return std::nullopt;
    std::vector<float> values(count);
    for (uint64_t i = 0; i < count; ++i) {
        values[i] = narrow ? load<float>(bytes.data() + 4 * i)
                           : static_cast<float>(load<double>(bytes.data() + 8 * i));
    }
    return values;
}

std::optional<std::vector<bool>> GgufValue::as_bools() const {
    if (!is_array() || element_type != GgufType::boolean) return std::nullopt;
    std::vector<bool> values(count);
    for (uint64_t i = 0; i < count; ++i) values[i] = bytes[i] != std::byte{0};
    return values;
}

}  // namespace hone::formats
