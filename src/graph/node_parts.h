// What the leaf functions of the executor share: how work is split, and how values become kernel
// arguments. For node_runner.cc, linear_runner.cc and attention_runner.cc alone.
#pragma once

#include <cstddef>
#include <cstdint>

#include "graph/node_runner.h"
#include "graph/routes.h"
#include "kernels/quantized_rows.h"

namespace hone::graph {

struct Range {
    size_t begin;
    size_t end;
};

// The part of `count` items, in grains, that is this thread's.
Range split(size_t count, size_t grain, int thread, int threads);
// A q8 value as `thread` sees it.
kernels::QuantizedRows quantized(const StepContext& step, ValueId value, int thread);

// Floats of scratch that one group of gate and up tiles needs, for as many rows as are done at
// once.
size_t gated_scratch_floats();

// A routes value, made for the rows of this step.
Routes routes_of(const StepContext& step, ValueId value, int thread);

void run_linear(const StepContext& step, uint32_t index, int thread);
// The tiles of a node with one matrix, `out` being the place of the first one's rows: for every row
// of its input, of an output as wide as the matrix.
void run_linear_tiles(const StepContext& step, uint32_t index, int thread, Range tiles, float* out);
void run_linear_screened(const StepContext& step, uint32_t index, int thread);
void run_expert_linear(const StepContext& step, uint32_t index, int thread);
void run_linear_gated(const StepContext& step, uint32_t index, int thread);
void run_rope_store(const StepContext& step, uint32_t index, int thread);
void run_attend(const StepContext& step, uint32_t index, int thread);

}  // namespace hone::graph
