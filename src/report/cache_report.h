// What `hone cache` prints: the files that the program keeps, by kind, and what became of them.
//
// All from values that the caller read; nothing is looked at here. Pure.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/cache_directory.h"
#include "base/json_fwd.h"
#include "report/style.h"

namespace hone::report {

enum class CacheFate : uint8_t { kept, removed, would_be_removed, in_use, failed };

struct CacheRow {
    base::CachedFile file;
    std::string about;  // model or processor and what of it, "" where that is not known
    CacheFate fate = CacheFate::kept;
};

struct CacheKind {
    std::string id;  // models | packed | weights | quality | machines
    std::string path;
    uint64_t bytes_max = 0;                 // 0: no limit
    std::vector<CacheRow> rows;             // the one not used for longest first
    std::vector<std::string> foreign = {};  // names that are none of the program's
};

struct CacheState {
    std::string path;
    std::vector<CacheKind> kinds;
    std::vector<std::string> foreign = {};  // beside the folders of the kinds
};

uint64_t bytes_of(const CacheKind& kind);

std::string render_cache(const CacheState& cache, const Style& style);
// {schema, path, bytes, kinds: [{kind, path, bytes, bytes_max or null, files: [{name, about, bytes,
// unused_s, unfinished}], foreign}], foreign}
base::Json cache_json(const CacheState& cache);

// What became of the files that were chosen.
std::string render_cleaning(const CacheState& cache, const Style& style);
// {schema, path, dry_run, gone_bytes, left_bytes (as if it were no dry run), files: as above with
// kind and fate (removed, would_be_removed, in_use, failed)}
base::Json cleaning_json(const CacheState& cache, bool dry_run);

}  // namespace hone::report
