#include "probe/ceiling_gemm.h"

#include <algorithm>
#include <cstring>
#include <string_view>

#include "base/check.h"
#include "probe/ceiling_points.h"

namespace hone::probe {
namespace {

constexpr uint32_t kGemmBatchMax = 256;

kernels::LinearArgs arguments(const kernels::LinearVariant& variant,
                              const kernels::QuantizedRows& quantized, const float* rows,
                              uint32_t m) {
    kernels::LinearArgs args;
    args.tile_bytes = kernels::packed_tile_bytes(variant.format, kGemmColumns);
    args.columns = kGemmColumns;
    args.n_cols = m;
    args.out_stride = kGemmRows;
    if (variant.activation == kernels::ActivationClass::quantized) {
        args.quantized = &quantized;
    } else {
        args.rows = rows;
        args.rows_stride = kGemmColumns;
    }
    return args;
}

}  // namespace

base::Result<GemmArena> GemmArena::create(machine::ThreadTeam& team, uint64_t weight_bytes) {
    const uint64_t largest = kernels::packed_tile_bytes(kernels::PackFormat::f32, kGemmColumns) *
                             kGemmRows / kernels::kTileRows;
    GemmArena arena;
    HONE_TRY(arena.weights_, tensor::Buffer::allocate(std::max(weight_bytes, largest)));
    HONE_TRY(arena.quantized_,
             tensor::Buffer::allocate(kernels::quantized_rows_bytes(kGemmBatchMax, kGemmColumns)));
    HONE_TRY(arena.rows_, tensor::Buffer::allocate(kGemmBatchMax * kGemmColumns * sizeof(float)));
    HONE_TRY(arena.out_, tensor::Buffer::allocate(kGemmBatchMax * kGemmRows * sizeof(float)));
    // 0x2c2c is 0.065 as f16, and normal as bf16 and as f32: arithmetic takes the same time for all
    // finite numbers but denormal ones.
    team.run([&](int thread) {
        const auto range = machine::split_range(static_cast<int64_t>(arena.weights_.size()), 4096,
                                                thread, team.threads());
        std::memset(arena.weights_.data() + range.begin, 0x2c,
                    static_cast<size_t>(range.end - range.begin));
    });
    const auto x = kernels::quantized_rows_at(arena.quantized_.data(), kGemmBatchMax, kGemmColumns);
    auto* rows = reinterpret_cast<float*>(arena.rows_.data());
    for (size_t i = 0; i < size_t{kGemmBatchMax} * kGemmColumns; ++i) {
        x.q[i] = static_cast<int8_t>(i * 37 % 255 - 127);
        rows[i] = 0.01f * static_cast<float>(x.q[i]);
    }
    std::fill_n(x.scale, size_t{kGemmBatchMax} * kGemmColumns / kernels::kBlock, 0.01f);
    return arena;
}

std::optional<machine::GemmPoint> GemmArena::measure(machine::ThreadTeam& team,
                                                     const kernels::LinearVariant& variant,
                                                     uint32_t m, double budget_s,
                                                     const base::Clock& clock) {
    HONE_CHECK_LE(m, kGemmBatchMax);
    const auto x = kernels::quantized_rows_at(quantized_.data(), kGemmBatchMax, kGemmColumns);
    const auto* rows = reinterpret_cast<const float*>(rows_.data());
    const kernels::LinearArgs common = arguments(variant, x, rows, m);
    const size_t tiles = kGemmRows / kernels::kTileRows;
    const size_t matrices = weights_.size() / (tiles * common.tile_bytes);
    size_t matrix = 0;
    const auto rate = sample_rate(clock, budget_s, [&](int64_t rounds) {
        for (int64_t i = 0; i < rounds; ++i) {
            const std::byte* base = weights_.data() + matrix * tiles * common.tile_bytes;
            matrix = (matrix + 1) % matrices;
            team.run([&](int thread) {
                const auto range =
                    machine::split_range(static_cast<int64_t>(tiles), 1, thread, team.threads());
                kernels::LinearArgs args = common;
                args.tiles = base + static_cast<size_t>(range.begin) * common.tile_bytes;
                args.n_tiles = static_cast<size_t>(range.end - range.begin);
                args.out = reinterpret_cast<float*>(out_.data()) +
                           static_cast<size_t>(range.begin) * kernels::kTileRows;
                if (args.n_tiles > 0) variant.fn(args);
            });
        }
        return static_cast<double>(rounds);
    });
    if (!rate) return std::nullopt;
    const bool int8 = variant.activation == kernels::ActivationClass::quantized;
    return machine::GemmPoint{kernels::pack_format_name(variant.format),
                              int8 ? "int8" : "f32",
                              variant.name,
                              kGemmRows,
                              kGemmColumns,
                              m,
                              team.threads(),
                              1 / rate->median,
                              tiles * common.tile_bytes};
}

std::vector<const kernels::LinearVariant*> gemm_variants(machine::Isa have) {
    std::vector<const kernels::LinearVariant*> out;
    for (const kernels::LinearVariant& variant : kernels::linear_variants()) {
        if (variant.isa > have || std::string_view(variant.name) == "reference") continue;
        if (variant.isa == machine::Isa::portable && have >= machine::Isa::avx2) continue;
        out.push_back(&variant);
    }
    return out;
}

}  // namespace hone::probe
