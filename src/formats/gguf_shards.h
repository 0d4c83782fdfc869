// Joins the shards of a split model into the GgufFile of the first: private to this room, use
// GgufFile::open.
//
// A split model (ggml's gguf-split) is N files NAME-00001-of-0000N.gguf. Each has the keys split.no
// (from 0) and split.count, and a part of the tensors; split.tensors.count is their number in all.
// The other metadata is that of the first. The shards are foreign and each is checked as any file;
// here they are checked against each other.
#pragma once

#include <optional>
#include <string>

#include "base/result.h"
#include "formats/gguf.h"

namespace hone::formats {

inline constexpr uint64_t kGgufShardsMax = 1024;

struct ShardName {
    std::string prefix;   // path up to the number
    uint64_t number = 0;  // from 1
    uint64_t count = 0;

    // The path of another shard of the same model.
    std::string path_of(uint64_t other) const;
};

// nullopt when the path does not end in -NNNNN-of-NNNNN.gguf.
std::optional<ShardName> parse_shard_name(const std::string& path);

class GgufShards {
  public:
    // `file` was opened at `path` and says that it is one of several. Opens the others beside it
    // and adds their tensors. Errors: invalid_argument (not the first shard), not_found (a shard,
    // naming its file), corrupt (they do not fit together), exhausted (limits), and those of each
    // shard.
    static base::Status join(GgufFile& file, const std::string& path);

  private:
    static base::Result<GgufFile> open_shard(const std::string& path, uint64_t number,
                                             uint64_t count);
};

}  // namespace hone::formats
