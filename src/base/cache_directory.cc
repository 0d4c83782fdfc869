#include "base/cache_directory.h"

#include <fcntl.h>
#include <sys/stat.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/text.h"

namespace hone::base {
namespace {

namespace fs = std::filesystem;

// A temporary file that nobody finished for so long was left by a process that died.
constexpr auto kAbandoned = std::chrono::hours(1);

struct CacheFile {
    fs::path path;
    fs::file_time_type used;
    uint64_t bytes = 0;
    bool temporary = false;
};

// Files of the cache, the one not used for longest first.
std::vector<CacheFile> list_files(const CacheDirectory& cache) {
    std::vector<CacheFile> files;
    std::error_code error;
    for (const fs::directory_entry& entry : fs::directory_iterator(cache.path, error)) {
        const std::string name = entry.path().filename().string();
        const size_t at = name.rfind(cache.extension);
        if (at == std::string::npos || !entry.is_regular_file(error)) continue;
        CacheFile file{entry.path(), entry.last_write_time(error), entry.file_size(error),
                       at + cache.extension.size() != name.size()};
        if (!error) files.push_back(std::move(file));
    }
    std::sort(files.begin(), files.end(),
              [](const CacheFile& a, const CacheFile& b) { return a.used < b.used; });
    return files;
}

}  // namespace

Status make_room(const CacheDirectory& cache, uint64_t bytes) {
    if (bytes > cache.bytes_max) {
        return fail(ErrorCode::exhausted, "{} are above the cache's limit of {}",
                    format_bytes(static_cast<double>(bytes)),
                    format_bytes(static_cast<double>(cache.bytes_max)));
    }
    const std::vector<CacheFile> files = list_files(cache);
    std::error_code error;
    uint64_t held = 0;
    for (const CacheFile& file : files) held += file.bytes;
    const auto now = fs::file_time_type::clock::now();
    for (const CacheFile& file : files) {
        const bool abandoned = file.temporary && now - file.used > kAbandoned;
        const bool oldest = !file.temporary && held + bytes > cache.bytes_max;
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

void mark_used(const std::string& path) {
    utimensat(AT_FDCWD, path.c_str(), nullptr, 0);
}

}  // namespace hone::base
