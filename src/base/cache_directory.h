// A directory of files that may be deleted at any time, kept below a limit.
//
// Files of the cache end in its extension; one with a dot and six letters or digits behind it
// (base/pending_file.h) is being written, or was left by a process that died. Everything else in
// the directory is left alone: other names, links, directories. A file was used last at its time of
// change, which mark_used() sets, or, where the owner knows files by that time, of access. Not an
// index: what is in a file is its owner's. Thread rule: none of its own; a file that another
// process deletes meanwhile is as good as deleted.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hone::base {

struct CacheDirectory {
    std::string path;
    std::string extension;  // ".packed"
    uint64_t bytes_max = 0;
    // Whether what stands before the extension is a name that the owner gives; null: all are.
    bool (*is_name)(std::string_view name) = nullptr;
    bool reading_is_use = false;  // the time of access counts too
};

struct CachedFile {
    std::string path;
    std::string name;
    uint64_t bytes = 0;
    double unused_s = 0;      // since it was used last
    bool unfinished = false;  // a temporary file, of a writer that lives or one that died
};

struct CacheContents {
    std::vector<CachedFile> files;     // the one not used for longest first
    std::vector<std::string> foreign;  // names of everything else, sorted
};

// A directory that is not there is empty. unavailable: it cannot be read.
Result<CacheContents> list_cache(const CacheDirectory& cache);

// What is to go of `files`, oldest first: what was not used for longer than `older_than_s`, and
// more until what is left is within `keep_bytes`. Without either, all.
struct CacheCut {
    std::optional<double> older_than_s;
    std::optional<uint64_t> keep_bytes;
};
std::vector<CachedFile> chosen(std::vector<CachedFile> files, const CacheCut& cut);

// Whether a process has the file open or mapped, as far as the system tells its owner (a lease,
// fcntl(2)); or it is unfinished and may still be written.
bool in_use(const CachedFile& file);

// Makes the directory where there is none, and deletes what was not used for longest until `bytes`
// more are within the limit. unavailable: it cannot be made; exhausted: they cannot be within, or
// would take more than half of what the disk has left, which is not for a cache to take.
Status make_room(const CacheDirectory& cache, uint64_t bytes);

// From now on the file counts as used, and as changed.
void mark_used(const std::string& path);

// The name of a file that is known by a text, which does not say what is in it: a checksum as 16
// hexadecimal digits.
std::string checksum_name(std::string_view text);
bool is_checksum_name(std::string_view name);

}  // namespace hone::base
