#include "formats/gguf_writer.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/checked.h"
#include "base/pending_file.h"
#include "base/text.h"
#include "formats/gguf.h"

namespace hone::formats {

namespace {

using base::ErrorCode;
using base::fail;
using base::Status;

// Sources are asked for about this much at a time: large enough for few calls and system calls.
constexpr uint64_t kPieceBytes = uint64_t{1} << 20;

template <class T>
void append(std::string& to, T value) {
    static_assert(std::endian::native == std::endian::little);
    char bytes[sizeof(T)];
    std::memcpy(bytes, &value, sizeof(T));
    to.append(bytes, sizeof(T));
}

void append_text(std::string& to, std::string_view text) {
    append<uint64_t>(to, text.size());
    to.append(text);
}

template <class T>
void append_array(std::string& to, GgufType type, std::span<const T> values) {
    append<uint32_t>(to, static_cast<uint32_t>(type));
    append<uint64_t>(to, values.size());
    for (const T& value : values) append(to, value);
}

// Names and limits as the reader wants them; `names` is a copy because it gets sorted.
Status check_names(const char* kind, std::vector<std::string_view> names, uint64_t count_max,
                   uint64_t bytes_max) {
    if (names.size() > count_max) {
        return fail(ErrorCode::invalid_argument, "{} {}s, at most {} are allowed", names.size(),
                    kind, count_max);
    }
    std::sort(names.begin(), names.end());
    for (size_t i = 0; i < names.size(); ++i) {
        if (names[i].empty() || names[i].size() > bytes_max) {
            return fail(ErrorCode::invalid_argument, "{} '{}': {} bytes, must be 1 to {}", kind,
                        base::printable(names[i]), names[i].size(), bytes_max);
        }
        if (i > 0 && names[i] == names[i - 1]) {
            return fail(ErrorCode::invalid_argument, "{} '{}': given twice", kind,
                        base::printable(names[i]));
        }
    }
    return {};
}

Status write_zeros(uint64_t bytes, const ByteSink& sink) {
    static constexpr std::array<std::byte, kGgufAlignmentMax> kZeros{};
    HONE_CHECK_LT(bytes, kGgufAlignmentMax);
    return bytes == 0 ? Status() : sink({kZeros.data(), bytes});
}

}  // namespace

GgufWriter::GgufWriter(uint32_t alignment) : alignment_(alignment) {
    HONE_CHECK(std::has_single_bit(alignment));
    HONE_CHECK_GE(alignment, kGgufAlignmentMin);
    HONE_CHECK_LE(alignment, kGgufAlignmentMax);
    if (alignment != kGgufAlignmentDefault) add_u32("general.alignment", alignment);
}

void GgufWriter::add_key(std::string_view key, GgufType type) {
    keys_.emplace_back(key);
    append_text(metadata_, key);
    append<uint32_t>(metadata_, static_cast<uint32_t>(type));
}

void GgufWriter::add_u32(std::string_view key, uint32_t value) {
    add_key(key, GgufType::u32);
    append(metadata_, value);
}

void GgufWriter::add_i32(std::string_view key, int32_t value) {
    add_key(key, GgufType::i32);
    append(metadata_, value);
}

void GgufWriter::add_u64(std::string_view key, uint64_t value) {
    add_key(key, GgufType::u64);
    append(metadata_, value);
}

void GgufWriter::add_f32(std::string_view key, float value) {
    add_key(key, GgufType::f32);
    append(metadata_, value);
}

void GgufWriter::add_f64(std::string_view key, double value) {
    add_key(key, GgufType::f64);
    append(metadata_, value);
}

void GgufWriter::add_bool(std::string_view key, bool value) {
    add_key(key, GgufType::boolean);
    append<uint8_t>(metadata_, value ? 1 : 0);
}

void GgufWriter::add_string(std::string_view key, std::string_view value) {
    add_key(key, GgufType::string);
    append_text(metadata_, value);
}

void GgufWriter::add_strings(std::string_view key, std::span<const std::string> values) {
    add_key(key, GgufType::array);
    append<uint32_t>(metadata_, static_cast<uint32_t>(GgufType::string));
    append<uint64_t>(metadata_, values.size());
    for (const std::string& value : values) append_text(metadata_, value);
}

void GgufWriter::add_i32s(std::string_view key, std::span<const int32_t> values) {
    add_key(key, GgufType::array);
    append_array(metadata_, GgufType::i32, values);
}

void GgufWriter::add_u32s(std::string_view key, std::span<const uint32_t> values) {
    add_key(key, GgufType::array);
    append_array(metadata_, GgufType::u32, values);
}

void GgufWriter::add_f32s(std::string_view key, std::span<const float> values) {
    add_key(key, GgufType::array);
    append_array(metadata_, GgufType::f32, values);
}

void GgufWriter::add_value(std::string_view key, const GgufValue& value) {
    add_key(key, value.type);
    if (value.is_array()) {
        append<uint32_t>(metadata_, static_cast<uint32_t>(value.element_type));
        append<uint64_t>(metadata_, value.count);
    } else if (value.type == GgufType::string) {
        append<uint64_t>(metadata_, value.bytes.size());
    }
    metadata_.append(reinterpret_cast<const char*>(value.bytes.data()), value.bytes.size());
}

void GgufWriter::add_tensor(std::string name, tensor::DType dtype, std::vector<uint64_t> dims,
                            TensorSource source) {
    tensors_.push_back({std::move(name), dtype, std::move(dims), std::move(source)});
}

void GgufWriter::add_tensor(std::string name, tensor::DType dtype, std::vector<uint64_t> dims,
                            std::span<const std::byte> bytes) {
    std::vector<std::byte> copy(bytes.begin(), bytes.end());
    std::string owner = name;
    add_tensor(std::move(name), dtype, std::move(dims),
               [copy = std::move(copy), owner = std::move(owner)](
                   uint64_t offset, std::span<std::byte> out) -> Status {
                   if (copy.size() < offset || copy.size() - offset < out.size()) {
                       return fail(ErrorCode::invalid_argument,
                                   "tensor '{}': has only {} bytes of data", owner, copy.size());
                   }
                   std::memcpy(out.data(), copy.data() + offset, out.size());
                   return {};
               });
}

base::Result<std::vector<GgufWriter::Placement>> GgufWriter::place() const {
    HONE_TRY_STATUS(
        check_names("key", {keys_.begin(), keys_.end()}, kGgufMetadataMax, kGgufKeyBytesMax));
    std::vector<std::string_view> names;
    for (const Tensor& tensor : tensors_) names.emplace_back(tensor.name);
    HONE_TRY_STATUS(
        check_names("tensor", std::move(names), kGgufTensorsMax, kGgufTensorNameBytesMax));
    std::vector<Placement> placements;
    uint64_t offset = 0;
    for (const Tensor& tensor : tensors_) {
        const std::string name = base::printable(tensor.name);
        if (tensor.dims.empty() || tensor.dims.size() > kGgufRankMax) {
            return fail(ErrorCode::invalid_argument, "tensor '{}': rank {}, must be 1 to {}", name,
                        tensor.dims.size(), kGgufRankMax);
        }
        const auto row_bytes = tensor::row_bytes(tensor.dtype, tensor.dims[0]);
        if (!row_bytes) {
            return fail(ErrorCode::invalid_argument,
                        "tensor '{}': rows of {} elements are not whole {} blocks", name,
                        tensor.dims[0], tensor::name(tensor.dtype));
        }
        std::optional<uint64_t> bytes = *row_bytes;
        for (size_t i = 1; bytes && i < tensor.dims.size(); ++i) {
            bytes = base::checked_mul(*bytes, tensor.dims[i]);
        }
        const auto end = bytes ? base::checked_add(offset, *bytes) : std::nullopt;
        const auto next = end ? base::checked_align(*end, alignment_) : std::nullopt;
        if (!next || *bytes == 0) {
            return fail(ErrorCode::invalid_argument, "tensor '{}': impossible shape", name);
        }
        placements.push_back({offset, *bytes, *row_bytes});
        offset = *next;
    }
    return placements;
}

std::string GgufWriter::make_head(const std::vector<Placement>& placements) const {
    std::string head = "GGUF";
    append<uint32_t>(head, 3);
    append<uint64_t>(head, tensors_.size());
    append<uint64_t>(head, keys_.size());
    head += metadata_;
    for (size_t i = 0; i < tensors_.size(); ++i) {
        const Tensor& tensor = tensors_[i];
        append_text(head, tensor.name);
        append<uint32_t>(head, static_cast<uint32_t>(tensor.dims.size()));
        for (uint64_t dim : tensor.dims) append(head, dim);
        append<uint32_t>(head, gguf_tensor_type_id(tensor.dtype));
        append<uint64_t>(head, placements[i].offset);
    }
    head.resize(base::round_up(head.size(), alignment_), '\0');
    return head;
}

Status GgufWriter::write_tensor(const Tensor& tensor, const Placement& placement,
                                const ByteSink& sink) const {
    const uint64_t rows_per_piece = std::max<uint64_t>(1, kPieceBytes / placement.row_bytes);
    const uint64_t piece_bytes = std::min(placement.bytes, rows_per_piece * placement.row_bytes);
    std::vector<std::byte> piece(piece_bytes);
    for (uint64_t at = 0; at < placement.bytes; at += piece_bytes) {
        const auto out = std::span(piece).first(std::min(piece_bytes, placement.bytes - at));
        HONE_TRY_STATUS(tensor.source(at, out));
        HONE_TRY_STATUS(sink(out));
    }
    return write_zeros(base::round_up(placement.bytes, alignment_) - placement.bytes, sink);
}

Status GgufWriter::write_to(const ByteSink& sink) const {
    HONE_TRY(const std::vector<Placement> placements, place());
    const std::string head = make_head(placements);
    HONE_TRY_STATUS(sink(std::as_bytes(std::span(head))));
    for (size_t i = 0; i < tensors_.size(); ++i) {
        HONE_TRY_STATUS(write_tensor(tensors_[i], placements[i], sink));
    }
    return {};
}

Status GgufWriter::write(const std::string& path) const {
    HONE_TRY(base::PendingFile file, base::PendingFile::create(path));
    HONE_TRY_STATUS(
        write_to([&file](std::span<const std::byte> bytes) { return file.write(bytes); }));
    return file.commit();
}

}  // namespace hone::formats
