#include "formats/gguf_parser.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <numeric>
#include <vector>

#include "base/checked.h"
#include "base/text.h"

namespace hone::formats {

namespace {

using base::ErrorCode;
using base::fail;
using base::Status;

// The least bytes of an entry: a one-letter key or name and the smallest value.
constexpr uint64_t kEntryBytesMin = 8 + 1 + 4 + 1;
constexpr uint64_t kTensorInfoBytesMin = 8 + 1 + 4 + 8 + 4 + 8;

std::string quoted(const char* kind, std::string_view name) {
    return fmt::format("{} '{}'", kind, base::printable(name));
}

// A count from the header must fit the bytes that follow (or the file lies) and the limit.
Status check_count(const char* what, uint64_t count, uint64_t bytes_min, uint64_t bytes_left,
                   uint64_t count_max) {
    if (count > bytes_left / bytes_min) {
        return fail(ErrorCode::corrupt, "header: claims {} {}, but only {} bytes follow", count,
                    what, bytes_left);
    }
    if (count > count_max) {
        return fail(ErrorCode::exhausted, "header: {} {}, more than the {} that Hone accepts",
                    count, what, count_max);
    }
    return {};
}

// Sorts positions by name and refuses equal names.
template <class Items, class NameOf>
Status sort_unique(const char* kind, const Items& items, NameOf name_of,
                   std::vector<uint32_t>& order) {
    order.resize(items.size());
    std::iota(order.begin(), order.end(), 0u);
    std::sort(order.begin(), order.end(),
              [&](uint32_t a, uint32_t b) { return name_of(items[a]) < name_of(items[b]); });
    for (size_t i = 1; i < order.size(); ++i) {
        const std::string_view name = name_of(items[order[i]]);
        if (name_of(items[order[i - 1]]) == name) {
            return fail(ErrorCode::corrupt, "{}: appears twice", quoted(kind, name));
        }
    }
    return {};
}

}  // namespace

template <class T>
std::optional<T> GgufParser::read() {
    if (remaining() < sizeof(T)) return std::nullopt;
    T value;
    std::memcpy(&value, bytes_.data() + at_, sizeof(T));
    at_ += sizeof(T);
    return value;
}

tl::unexpected<base::Error> GgufParser::truncated(const std::string& where,
                                                  const char* what) const {
    return fail(ErrorCode::corrupt, "{}: the file ends at byte {}, inside {}", where, bytes_.size(),
                what);
}

Status GgufParser::parse() {
    HONE_TRY_STATUS(parse_header());
    HONE_TRY_STATUS(parse_metadata());
    HONE_TRY_STATUS(parse_tensor_infos());
    HONE_TRY_STATUS(index_names());
    HONE_TRY_STATUS(take_alignment());
    HONE_TRY_STATUS(place_tensors());
    return check_overlaps();
}

Status GgufParser::parse_header() {
    const auto magic = read<uint32_t>();
    if (!magic) return truncated("header", "the magic number");
    if (std::memcmp(bytes_.data(), "GGUF", 4) != 0) {
        const std::string_view start(reinterpret_cast<const char*>(bytes_.data()), 4);
        return fail(ErrorCode::corrupt, "header: not a GGUF file (it starts with '{}')",
                    base::printable(start));
    }
    const auto version = read<uint32_t>();
    if (!version) return truncated("header", "the version");
    if (*version == 0x02000000u || *version == 0x03000000u) {
        return fail(ErrorCode::unsupported, "header: the file is big endian");
    }
    if (*version != 2 && *version != 3) {
        return fail(ErrorCode::unsupported, "header: GGUF version {}, Hone reads 2 and 3",
                    *version);
    }
    const auto tensors = read<uint64_t>();
    const auto entries = tensors ? read<uint64_t>() : std::nullopt;
    if (!entries) return truncated("header", "the counts");
    HONE_TRY_STATUS(
        check_count("metadata entries", *entries, kEntryBytesMin, remaining(), kGgufMetadataMax));
    HONE_TRY_STATUS(
        check_count("tensors", *tensors, kTensorInfoBytesMin, remaining(), kGgufTensorsMax));
    file_.version_ = *version;
    metadata_count_ = *entries;
    tensor_count_ = *tensors;
    return {};
}

base::Result<std::string_view> GgufParser::read_string(const std::string& where, const char* what,
                                                       uint64_t bytes_max) {
    const auto length = read<uint64_t>();
    if (!length) return truncated(where, what);
    if (*length > remaining()) {
        return fail(ErrorCode::corrupt, "{}: {} of {} bytes, but only {} bytes follow", where, what,
                    *length, remaining());
    }
    if (*length > bytes_max) {
        return fail(ErrorCode::exhausted, "{}: {} of {} bytes, more than the {} that Hone accepts",
                    where, what, *length, bytes_max);
    }
    const std::string_view text(reinterpret_cast<const char*>(bytes_.data() + at_), *length);
    at_ += *length;
    return text;
}

Status GgufParser::parse_metadata() {
    file_.metadata_.reserve(metadata_count_);
    for (uint64_t i = 0; i < metadata_count_; ++i) {
        HONE_TRY(GgufEntry entry, read_entry());
        file_.metadata_.push_back(entry);
    }
    return {};
}

base::Result<GgufEntry> GgufParser::read_entry() {
    GgufEntry entry;
    const std::string position = fmt::format("metadata entry {}", file_.metadata_.size());
    HONE_TRY(entry.key, read_string(position, "key", kGgufKeyBytesMax));
    if (entry.key.empty()) return fail(ErrorCode::corrupt, "{}: empty key", position);
    const std::string where = quoted("key", entry.key);
    const auto id = read<uint32_t>();
    if (!id) return truncated(where, "the value type");
    const auto type = gguf_type(*id);
    if (!type) return fail(ErrorCode::corrupt, "{}: value type {} does not exist", where, *id);
    entry.value.type = *type;
    HONE_TRY_STATUS(read_value(where, entry.value));
    return entry;
}

Status GgufParser::read_value(const std::string& where, GgufValue& value) {
    if (value.type == GgufType::array) return read_array(where, value);
    value.element_type = value.type;
    if (value.type == GgufType::string) {
        HONE_TRY(const std::string_view text, read_string(where, "string", kGgufStringBytesMax));
        value.bytes = std::as_bytes(std::span(text));
        return {};
    }
    const size_t size = gguf_type_bytes(value.type);
    if (remaining() < size) return truncated(where, "the value");
    value.bytes = bytes_.subspan(at_, size);
    at_ += size;
    if (value.type == GgufType::boolean && value.bytes[0] > std::byte{1}) {
        return fail(ErrorCode::corrupt, "{}: a bool of value {}", where,
                    static_cast<int>(value.bytes[0]));
    }
    return {};
}

Status GgufParser::read_array(const std::string& where, GgufValue& value) {
    const auto id = read<uint32_t>();
    const auto count = id ? read<uint64_t>() : std::nullopt;
    if (!count) return truncated(where, "the array's type and count");
    const auto type = gguf_type(*id);
    if (!type) return fail(ErrorCode::corrupt, "{}: element type {} does not exist", where, *id);
    if (*type == GgufType::array) {
        return fail(ErrorCode::unsupported, "{}: an array of arrays", where);
    }
    const bool strings = *type == GgufType::string;
    const uint64_t bytes_min = strings ? 8 : gguf_type_bytes(*type);
    if (*count > remaining() / bytes_min) {
        return fail(ErrorCode::corrupt, "{}: claims {} elements, but only {} bytes follow", where,
                    *count, remaining());
    }
    const size_t start = at_;
    if (strings) {
        HONE_TRY_STATUS(skip_strings(where, *count));
    } else {
        at_ += *count * bytes_min;
    }
    value.element_type = *type;
    value.count = *count;
    value.bytes = bytes_.subspan(start, at_ - start);
    return {};
}

Status GgufParser::skip_strings(const std::string& where, uint64_t count) {
    for (uint64_t i = 0; i < count; ++i) {
        HONE_TRY_STATUS(read_string(where, "array element", kGgufStringBytesMax));
    }
    return {};
}

Status GgufParser::parse_tensor_infos() {
    file_.tensors_.reserve(tensor_count_);
    for (uint64_t i = 0; i < tensor_count_; ++i) {
        HONE_TRY(GgufTensor tensor, read_tensor_info());
        file_.tensors_.push_back(std::move(tensor));
    }
    return {};
}

base::Result<GgufTensor> GgufParser::read_tensor_info() {
    GgufTensor tensor;
    const std::string position = fmt::format("tensor entry {}", file_.tensors_.size());
    HONE_TRY(tensor.name, read_string(position, "name", kGgufTensorNameBytesMax));
    if (tensor.name.empty()) return fail(ErrorCode::corrupt, "{}: empty name", position);
    const std::string where = quoted("tensor", tensor.name);
    HONE_TRY_STATUS(read_shape(where, tensor));
    const auto id = read<uint32_t>();
    const auto offset = id ? read<uint64_t>() : std::nullopt;
    if (!offset) return truncated(where, "its type and offset");
    tensor.type_id = *id;
    tensor.offset = *offset;
    return tensor;
}

Status GgufParser::read_shape(const std::string& where, GgufTensor& tensor) {
    const auto rank = read<uint32_t>();
    if (!rank) return truncated(where, "its rank");
    if (*rank == 0 || *rank > kGgufRankMax) {
        return fail(ErrorCode::corrupt, "{}: rank {}, must be 1 to {}", where, *rank, kGgufRankMax);
    }
    tensor.rank = static_cast<int>(*rank);
    uint64_t elements = 1;
    for (uint32_t i = 0; i < *rank; ++i) {
        const auto dim = read<uint64_t>();
        if (!dim) return truncated(where, "its shape");
        if (*dim == 0) return fail(ErrorCode::corrupt, "{}: dimension {} is zero", where, i);
        const auto product = base::checked_mul(elements, *dim);
        if (!product) return fail(ErrorCode::corrupt, "{}: its size wraps around", where);
        elements = *product;
        tensor.dims[i] = *dim;
    }
    return {};
}

Status GgufParser::index_tensors(GgufFile& file) {
    return sort_unique(
        "tensor", file.tensors_, [](const GgufTensor& tensor) { return tensor.name; },
        file.tensors_by_name_);
}

Status GgufParser::index_names() {
    HONE_TRY_STATUS(sort_unique(
        "key", file_.metadata_, [](const GgufEntry& entry) { return entry.key; },
        file_.metadata_by_key_));
    return index_tensors(file_);
}

Status GgufParser::take_alignment() {
    const GgufValue* value = file_.find("general.alignment");
    if (value == nullptr) return {};
    if (value->type != GgufType::u32) {
        return fail(ErrorCode::corrupt, "key 'general.alignment': holds {}, must be u32",
                    value->type_text());
    }
    const uint64_t alignment = *value->as_u64();
    if (!std::has_single_bit(alignment) || alignment < kGgufAlignmentMin ||
        alignment > kGgufAlignmentMax) {
        return fail(ErrorCode::corrupt,
                    "key 'general.alignment': {} is not a power of two from {} to {}", alignment,
                    kGgufAlignmentMin, kGgufAlignmentMax);
    }
    file_.alignment_ = alignment;
    return {};
}

Status GgufParser::place_tensors() {
    const auto data_offset = base::checked_align(at_, file_.alignment_);
    if (!data_offset) return fail(ErrorCode::corrupt, "tensor data: its offset wraps around");
    file_.data_offset_ = *data_offset;
    for (GgufTensor& tensor : file_.tensors_) {
        const std::string where = quoted("tensor", tensor.name);
        if (tensor.offset % file_.alignment_ != 0) {
            return fail(ErrorCode::corrupt, "{}: offset {} is not a multiple of the alignment {}",
                        where, tensor.offset, file_.alignment_);
        }
        const GgufTensorType* type = gguf_tensor_type(tensor.type_id);
        tensor.type_name = type ? std::string(type->name) : fmt::format("type {}", tensor.type_id);
        if (type != nullptr) {
            if (tensor.dims[0] % type->block_elements != 0) {
                return fail(ErrorCode::corrupt, "{}: rows of {} elements are not whole {} blocks",
                            where, tensor.dims[0], type->name);
            }
            const auto bytes = base::checked_mul<uint64_t>(tensor.elements() / type->block_elements,
                                                           type->block_bytes);
            if (!bytes) return fail(ErrorCode::corrupt, "{}: its size wraps around", where);
            tensor.bytes = *bytes;
            tensor.dtype = type->dtype;
        }
        const auto start = base::checked_add(tensor.offset, file_.data_offset_);
        const auto end = start ? base::checked_add(*start, tensor.bytes) : std::nullopt;
        if (!end) return fail(ErrorCode::corrupt, "{}: its end wraps around", where);
        if (*end > bytes_.size()) {
            return fail(ErrorCode::corrupt, "{}: data ends at byte {} but the file has {} bytes",
                        where, *end, bytes_.size());
        }
        tensor.offset = *start;
        if (tensor.dtype) {
            tensor.view = {*tensor.dtype, tensor.dims, tensor.rank, bytes_.data() + *start,
                           static_cast<size_t>(tensor.bytes)};
        }
    }
    return {};
}

// Two tensors that share bytes are never what a writer meant; a reader that releases or repacks one
// would harm the other. A tensor of unknown type has no known end and takes part with none.
Status GgufParser::check_overlaps() const {
    std::vector<const GgufTensor*> by_offset;
    by_offset.reserve(file_.tensors_.size());
    for (const GgufTensor& tensor : file_.tensors_) by_offset.push_back(&tensor);
    std::stable_sort(
        by_offset.begin(), by_offset.end(),
        [](const GgufTensor* a, const GgufTensor* b) { return a->offset < b->offset; });
    for (size_t i = 1; i < by_offset.size(); ++i) {
        const GgufTensor& before = *by_offset[i - 1];
        if (before.offset + before.bytes > by_offset[i]->offset) {
            return fail(ErrorCode::corrupt, "{}: overlaps tensor '{}'",
                        quoted("tensor", by_offset[i]->name), base::printable(before.name));
        }
    }
    return {};
}

}  // namespace hone::formats
