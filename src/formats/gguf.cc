#include "formats/gguf.h"

#include <algorithm>
#include <utility>

#include "base/text.h"
#include "formats/gguf_parser.h"
#include "formats/gguf_shards.h"

namespace hone::formats {

namespace {

using base::ErrorCode;
using base::fail;
using base::Result;

tl::unexpected<base::Error> missing(const GgufFile& file, std::string_view key) {
    return fail(ErrorCode::not_found, "{}: key '{}': not in the file", file.name(),
                base::printable(key));
}

// Converts the value of a key with one of GgufValue's accessors, or says what is wrong.
template <class T>
Result<T> convert(const GgufFile& file, std::string_view key, const char* kind,
                  std::optional<T> (GgufValue::*accessor)() const) {
    const GgufValue* value = file.find(key);
    if (value == nullptr) return missing(file, key);
    auto converted = (value->*accessor)();
    if (!converted) {
        return fail(ErrorCode::corrupt, "{}: key '{}': holds {}, expected {}", file.name(),
                    base::printable(key), value->type_text(), kind);
    }
    return std::move(*converted);
}

// "F32, F16, ..": what tensors of a model can be.
std::string weight_types() {
    std::string list;
    for (const tensor::DTypeTraits& type : tensor::kDTypes) {
        if (type.dtype == tensor::DType::i32) continue;
        list += (list.empty() ? "" : ", ") + std::string(type.name);
    }
    return list;
}

template <class T>
Result<T> or_fallback(Result<T> found, T fallback) {
    if (!found && found.error().code == ErrorCode::not_found) return fallback;
    return found;
}

}  // namespace

Result<GgufFile> GgufFile::open(const std::string& path) {
    HONE_TRY(GgufFile file, open_one(path));
    HONE_TRY(const uint64_t shards, file.get_u64_or("split.count", 1));
    if (shards > 1) HONE_TRY_STATUS(GgufShards::join(file, path));
    return file;
}

Result<GgufFile> GgufFile::open_one(const std::string& path) {
    HONE_TRY(base::MappedFile map, base::MappedFile::open(path));
    HONE_TRY(GgufFile file, parse(map.bytes(), path));
    file.map_ = std::move(map);
    return file;
}

Result<GgufFile> GgufFile::parse(std::span<const std::byte> bytes, std::string name) {
    GgufFile file;
    file.name_ = std::move(name);
    file.bytes_ = bytes;
    const auto status = GgufParser(file).parse();
    if (!status) return tl::unexpected(status.error().within(file.name_));
    return file;
}

uint64_t GgufFile::size_bytes() const {
    uint64_t sum = bytes_.size();
    for (const GgufFile& shard : more_) sum += shard.bytes_.size();
    return sum;
}

std::vector<const base::MappedFile*> GgufFile::maps() const {
    std::vector<const base::MappedFile*> out;
    if (map_) out.push_back(&*map_);
    for (const GgufFile& shard : more_) {
        if (shard.map_) out.push_back(&*shard.map_);
    }
    return out;
}

std::span<const std::byte> GgufFile::assembled_head() const {
    return assembled_ ? std::span<const std::byte>(assembled_->head) : std::span<const std::byte>();
}

void GgufFile::release(const GgufTensor& tensor) const {
    const GgufFile& shard = tensor.shard == 0 ? *this : more_[tensor.shard - 1];
    if (shard.map_) shard.map_->release(tensor.offset, tensor.bytes);
}

const GgufValue* GgufFile::find(std::string_view key) const {
    const auto at =
        std::lower_bound(metadata_by_key_.begin(), metadata_by_key_.end(), key,
                         [&](uint32_t i, std::string_view k) { return metadata_[i].key < k; });
    if (at == metadata_by_key_.end() || metadata_[*at].key != key) return nullptr;
    return &metadata_[*at].value;
}

Result<uint64_t> GgufFile::get_u64(std::string_view key) const {
    return convert(*this, key, "a non-negative integer", &GgufValue::as_u64);
}

Result<double> GgufFile::get_f64(std::string_view key) const {
    return convert(*this, key, "a number", &GgufValue::as_f64);
}

Result<bool> GgufFile::get_bool(std::string_view key) const {
    return convert(*this, key, "a bool", &GgufValue::as_bool);
}

Result<std::string_view> GgufFile::get_string(std::string_view key) const {
    return convert(*this, key, "a string", &GgufValue::as_string);
}

Result<std::vector<std::string_view>> GgufFile::get_strings(std::string_view key) const {
    return convert(*this, key, "an array of strings", &GgufValue::as_strings);
}

Result<std::vector<int64_t>> GgufFile::get_i64s(std::string_view key) const {
    return convert(*this, key, "an array of integers", &GgufValue::as_i64s);
}

Result<std::vector<float>> GgufFile::get_f32s(std::string_view key) const {
    return convert(*this, key, "an array of floats", &GgufValue::as_f32s);
}

Result<uint64_t> GgufFile::get_u64_or(std::string_view key, uint64_t fallback) const {
    return or_fallback(get_u64(key), fallback);
}

Result<double> GgufFile::get_f64_or(std::string_view key, double fallback) const {
    return or_fallback(get_f64(key), fallback);
}

Result<bool> GgufFile::get_bool_or(std::string_view key, bool fallback) const {
    return or_fallback(get_bool(key), fallback);
}

Result<std::string_view> GgufFile::get_string_or(std::string_view key,
                                                 std::string_view fallback) const {
    return or_fallback(get_string(key), fallback);
}

const GgufTensor* GgufFile::find_tensor(std::string_view name) const {
    const auto at =
        std::lower_bound(tensors_by_name_.begin(), tensors_by_name_.end(), name,
                         [&](uint32_t i, std::string_view n) { return tensors_[i].name < n; });
    if (at == tensors_by_name_.end() || tensors_[*at].name != name) return nullptr;
    return &tensors_[*at];
}

Result<tensor::TensorView> GgufFile::tensor(std::string_view name) const {
    const GgufTensor* found = find_tensor(name);
    if (found == nullptr) {
        return fail(ErrorCode::not_found, "{}: tensor '{}': not in the file", name_,
                    base::printable(name));
    }
    if (!found->dtype) {
        return fail(ErrorCode::unsupported,
                    "{}: tensor '{}': Hone does not compute with {}; it does with {}", name_,
                    base::printable(name), found->type_name, weight_types());
    }
    return found->view;
}

}  // namespace hone::formats
