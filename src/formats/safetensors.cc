#include "formats/safetensors.h"

#include <algorithm>
#include <cstring>

#include "base/checked.h"
#include "base/text.h"
#include "formats/safetensors_header.h"

namespace hone::formats {
namespace {

using base::ErrorCode;
using base::fail;
using base::Status;
using tensor::DType;

constexpr size_t kLengthBytes = sizeof(uint64_t);

struct SafetensorsType {
    std::string_view name;
    uint32_t bits;
    std::optional<DType> dtype;  // set when Hone can compute with it
};

// The types of the format's reference implementation.
constexpr SafetensorsType kTypes[] = {
    {"F32", 32, DType::f32},          {"F16", 16, DType::f16},
    {"BF16", 16, DType::bf16},        {"F64", 64, DType::f64},
    {"BOOL", 8, std::nullopt},        {"F4", 4, std::nullopt},
    {"F6_E2M3", 6, std::nullopt},     {"F6_E3M2", 6, std::nullopt},
    {"F8_E5M2", 8, std::nullopt},     {"F8_E4M3", 8, std::nullopt},
    {"F8_E8M0", 8, std::nullopt},     {"F8_E5M2FNUZ", 8, std::nullopt},
    {"F8_E4M3FNUZ", 8, std::nullopt}, {"C64", 64, std::nullopt},
    {"U8", 8, std::nullopt},          {"I8", 8, std::nullopt},
    {"U16", 16, std::nullopt},        {"I16", 16, std::nullopt},
    {"U32", 32, std::nullopt},        {"I32", 32, std::nullopt},
    {"U64", 64, std::nullopt},        {"I64", 64, std::nullopt},
};

const SafetensorsType* find_type(std::string_view name) {
    for (const SafetensorsType& type : kTypes) {
        if (type.name == name) return &type;
    }
    return nullptr;
}

// Bytes of such a tensor; nullopt where the size wraps or is no whole number of bytes.
std::optional<uint64_t> size_of(const SafetensorsType& type, const std::vector<uint64_t>& shape) {
    std::optional<uint64_t> bits = type.bits;
    for (const uint64_t dim : shape) {
        if (bits) bits = base::checked_mul(*bits, dim);
    }
    return bits && *bits % 8 == 0 ? std::optional<uint64_t>(*bits / 8) : std::nullopt;
}

base::Result<SafetensorsTensor> place(SafetensorsInfo info, std::span<const std::byte> data,
                                      uint64_t data_offset) {
    const std::string where = "tensor '" + base::printable(info.name) + "'";
    const SafetensorsType* type = find_type(info.dtype);
    if (type == nullptr) {
        return fail(ErrorCode::unsupported, "{}: dtype '{}' is not known", where,
                    base::printable(info.dtype));
    }
    if (info.begin > info.end || info.end > data.size()) {
        return fail(ErrorCode::corrupt, "{}: bytes {} to {} of {}", where, info.begin, info.end,
                    data.size());
    }
    const auto bytes = size_of(*type, info.shape);
    if (!bytes) return fail(ErrorCode::corrupt, "{}: its size is not a number of bytes", where);
    if (*bytes != info.end - info.begin) {
        return fail(ErrorCode::corrupt, "{}: has {} bytes; its shape asks for {}", where,
                    info.end - info.begin, *bytes);
    }
    return SafetensorsTensor{std::move(info.name),
                             type->name,
                             type->dtype,
                             std::move(info.shape),
                             data_offset + info.begin,
                             data.subspan(info.begin, *bytes)};
}

// Each byte of the data belongs to exactly one tensor.
Status check_cover(const std::vector<SafetensorsTensor>& tensors, uint64_t begin, uint64_t end) {
    std::vector<const SafetensorsTensor*> by_offset;
    by_offset.reserve(tensors.size());
    for (const SafetensorsTensor& tensor : tensors) by_offset.push_back(&tensor);
    // Empty tensors before the one that begins where they are.
    std::sort(by_offset.begin(), by_offset.end(), [](const auto* a, const auto* b) {
        return std::pair(a->offset, a->bytes.size()) < std::pair(b->offset, b->bytes.size());
    });
    uint64_t covered = begin;
    for (const SafetensorsTensor* tensor : by_offset) {
        if (tensor->offset != covered) {
            return fail(ErrorCode::corrupt, "tensor '{}': {} at byte {}",
                        base::printable(tensor->name),
                        tensor->offset < covered ? "overlaps another" : "leaves a hole before it",
                        tensor->offset);
        }
        covered += tensor->bytes.size();
    }
    if (covered == end) return {};
    return fail(ErrorCode::corrupt, "data: {} bytes at its end belong to no tensor", end - covered);
}

}  // namespace

base::Result<SafetensorsFile> SafetensorsFile::open(const std::string& path) {
    HONE_TRY(base::MappedFile map, base::MappedFile::open(path));
    HONE_TRY(SafetensorsFile file, parse(map.bytes(), path));
    file.map_ = std::move(map);
    return file;
}

base::Result<SafetensorsFile> SafetensorsFile::parse(std::span<const std::byte> bytes,
                                                     std::string name) {
    SafetensorsFile file;
    file.name_ = std::move(name);
    file.bytes_ = bytes;
    const auto wrong = [&](const base::Error& error) {
        return tl::unexpected(error.within(file.name_));
    };
    if (bytes.size() < kLengthBytes) {
        return fail(ErrorCode::corrupt, "{}: header: {} bytes are no safetensors file", file.name_,
                    bytes.size());
    }
    uint64_t header_bytes = 0;
    std::memcpy(&header_bytes, bytes.data(), kLengthBytes);
    if (header_bytes > bytes.size() - kLengthBytes) {
        return fail(ErrorCode::corrupt, "{}: header: claims {} bytes, but only {} follow",
                    file.name_, header_bytes, bytes.size() - kLengthBytes);
    }
    if (header_bytes > kSafetensorsHeaderBytesMax) {
        return fail(ErrorCode::exhausted, "{}: header: {} bytes, more than the {} of the format",
                    file.name_, header_bytes, kSafetensorsHeaderBytesMax);
    }
    auto header = parse_safetensors_header(
        {reinterpret_cast<const char*>(bytes.data()) + kLengthBytes, header_bytes});
    if (!header) return wrong(header.error().within("header"));
    file.metadata_ = std::move(header->metadata);
    const uint64_t data_offset = kLengthBytes + header_bytes;
    for (SafetensorsInfo& info : header->tensors) {
        auto tensor = place(std::move(info), bytes.subspan(data_offset), data_offset);
        if (!tensor) return wrong(tensor.error());
        file.tensors_.push_back(std::move(*tensor));
    }
    const Status covered = check_cover(file.tensors_, data_offset, bytes.size());
    if (!covered) return wrong(covered.error());
    return file;
}

}  // namespace hone::formats
