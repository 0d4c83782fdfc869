// The code books of the IQ1, IQ2 and IQ3 block types: which combinations of 8 (or 4) small values
// exist. Constants of the file format (ggml), written by make_iq_grids.py.
//
// An entry holds the ranks of its values among the levels below, the first value in the lowest
// bits: 8 ranks of 2 bits for IQ1 and IQ2, 4 ranks of 3 bits for IQ3. Not the signs, which blocks
// of IQ2 and IQ3 store apart. Constants; safe from any thread.
#pragma once

#include <array>
#include <cstdint>

namespace hone::tensor {

extern const std::array<uint16_t, 2048> kIq1Grid;  // IQ1_S, IQ1_M
extern const std::array<uint16_t, 256> kIq2XxsGrid;
extern const std::array<uint16_t, 512> kIq2XsGrid;
extern const std::array<uint16_t, 1024> kIq2SGrid;
extern const std::array<uint16_t, 256> kIq3XxsGrid;
extern const std::array<uint16_t, 512> kIq3SGrid;

inline constexpr std::array<int8_t, 3> kIq1Levels{-1, 0, 1};
inline constexpr std::array<int8_t, 3> kIq2Levels{8, 25, 43};
inline constexpr std::array<int8_t, 8> kIq3XxsLevels{4, 12, 20, 28, 36, 44, 52, 62};
inline constexpr std::array<int8_t, 8> kIq3SLevels{1, 3, 5, 7, 9, 11, 13, 15};
// IQ4_NL and IQ4_XS: the value of each 4-bit code.
inline constexpr std::array<int8_t, 16> kIq4Levels{-127, -104, -83, -65, -49, -35, -22, -10,
                                                   1,    13,   25,  38,  53,  69,  89,  113};
// MXFP4: the value of each 4-bit code (e2m1 of the OCP Microscaling specification, doubled).
inline constexpr std::array<int8_t, 16> kMxfp4Levels{0, 1,  2,  3,  4,  6,  8,  12,
                                                     0, -1, -2, -3, -4, -6, -8, -12};

}  // namespace hone::tensor
