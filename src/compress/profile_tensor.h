// Looks at the values of one tensor, and at what becomes of them in other types.
//
// Each type is tried as `hone quantize` would write it (compress/encode.h, no importance): rows are
// encoded, decoded as any reader does, and compared. A tensor streams through in pieces of 4096
// elements, so memory does not depend on its size: at most some MiB for each type
// (measure/float_histogram.h), in 8 lanes. Lanes, not threads, own the sums: the same result with
// any number of threads. Values that are not finite are counted, and left out of all else; a type
// that cannot hold them says so in its reason.
//
// Errors of `stored_as` have their bins on one common range. Not a judgement of what an error does
// to the model: that takes the activations (compress/sensitivity.h) or a text (room quality).
#pragma once

#include <functional>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "formats/gguf.h"
#include "machine/thread_team.h"
#include "measure/tensor_profile.h"
#include "tensor/dtype.h"

namespace hone::compress {

// Weights of the example: a block of the smallest types.
inline constexpr uint64_t kExampleElements = 32;

// Runs of kExampleElements in a tensor, the last perhaps shorter.
uint64_t example_count(const formats::GgufTensor& tensor);

struct ProfileOptions {
    std::span<const tensor::DType> types;  // each with can_encode()
    // Which 32 weights in a row the BlockViews show; none from example_count() on.
    uint64_t example = 0;
    std::function<bool(double)> go_on;  // share done; false stops
};

// Tensors whose name is `pattern` or matches it (* and ?), in the order of the file. Errors:
// not_found, with the closest name there is.
base::Result<std::vector<const formats::GgufTensor*>> find_tensors(const formats::GgufFile& file,
                                                                   std::string_view pattern);

// Errors: unsupported (a tensor of a type that cannot be read), cancelled.
base::Result<measure::TensorProfile> profile_tensor(const formats::GgufTensor& tensor,
                                                    const ProfileOptions& options,
                                                    machine::ThreadTeam& team);

}  // namespace hone::compress
