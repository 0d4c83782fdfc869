// What the real linear kernels reach on this machine, by packed format, kernel and batch size.
//
// A roof nobody can reach misleads: the peak of an instruction says nothing about unpacking four
// bits. Weights stream: as many matrices of one shape as fill the arena are used in turn, so that
// their bytes come from where those of a model come from. Not the executor: no barriers, no fused
// epilogues. Thread rule: the caller's thread is member 0 of the team.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "kernels/linear/linear.h"
#include "machine/profile.h"
#include "machine/thread_team.h"
#include "tensor/buffer.h"

namespace hone::probe {

// Between a small model's projections (576 x 576) and a large one's: both sides of a tile are long
// enough that the edges do not count.
inline constexpr uint32_t kGemmRows = 2048;
inline constexpr uint32_t kGemmColumns = 1024;
inline constexpr uint32_t kGemmBatches[] = {1, 8, 64, 256};

// Memory of all products: filled with small finite numbers once.
class GemmArena {
  public:
    // exhausted. At least one matrix of the largest format; touched by the members of the team.
    static base::Result<GemmArena> create(machine::ThreadTeam& team, uint64_t weight_bytes);

    // nullopt when the clock did not move. m up to the largest of kGemmBatches.
    std::optional<machine::GemmPoint> measure(machine::ThreadTeam& team,
                                              const kernels::LinearVariant& variant, uint32_t m,
                                              double budget_s, const base::Clock& clock);

  private:
    tensor::Buffer weights_;
    tensor::Buffer quantized_;
    tensor::Buffer rows_;
    tensor::Buffer out_;
};

// The kernels worth a place in a profile, best first: for each format and class of activations
// every level the CPU has from avx2 on (only portable where it has no other).
std::vector<const kernels::LinearVariant*> gemm_variants(machine::Isa have);

}  // namespace hone::probe
