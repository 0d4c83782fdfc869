#include "kernels/linear/level_table.h"

#include "tensor/iq_grids.h"

namespace hone::kernels {
namespace {

using tensor::DType;

constexpr std::array<int8_t, 16> kTernary{-1, 0, 1, 2};
// 8 * {-1, 0, 1} + 1: a group with the other delta is stored negated, with a negative scale.
constexpr std::array<int8_t, 16> kIq1S{-7, 1, 9, 15};
constexpr std::array<int8_t, 16> kIq1M{-9, -7, -1, 1, 7, 9, -63, 63};
constexpr std::array<int8_t, 16> kIq2{-43, -25, -8, 8, 25, 43, -63, 63};
constexpr std::array<int8_t, 16> kQ3{-4, -3, -2, -1, 0, 1, 2, 3};
constexpr std::array<int8_t, 16> kIq3Xxs{-62, -52, -44, -36, -28, -20, -12, -4,
                                         4,   12,  20,  28,  36,  44,  52,  62};
constexpr std::array<int8_t, 16> kIq3S{-15, -13, -11, -9, -7, -5, -3, -1,
                                       1,   3,   5,   7,  9,  11, 13, 15};

struct Entry {
    DType dtype;
    LevelTable table;
};

constexpr Entry kTables[] = {
    {DType::iq1_s, {PackFormat::t2, kIq1S}},
    {DType::tq1_0, {PackFormat::t2, kTernary}},
    {DType::tq2_0, {PackFormat::t2, kTernary}},
    {DType::iq2_xxs, {PackFormat::t3, kIq2}},
    {DType::iq2_xs, {PackFormat::t3h, kIq2}},
    {DType::iq2_s, {PackFormat::t3h, kIq2}},
    {DType::iq1_m, {PackFormat::t3h, kIq1M}},
    {DType::q3_k, {PackFormat::t3h, kQ3}},
    {DType::iq3_xxs, {PackFormat::t4, kIq3Xxs}},
    {DType::iq3_s, {PackFormat::t4, kIq3S}},
    {DType::iq4_nl, {PackFormat::t4, tensor::kIq4Levels}},
    {DType::iq4_xs, {PackFormat::t4, tensor::kIq4Levels}},
    {DType::mxfp4, {PackFormat::t4, tensor::kMxfp4Levels}},
};

}  // namespace

const LevelTable* level_table(DType dtype) {
    for (const Entry& entry : kTables) {
        if (entry.dtype == dtype) return &entry.table;
    }
    return nullptr;
}

}  // namespace hone::kernels
