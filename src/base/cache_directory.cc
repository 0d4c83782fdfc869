#include "base/cache_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <cctype>
#include <cerrno>
#include <csignal>
#include <ctime>
#include <filesystem>

#include "base/checksum.h"
#include "base/text.h"

namespace hone::base {
namespace {

namespace fs = std::filesystem;

// A temporary file that nobody finished for so long was left by a process that died.
constexpr double kAbandonedS = 3600;
// ".XXXXXX" of mkstemp(3).
constexpr size_t kTemporaryBytes = 7;

bool is_temporary(std::string_view suffix) {
    return suffix.size() == kTemporaryBytes && suffix.front() == '.' &&
           std::all_of(suffix.begin() + 1, suffix.end(),
                       [](unsigned char c) { return std::isalnum(c) != 0; });
}

double seconds_of(const timespec& time) {
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

bool unused_longer(const CachedFile& a, const CachedFile& b) {
    return a.unused_s > b.unused_s;
}

uint64_t bytes_of(const std::vector<CachedFile>& files) {
    uint64_t bytes = 0;
    for (const CachedFile& file : files) bytes += file.bytes;
    return bytes;
}

// The file as one of the cache's, where its name is.
std::optional<CachedFile> cached(const CacheDirectory& cache, const fs::directory_entry& entry) {
    CachedFile file;
    file.path = entry.path().string();
    file.name = entry.path().filename().string();
    const size_t at = file.name.rfind(cache.extension);
    if (at == std::string::npos) return std::nullopt;
    const std::string_view name = file.name;
    const std::string_view suffix = name.substr(at + cache.extension.size());
    file.unfinished = !suffix.empty();
    if (file.unfinished && !is_temporary(suffix)) return std::nullopt;
    if (cache.is_name != nullptr && !cache.is_name(name.substr(0, at))) return std::nullopt;
    struct stat facts {};
    if (lstat(file.path.c_str(), &facts) != 0 || !S_ISREG(facts.st_mode)) return std::nullopt;
    file.bytes = static_cast<uint64_t>(facts.st_size);
    timespec now{};
    clock_gettime(CLOCK_REALTIME, &now);
    double used_s = seconds_of(facts.st_mtim);
    if (cache.reading_is_use) used_s = std::max(used_s, seconds_of(facts.st_atim));
    file.unused_s = seconds_of(now) - used_s;
    return file;
}

}  // namespace

Result<CacheContents> list_cache(const CacheDirectory& cache) {
    CacheContents contents;
    std::error_code error;
    fs::directory_iterator entry(cache.path, error);
    if (error == std::errc::no_such_file_or_directory) return contents;
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
        auto file = cached(cache, *entry);
        if (file) {
            contents.files.push_back(std::move(*file));
        } else {
            contents.foreign.push_back(entry->path().filename().string());
        }
    }
    if (error) return fail(ErrorCode::unavailable, "{}: {}", cache.path, error.message());
    std::sort(contents.files.begin(), contents.files.end(), unused_longer);
    std::sort(contents.foreign.begin(), contents.foreign.end());
    return contents;
}

std::vector<CachedFile> chosen(std::vector<CachedFile> files, const CacheCut& cut) {
    if (!cut.older_than_s && !cut.keep_bytes) return files;
    std::stable_sort(files.begin(), files.end(), unused_longer);
    uint64_t left = bytes_of(files);
    std::vector<CachedFile> out;
    for (CachedFile& file : files) {
        const bool old = cut.older_than_s && file.unused_s > *cut.older_than_s;
        const bool above = cut.keep_bytes && left > *cut.keep_bytes;
        if (!old && !above) continue;
        left -= file.bytes;
        out.push_back(std::move(file));
    }
    return out;
}

bool in_use(const CachedFile& file) {
    if (file.unfinished) return file.unused_s < kAbandonedS;
    const int fd = open(file.path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0) return false;
    // Somebody who opens the file during the lease makes a signal, which must not end us.
    const bool quiet = fcntl(fd, F_SETSIG, SIGURG) == 0;
    const bool used = quiet && fcntl(fd, F_SETLEASE, F_WRLCK) != 0 && errno == EAGAIN;
    close(fd);
    return used;
}

Status make_room(const CacheDirectory& cache, uint64_t bytes) {
    std::error_code error;
    fs::create_directories(cache.path, error);
    if (error) return fail(ErrorCode::unavailable, "{}: {}", cache.path, error.message());
    if (bytes > cache.bytes_max) {
        return fail(ErrorCode::exhausted, "{} are above the cache's limit of {}",
                    format_bytes(static_cast<double>(bytes)),
                    format_bytes(static_cast<double>(cache.bytes_max)));
    }
    HONE_TRY(const CacheContents contents, list_cache(cache));
    uint64_t held = bytes_of(contents.files);
    for (const CachedFile& file : contents.files) {
        const bool abandoned = file.unfinished && file.unused_s > kAbandonedS;
        const bool oldest = !file.unfinished && held + bytes > cache.bytes_max;
        if ((abandoned || oldest) && fs::remove(file.path, error)) held -= file.bytes;
    }
    const fs::space_info space = fs::space(cache.path, error);
    if (!error && bytes > space.available / 2) {
        return fail(ErrorCode::exhausted, "{} are too much for the {} that the disk has left",
                    format_bytes(static_cast<double>(bytes)),
                    format_bytes(static_cast<double>(space.available)));
    }
    return {};
}

std::string checksum_name(std::string_view text) {
    return fmt::format("{:016x}", checksum(std::as_bytes(std::span(text))));
}

bool is_checksum_name(std::string_view name) {
    return name.size() == 16 &&
           name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

void mark_used(const std::string& path) {
    utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
}

}  // namespace hone::base
