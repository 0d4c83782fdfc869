// Keeps the measured MachineProfile of each machine as one JSON file in a directory of the caller.
//
// Files are named by fingerprint, so a home directory shared by several machines holds one each.
// A cache is a convenience: a file that is missing, corrupt, of another machine or without ceilings
// is as good as none, never an error. Facts of the running machine replace those of the file, since
// free memory and the like change. Thread rule: none of its own; two processes writing at once
// leave one whole file.
#pragma once

#include <optional>
#include <string>

#include "base/cache_directory.h"
#include "base/clock.h"
#include "base/result.h"
#include "machine/isa.h"
#include "machine/profile.h"
#include "probe/ceilings.h"
#include "probe/conduct.h"

namespace hone::probe {

// The directory and what is of these files in it; no limit.
base::CacheDirectory profiles_directory(const std::string& path);

// The profile in a file of that directory; nothing where it is missing, too large or corrupt.
std::optional<machine::MachineProfile> read_profile(const std::string& path);

class ProfileCache {
  public:
    // "" keeps nothing and finds nothing.
    explicit ProfileCache(std::string directory) : directory_(std::move(directory)) {}

    std::optional<machine::MachineProfile> load(const machine::MachineFacts& facts) const;
    // Makes the directory where it is missing. unavailable or what the write says.
    base::Status save(const machine::MachineProfile& profile) const;
    // Where the profile with that fingerprint lies; "" without a directory.
    std::string path(const std::string& fingerprint) const;

    // The directory, made where it was missing; "" when there is none or it cannot be made.
    std::string make_directory() const;

  private:
    std::string directory_;
};

struct CachedCeilings {
    machine::MachineProfile profile;
    bool from_cache = false;
    std::string cache_note;  // why the profile could not be kept, "" when all is well
};

// The cached profile, or (when there is none, it is below what the machine gives now, or `refresh`)
// a measured one, which is then kept, unless the machine was so busy that its roofs would mislead
// every later run. Looking at a cached one takes about 0.2 s: one bandwidth point is read again.
base::Result<CachedCeilings> ceilings_of_machine(const machine::MachineFacts& facts,
                                                 machine::Isa isa, const base::Clock& clock,
                                                 const ProfileCache& cache, bool refresh,
                                                 const CeilingOptions& options = {},
                                                 const Conduct& conduct = {});

}  // namespace hone::probe
