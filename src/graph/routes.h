// Which experts each row of a step takes, and with which weights: the value that `route` makes.
//
// A slot is one (row, expert) pair; slots stand in order of experts, so that the rows of one expert
// are neighbours and its matrix is read once for all of them. A view over workspace memory; valid
// for one step. route_rows() is pure.
#pragma once

#include <cstddef>
#include <cstdint>

namespace hone::graph {

struct Routes {
    uint32_t* first_slot = nullptr;  // [n_experts + 1], ascending
    uint32_t* row_of = nullptr;      // [rows * n_used], by slot
    uint32_t* slot_of = nullptr;     // [rows][n_used]
    float* weight = nullptr;         // [rows][n_used]
    size_t n_experts = 0;
    size_t n_used = 0;

    size_t slots() const { return first_slot[n_experts]; }
};

size_t routes_bytes(size_t rows, size_t n_experts, size_t n_used);
Routes routes_at(std::byte* memory, size_t rows, size_t n_experts, size_t n_used);

// For each row of scores [rows][stride], n_experts of them: the n_used best experts (the lower
// index among equals) with the softmax over these as weights (Shazeer et al. 2017).
void route_rows(const float* scores, size_t stride, size_t rows, const Routes& out);

}  // namespace hone::graph
