// Factors for the channels of each group (compress/scale_groups.h) that make the rounding of the
// readers' columns cost less: activation-aware scaling (Lin et al. 2023, AWQ).
//
// A block's step follows its largest weight, so the rounding error of every column in it is about
// the same, and what it costs is that error times the mean square h of the column's input. A column
// times s, its input divided by s: the error counts h / s^2, while the block's step grows only if
// the column is (or becomes) one of its largest. Tried are
//
//   s[c] = h[c]^(a/2) * m[c]^-b        a in {0, 1/8, 1/4, 3/8, 1/2}, b in {0, 1/2, 3/4, 1}
//
// m the root mean square of the column's weights, s of geometric mean 1. b is not in the paper
// (which has powers of h alone); a = b = 1/2 is what makes sum(h/s^2) sum(s^2 m^2) least. Each pair
// is judged by rounding some rows of every reader to the type it will have, scale search and
// importance included; the mean of the readers' errors, relative to theirs without scaling,
// decides, and a = b = 0 changes nothing. With feedback the diagonal of the factor stands for h in
// the errors.
//
// Takes what calibration knows and leaves it as it is after the scaling: importance / s^2, and the
// factor of H' = S^-1 H S^-1, which is S (A + I) S^-1 and D / s^2. So nothing has to be read again.
// Rows of makers are scaled as well; a row's factor changes no rounding but that of block scales.
//
// Memory: some rows of one group per thread. Pages of the file are given back.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "compress/guidance.h"
#include "compress/recipe.h"
#include "compress/scale_groups.h"
#include "formats/gguf.h"
#include "machine/thread_team.h"

namespace hone::compress {

struct ScaleChoice {
    std::string group;
    float activation_power = 0;  // a
    float weight_power = 0;      // b
    double error_ratio = 1;      // with the scaling to without it, mean of the readers
};

struct ChannelScaling {
    std::vector<ScaleChoice> groups;      // those of powers 0 are left as they were
    std::vector<UnscaledGroup> unscaled;  // and why

    // Mean over the groups.
    double error_ratio() const;
    size_t scaled() const;
};

// The factors go into `guidance.scaling`. A group with a tensor that keeps a type other than F32 is
// not scaled: what is copied otherwise would be rounded. Errors: cancelled. Weights that are not
// finite are left to who encodes them.
base::Result<ChannelScaling> scale_channels(const formats::GgufFile& file,
                                            const ScaleGroups& groups, const Recipe& recipe,
                                            Guidance& guidance, machine::ThreadTeam& team,
                                            const std::function<bool(double)>& go_on = {});

// One group by given factors, one per channel, each positive: what scale_channels does with those
// it has found.
void scale_group(const ScaleGroup& group, std::span<const float> factors, const Recipe& recipe,
                 Guidance& guidance);

}  // namespace hone::compress
