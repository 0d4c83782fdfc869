// What the linear kernels of this machine reach at a number of activation rows, from the points of
// its profile: the shape of a utilization curve between the sizes that a run has shown.
//
// Not specific to a model: the profile's products have one shape. Pure.
#pragma once

#include <optional>
#include <string>

#include "machine/profile.h"

namespace hone::cost {

struct KernelQuery {
    std::string format;  // "u4m+u6" is the mean of its parts
    bool int8 = true;    // class of activations
    std::string isa;
    int threads = 1;
};

// Time of one multiply-add at that many activation rows, ns, between the two nearest batches of
// the profile in log space, the nearest one beyond them. nullopt when the profile has no such
// kernel. `exact`: that batch was measured.
struct KernelTime {
    double ns = 0;
    bool exact = false;
};
std::optional<KernelTime> kernel_time(const machine::MachineProfile& profile,
                                      const KernelQuery& query, double rows);

// The best level up to `limit` for which the profile has points of that kernel; nullopt without.
std::optional<std::string> best_kernel_level(const machine::MachineProfile& profile,
                                             const KernelQuery& query, const std::string& limit);

// Packed bytes per weight of a format (kernels' 16 x 32 tiles); nullopt for an unknown name. A
// merged linear in two formats counts as their mean.
std::optional<double> format_bytes_per_weight(std::string_view format);

}  // namespace hone::cost
