#include "runtime/packed_cache.h"

#include <atomic>
#include <filesystem>
#include <span>
#include <system_error>
#include <utility>

#include "base/cache_directory.h"
#include "base/pending_file.h"
#include "runtime/packed_file.h"

namespace hone::runtime {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;

constexpr const char* kExtension = ".packed";

double ms_between(int64_t begin_ns, int64_t end_ns) {
    return static_cast<double>(end_ns - begin_ns) * 1e-6;
}

}  // namespace

base::CacheDirectory cache_directory(const PackedCacheOptions& options) {
    return {options.directory, kExtension, options.bytes_max, base::is_checksum_name};
}

PackedCache::PackedCache(PackedCacheOptions options, std::function<std::string()> identity,
                         const base::Clock& clock)
    : options_(std::move(options)), identity_of_(std::move(identity)), clock_(&clock) {}

bool PackedCache::may_have(const std::string& layout) const {
    const auto contents = base::list_cache(cache_directory(options_));
    if (!contents) return true;  // open() will say what is wrong
    for (const base::CachedFile& cached : contents->files) {
        if (cached.unfinished) continue;
        const auto file = base::MappedFile::open(cached.path);
        // A damaged one may be this one, and is to go then.
        if (!file) return true;
        const auto view = parse_packed_file(file->bytes());
        if (!view || view->description.ends_with(layout)) return true;
    }
    return false;
}

std::string PackedCache::describe(const std::string& layout) {
    if (identity_.empty()) identity_ = identity_of_();
    return identity_ + layout;
}

std::string PackedCache::path_of(const std::string& description) const {
    return fmt::format("{}/{}{}", options_.directory, base::checksum_name(description), kExtension);
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
    if (!may_have(layout)) {
        pack_begin_ns_ = clock_->now_ns();
        return std::nullopt;
    }
    const std::string description = describe(layout);
    const std::string path = path_of(description);
    auto file = open(path, description, bytes, team);
    if (file) {
        base::mark_used(path);
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

base::Status PackedCache::write(const std::string& description, tensor::Buffer& memory,
                                bool& discarded) {
    const uint64_t bytes = packed_file_bytes(memory.size(), description.size());
    HONE_TRY_STATUS(base::make_room(cache_directory(options_), bytes));
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
