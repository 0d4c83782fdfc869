#include "runtime/packed_cache.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>
#include <vector>

#include "base/checksum.h"
#include "base/pending_file.h"
#include "base/text.h"
#include "runtime/packed_file.h"

namespace hone::runtime {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;

constexpr const char* kExtension = ".packed";
// A temporary file that nobody finished for so long was left by a process that died.
constexpr auto kAbandoned = std::chrono::hours(1);

struct CacheFile {
    fs::path path;
    fs::file_time_type used;
    uint64_t bytes = 0;
    bool temporary = false;
};

// Files of the cache, the one not used for longest first; others are left alone.
std::vector<CacheFile> list_files(const std::string& directory) {
    std::vector<CacheFile> files;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(directory, error)) {
        const std::string name = entry.path().filename().string();
        const size_t at = name.rfind(kExtension);
        if (at == std::string::npos || !entry.is_regular_file(error)) continue;
        CacheFile file{entry.path(), entry.last_write_time(error), entry.file_size(error),
                       at + std::string_view(kExtension).size() != name.size()};
        if (!error) files.push_back(std::move(file));
    }
    std::sort(files.begin(), files.end(),
              [](const CacheFile& a, const CacheFile& b) { return a.used < b.used; });
    return files;
}

double ms_between(int64_t begin_ns, int64_t end_ns) {
    return static_cast<double>(end_ns - begin_ns) * 1e-6;
}

}  // namespace

PackedCache::PackedCache(PackedCacheOptions options, std::string identity, const base::Clock& clock)
    : options_(std::move(options)), identity_(std::move(identity)), clock_(&clock) {}

std::string PackedCache::describe(const std::string& layout) const {
    return identity_ + layout;
}

std::string PackedCache::path_of(const std::string& description) const {
    const uint64_t hash = base::checksum(std::as_bytes(std::span(description)));
    return fmt::format("{}/{:016x}{}", options_.directory, hash, kExtension);
}

base::Result<base::MappedFile> PackedCache::open(const std::string& path,
                                                 const std::string& description, size_t bytes,
                                                 machine::ThreadTeam& team) const {
    HONE_TRY(base::MappedFile file, base::MappedFile::open(path));
    const auto parsed = parse_packed_file(file.bytes());
    if (!parsed) return tl::unexpected(parsed.error().within(path));
    const PackedFileView& view = *parsed;
    if (view.description != description || view.payload.size() != bytes) {
        return base::fail(ErrorCode::corrupt, "{}: of another model", path);
    }
    // Each thread brings its part into memory and reads it through.
    std::atomic<bool> whole = true;
    team.run([&](int thread) {
        const auto range =
            machine::split_range(static_cast<int64_t>(view.pieces()), 1, thread, team.threads());
        for (auto i = static_cast<size_t>(range.begin); i < static_cast<size_t>(range.end); ++i) {
            file.prefault(i * kPackedPieceBytes, view.piece(i).size());
            if (!view.check(i)) whole = false;
        }
    });
    if (!whole) return base::fail(ErrorCode::corrupt, "{}: its checksum is wrong", path);
    return file;
}

std::optional<base::MappedFile> PackedCache::find(const std::string& layout, size_t bytes,
                                                  machine::ThreadTeam& team) {
    const std::string description = describe(layout);
    const std::string path = path_of(description);
    auto file = open(path, description, bytes, team);
    if (file) {
        // The time of change says when it was used last.
        utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
        return std::move(*file);
    }
    if (file.error().code != ErrorCode::not_found) {
        note_ =
            fmt::format("packed weights of an earlier load are not used: {}", file.error().message);
        std::error_code ignored;
        fs::remove(path, ignored);
    }
    pack_begin_ns_ = clock_->now_ns();
    return std::nullopt;
}

// Deletes until `bytes` more are within the limit. exhausted when they cannot be, or would take
// more than half of what the disk has left, which is not for a cache to take.
base::Status PackedCache::make_room(uint64_t bytes) const {
    if (bytes > options_.bytes_max) {
        return base::fail(ErrorCode::exhausted, "{} are above the cache's limit of {}",
                          base::format_bytes(static_cast<double>(bytes)),
                          base::format_bytes(static_cast<double>(options_.bytes_max)));
    }
    std::vector<CacheFile> files = list_files(options_.directory);
    std::error_code error;
    uint64_t held = 0;
    for (const CacheFile& file : files) held += file.bytes;
    const auto now = fs::file_time_type::clock::now();
    for (const CacheFile& file : files) {
        const bool abandoned = file.temporary && now - file.used > kAbandoned;
        const bool oldest = !file.temporary && held + bytes > options_.bytes_max;
        if ((abandoned || oldest) && fs::remove(file.path, error)) held -= file.bytes;
    }
    const fs::space_info space = fs::space(options_.directory, error);
    if (!error && bytes > space.available / 2) {
        return base::fail(ErrorCode::exhausted, "{} are too much for the {} that the disk has left",
                          base::format_bytes(static_cast<double>(bytes)),
                          base::format_bytes(static_cast<double>(space.available)));
    }
    return {};
}

base::Status PackedCache::write(const std::string& description, tensor::Buffer& memory,
                                bool& discarded) {
    std::error_code error;
    fs::create_directories(options_.directory, error);
    if (error) {
        return base::fail(ErrorCode::unavailable, "{}: {}", options_.directory, error.message());
    }
    const uint64_t bytes = packed_file_bytes(memory.size(), description.size());
    HONE_TRY_STATUS(make_room(bytes));
    HONE_TRY(base::PendingFile file, base::PendingFile::create(path_of(description)));
    HONE_TRY_STATUS(file.reserve(bytes));
    HONE_TRY_STATUS(write_packed_file(
        memory.span(), description,
        [&](std::span<const std::byte> piece) { return file.write(piece); },
        [&](size_t offset, size_t size) {
            memory.discard(offset, size);
            discarded = true;
        }));
    return file.commit_unsynced();
}

base::Result<std::optional<base::MappedFile>> PackedCache::keep(const std::string& layout,
                                                                tensor::Buffer& memory,
                                                                machine::ThreadTeam& team) {
    const int64_t begin_ns = clock_->now_ns();
    const bool worth = ms_between(pack_begin_ns_, begin_ns) >= options_.worth_ms;
    if (!worth && options_.mode != PackedCacheMode::on) return std::nullopt;
    const std::string description = describe(layout);
    bool discarded = false;
    const base::Status written = write(description, memory, discarded);
    std::optional<base::MappedFile> kept;
    base::Status status = written;
    if (written) {
        auto file = open(path_of(description), description, memory.size(), team);
        if (file) {
            kept = std::move(*file);
        } else {
            status = tl::unexpected(file.error());
        }
    }
    store_ms_ = ms_between(begin_ns, clock_->now_ns());
    if (kept) return kept;
    note_ = fmt::format("packed weights are not kept: {}", status.error().message);
    if (discarded) return tl::unexpected(status.error());
    return std::nullopt;
}

}  // namespace hone::runtime
