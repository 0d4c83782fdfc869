#include "models/model_key.h"

#include <algorithm>
#include <cstdint>
#include <filesystem>

#include "base/mapped_file.h"
#include "models/checkpoint.h"

namespace hone::models {
namespace {

constexpr uint64_t kOffsetBasis = 0xcbf29ce484222325u;
constexpr uint64_t kPrime = 0x100000001b3u;
// The head has all metadata; samples of the rest tell weights apart without reading gigabytes.
constexpr size_t kHeadBytes = 1u << 20;
constexpr size_t kSampleBytes = 4096;
constexpr size_t kSamples = 64;

void mix(uint64_t& hash, std::span<const std::byte> bytes) {
    for (const std::byte byte : bytes) {
        hash = (hash ^ static_cast<uint64_t>(byte)) * kPrime;
    }
}

}  // namespace

base::Result<std::string> model_key(const std::string& path) {
    std::error_code ignored;
    if (!std::filesystem::is_directory(path, ignored)) {
        HONE_TRY(const auto file, base::MappedFile::open(path));
        return model_key(file.bytes());
    }
    HONE_TRY(const auto file, open_checkpoint(path));
    std::string keys = model_key(file.assembled_head());
    for (const base::MappedFile* part : file.maps()) keys += model_key(part->bytes());
    return model_key(std::as_bytes(std::span(keys)));
}

std::string model_key(std::span<const std::byte> bytes) {
    uint64_t hash = kOffsetBasis ^ bytes.size();
    mix(hash, bytes.first(std::min(bytes.size(), kHeadBytes)));
    for (size_t i = 1; i <= kSamples && bytes.size() > kHeadBytes; ++i) {
        const size_t at = (bytes.size() - kSampleBytes) / kSamples * i;
        mix(hash, bytes.subspan(at, kSampleBytes));
    }
    return fmt::format("{:016x}", hash);
}

}  // namespace hone::models
