#include "formats/gguf_shards.h"

#include <fmt/format.h>

#include <charconv>
#include <utility>

#include "formats/gguf_parser.h"

namespace hone::formats {

namespace {

using base::ErrorCode;
using base::fail;
using base::Result;
using base::Status;

constexpr std::string_view kExtension = ".gguf";
constexpr std::string_view kOf = "-of-";
constexpr size_t kDigits = 5;

// Five digits at `at`.
std::optional<uint64_t> number_at(std::string_view text, size_t at) {
    uint64_t value = 0;
    const char* begin = text.data() + at;
    const auto parsed = std::from_chars(begin, begin + kDigits, value);
    if (parsed.ec != std::errc() || parsed.ptr != begin + kDigits) return std::nullopt;
    return value;
}

// What a shard says of itself.
struct SplitKeys {
    uint64_t number = 0;  // from 0
    uint64_t count = 0;
};

Result<SplitKeys> split_keys(const GgufFile& shard) {
    SplitKeys keys;
    HONE_TRY(keys.number, shard.get_u64("split.no"));
    HONE_TRY(keys.count, shard.get_u64("split.count"));
    return keys;
}

Status check_first(const GgufFile& file, const std::string& path, const SplitKeys& keys) {
    if (keys.count > kGgufShardsMax) {
        return fail(ErrorCode::exhausted, "{}: {} shards, more than the {} that Hone accepts", path,
                    keys.count, kGgufShardsMax);
    }
    const auto name = parse_shard_name(path);
    if (!name || name->count != keys.count) {
        return fail(ErrorCode::invalid_argument,
                    "{}: is one of {} shards, but its name does not end in -00001-of-{:05}.gguf, "
                    "so the others cannot be found",
                    file.name(), keys.count, keys.count);
    }
    if (keys.number != 0) {
        return fail(ErrorCode::invalid_argument, "{}: is shard {} of {}; open the first, {}", path,
                    keys.number + 1, keys.count, name->path_of(1));
    }
    if (name->number != 1) {
        return fail(ErrorCode::corrupt, "{}: says that it is shard 1 of {}", path, keys.count);
    }
    return {};
}

}  // namespace

std::string ShardName::path_of(uint64_t other) const {
    return fmt::format("{}-{:05}{}{:05}{}", prefix, other, kOf, count, kExtension);
}

std::optional<ShardName> parse_shard_name(const std::string& path) {
    constexpr size_t kTail = 1 + kDigits + kOf.size() + kDigits + kExtension.size();
    if (path.size() < kTail || !path.ends_with(kExtension)) return std::nullopt;
    const size_t tail = path.size() - kTail;
    const size_t of = tail + 1 + kDigits;
    if (path[tail] != '-' || path.compare(of, kOf.size(), kOf) != 0) return std::nullopt;
    const auto number = number_at(path, tail + 1);
    const auto count = number_at(path, of + kOf.size());
    if (!number || !count || *number == 0 || *number > *count) return std::nullopt;
    return ShardName{path.substr(0, tail), *number, *count};
}

Result<GgufFile> GgufShards::open_shard(const std::string& path, uint64_t number, uint64_t count) {
    auto shard = GgufFile::open_one(path);
    if (!shard && shard.error().code == ErrorCode::not_found) {
        return fail(ErrorCode::not_found, "{}: missing: shard {} of {}", path, number + 1, count);
    }
    if (!shard) return shard;
    HONE_TRY(const SplitKeys keys, split_keys(*shard));
    if (keys.number != number || keys.count != count) {
        return fail(ErrorCode::corrupt, "{}: says that it is shard {} of {}, expected {} of {}",
                    path, keys.number + 1, keys.count, number + 1, count);
    }
    return shard;
}

Status GgufShards::join(GgufFile& file, const std::string& path) {
    HONE_TRY(const SplitKeys keys, split_keys(file));
    HONE_TRY_STATUS(check_first(file, path, keys));
    const ShardName name = *parse_shard_name(path);
    for (uint64_t number = 1; number < keys.count; ++number) {
        HONE_TRY(GgufFile shard, open_shard(name.path_of(number + 1), number, keys.count));
        if (file.tensors_.size() + shard.tensors_.size() > kGgufTensorsMax) {
            return fail(ErrorCode::exhausted, "{}: more than {} tensors in its shards", path,
                        kGgufTensorsMax);
        }
        for (GgufTensor tensor : shard.tensors_) {
            tensor.shard = static_cast<uint32_t>(number);
            file.tensors_.push_back(std::move(tensor));
        }
        file.more_.push_back(std::move(shard));
    }
    HONE_TRY(const uint64_t expected, file.get_u64_or("split.tensors.count", file.tensors_.size()));
    if (expected != file.tensors_.size()) {
        return fail(ErrorCode::corrupt, "{}: {} tensors in {} shards, expected {}", path,
                    file.tensors_.size(), keys.count, expected);
    }
    const auto status = GgufParser::index_tensors(file);
    if (!status) return tl::unexpected(status.error().within(path));
    return {};
}

}  // namespace hone::formats
