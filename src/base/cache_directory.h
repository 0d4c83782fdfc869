// A directory of files that may be deleted at any time, kept below a limit.
//
// Files of the cache end in its extension; one that has more behind it is being written, or was
// left by a process that died. Everything else in the directory is left alone. The time of change
// of a file says when it was used last. Not an index: what is in a file is its owner's. Thread
// rule: none of its own; a file that another process deletes meanwhile is as good as deleted.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"

namespace hone::base {

struct CacheDirectory {
    std::string path;
    std::string extension;  // ".packed"
    uint64_t bytes_max = 0;
};

// Deletes what was not used for longest until `bytes` more are within the limit. exhausted when
// they cannot be, or would take more than half of what the disk has left, which is not for a cache
// to take.
Status make_room(const CacheDirectory& cache, uint64_t bytes);

// From now on the file counts as used.
void mark_used(const std::string& path);

}  // namespace hone::base
