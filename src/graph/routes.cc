#include "graph/routes.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace hone::graph {
namespace {

// Experts of one row, best first, into `experts`; their softmax into `weights`.
void choose(const float* scores, const Routes& routes, uint32_t* experts, float* weights) {
    for (size_t j = 0; j < routes.n_used; ++j) {
        size_t best = routes.n_experts;
        for (size_t e = 0; e < routes.n_experts; ++e) {
            const bool taken = std::find(experts, experts + j, e) != experts + j;
            if (!taken && (best == routes.n_experts || scores[e] > scores[best])) best = e;
        }
        experts[j] = static_cast<uint32_t>(best);
    }
    float sum = 0;
    for (size_t j = 0; j < routes.n_used; ++j) {
        weights[j] = std::exp(scores[experts[j]] - scores[experts[0]]);
        sum += weights[j];
    }
    for (size_t j = 0; j < routes.n_used; ++j) weights[j] /= sum;
}

}  // namespace

size_t routes_bytes(size_t rows, size_t n_experts, size_t n_used) {
    return (n_experts + 1 + 3 * rows * n_used) * sizeof(uint32_t);
}

Routes routes_at(std::byte* memory, size_t rows, size_t n_experts, size_t n_used) {
    Routes routes;
    routes.first_slot = reinterpret_cast<uint32_t*>(memory);
    routes.row_of = routes.first_slot + n_experts + 1;
    routes.slot_of = routes.row_of + rows * n_used;
    routes.weight = reinterpret_cast<float*>(routes.slot_of + rows * n_used);
    routes.n_experts = n_experts;
    routes.n_used = n_used;
    return routes;
}

void route_rows(const float* scores, size_t stride, size_t rows, const Routes& out) {
    HONE_DCHECK(out.n_used <= out.n_experts);
    const size_t k = out.n_used;
    std::fill(out.first_slot, out.first_slot + out.n_experts + 1, 0u);
    // slot_of holds experts until all are counted.
    for (size_t r = 0; r < rows; ++r) {
        choose(scores + r * stride, out, out.slot_of + r * k, out.weight + r * k);
        for (size_t j = 0; j < k; ++j) ++out.first_slot[out.slot_of[r * k + j]];
    }
    uint32_t before = 0;
    for (size_t e = 0; e <= out.n_experts; ++e) {
        const uint32_t count = out.first_slot[e];
        out.first_slot[e] = before;
        before += count;
    }
    // first_slot[e] runs to the end of expert e, which is where e + 1 begins: shifted back after.
    for (size_t i = 0; i < rows * k; ++i) {
        const uint32_t slot = out.first_slot[out.slot_of[i]]++;
        out.row_of[slot] = static_cast<uint32_t>(i / k);
        out.slot_of[i] = slot;
    }
    for (size_t e = out.n_experts; e > 0; --e) out.first_slot[e] = out.first_slot[e - 1];
    out.first_slot[0] = 0;
}

}  // namespace hone::graph
