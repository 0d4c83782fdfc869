// Where packed weights are kept from one load to the next: an interface that the runtime room
// implements over files.
//
// A layout is a text that says everything on which the packed bytes depend besides the stored
// weights: formats, shapes, names, order, and the version of the tiles. A store belongs to one
// model and knows which weights those are. Keeping is a convenience: find() has no errors, what is
// broken is as good as missing. Thread rule: one thread, outside of the team's run().
#pragma once

#include <cstddef>
#include <optional>
#include <string>

#include "base/mapped_file.h"
#include "base/result.h"
#include "machine/thread_team.h"
#include "tensor/buffer.h"

namespace hone::graph {

class PackedStore {
  public:
    virtual ~PackedStore() = default;

    // A file that begins with the `bytes` packed bytes of this layout, checked and in memory;
    // nothing when there is none.
    virtual std::optional<base::MappedFile> find(const std::string& layout, size_t bytes,
                                                 machine::ThreadTeam& team) = 0;

    // `memory` was packed since find() found nothing. Where it is worth it, moves the bytes into a
    // file and gives them back in `memory` piece by piece, so that they are never in memory twice;
    // nothing when `memory` stays as it is. An error means that `memory` is lost.
    virtual base::Result<std::optional<base::MappedFile>> keep(const std::string& layout,
                                                               tensor::Buffer& memory,
                                                               machine::ThreadTeam& team) = 0;
};

struct WeightMemory {
    PackedStore* store = nullptr;  // none: always packed
    bool lock = false;             // keep the packed weights in memory (mlock)
};

}  // namespace hone::graph
