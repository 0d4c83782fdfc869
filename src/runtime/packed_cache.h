// Packed weights on disk: what a later load of the same model maps instead of packing again.
//
// One file (runtime/packed_file.h) per model, layout of the plan and version of the tiles, in a
// directory of the caller. The name is a hash of a description that the file has in full, so a file
// of another model is never taken. The directory may be deleted at any time, also while a process
// maps it. It holds at most `bytes_max`; the file that was not used for longest goes first. A file
// that is broken, or that cannot be written, is as good as none: there is a note, and a broken one
// is deleted. Two processes writing at once leave one whole file.
//
// Files are used where they lie. Their pages are shared by all processes, are there at once where
// they are in memory already, and can be dropped by the kernel (docs/ARCHITECTURE.md has the
// alternative and the measurement). A find() that finds nothing begins the packing that keep() then
// judges: `automatic` keeps what took longer than `worth_ms`. Where no file has the layout that is
// asked for, the model's bytes are not looked at. Thread rule: that of PackedStore.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>

#include "base/cache_directory.h"
#include "base/clock.h"
#include "graph/packed_store.h"

namespace hone::runtime {

enum class PackedCacheMode : uint8_t { off, automatic, on };

struct PackedCacheOptions {
    PackedCacheMode mode = PackedCacheMode::automatic;
    std::string directory = {};  // "" = no cache, whatever the mode
    uint64_t bytes_max = uint64_t{16} << 30;
    // Packing is worth a file from here on. Less is hardly noticed by whoever waits for a model to
    // answer, and a file of its size is a lot for it.
    double worth_ms = 1000;

    bool enabled() const { return mode != PackedCacheMode::off && !directory.empty(); }
};

// The directory of options.directory and what is the cache's own in it.
base::CacheDirectory cache_directory(const PackedCacheOptions& options);

class PackedCache final : public graph::PackedStore {
  public:
    // `identity` names the model's bytes (models::Model::identity), which takes reading some of
    // them: called once at most. The clock is borrowed.
    PackedCache(PackedCacheOptions options, std::function<std::string()> identity,
                const base::Clock& clock);

    std::optional<base::MappedFile> find(const std::string& layout, size_t bytes,
                                         machine::ThreadTeam& team) override;
    base::Result<std::optional<base::MappedFile>> keep(const std::string& layout,
                                                       tensor::Buffer& memory,
                                                       machine::ThreadTeam& team) override;

    // What the user should know, one line: a broken file, no room. "" when all is well.
    const std::string& note() const { return note_; }
    // What the last keep() took to write a file, or to try to.
    std::optional<double> store_ms() const { return store_ms_; }

  private:
    // False where no whole file of the directory has that layout.
    bool may_have(const std::string& layout) const;
    std::string describe(const std::string& layout);
    std::string path_of(const std::string& description) const;
    base::Result<base::MappedFile> open(const std::string& path, const std::string& description,
                                        size_t bytes, machine::ThreadTeam& team) const;
    base::Status write(const std::string& description, tensor::Buffer& memory, bool& discarded);

    PackedCacheOptions options_;
    std::function<std::string()> identity_of_;
    std::string identity_;  // "" until asked for
    const base::Clock* clock_;
    int64_t pack_begin_ns_ = 0;
    std::optional<double> store_ms_;
    std::string note_;
};

}  // namespace hone::runtime
