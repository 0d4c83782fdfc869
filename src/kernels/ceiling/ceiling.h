// Loops that do nothing but reach a limit of the machine: the roofs of every roofline.
//
//   read:    sums `bytes` bytes with load-only vector code (weights are read-only, so this is the
//   roof
//            of decode); returns a checksum so that the loop cannot vanish.
//   write, copy: stores, and loads with stores; the streaming forms bypass the caches
//            (non-temporal stores, which read no line before writing it).
//   f32_fma: independent fused multiply-add chains; int8_dot: independent u8 x s8 dot chains in the
//   best
//            form of the ISA (maddubs + madd + add on AVX2, vpdpbusd with VNNI); bf16_dot likewise
//            or null.
//   dependent_adds: one addition after the other, each a cycle: the core's frequency.
//   chase:   one load after the other along a chain of pointers: latency.
// Each arithmetic loop returns the number of operations done (1 FMA = 2 FLOP, 1 MAC = 2 OP) for
// `iterations` rounds. Not timed here: probe does that with its own clock. No allocation.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/result.h"
#include "machine/isa.h"

namespace hone::kernels {

// Loops over memory take whole chunks of this many bytes.
constexpr size_t kCeilingChunkBytes = 512;

struct CeilingVariant {
    const char* name;
    machine::Isa isa;
    uint64_t (*read)(const std::byte* data,
                     size_t bytes) noexcept;  // 64-byte aligned, whole chunks
    // As read; copy must not overlap.
    void (*write)(std::byte* data, size_t bytes) noexcept;
    void (*write_streaming)(std::byte* data, size_t bytes) noexcept;
    void (*copy)(std::byte* to, const std::byte* from, size_t bytes) noexcept;
    void (*copy_streaming)(std::byte* to, const std::byte* from, size_t bytes) noexcept;
    double (*f32_fma)(size_t iterations, float* sink) noexcept;
    double (*int8_dot)(size_t iterations, int32_t* sink) noexcept;
    double (*bf16_dot)(size_t iterations, float* sink) noexcept;  // null where the ISA has none
};

// Makes `count` dependent additions (rounded up to whole rounds of 64) and returns how many.
size_t dependent_adds(size_t count) noexcept;
// Follows pointers stored at the start of each line; returns where it ends.
const void* chase(const void* start, size_t steps) noexcept;

std::span<const CeilingVariant> ceiling_variants();
base::Result<const CeilingVariant*> select_ceiling(machine::Isa have, std::string_view name = {});

}  // namespace hone::kernels
