// A screened head: which logits can be the largest is known from a copy of the head in 5 bits, and
// only those are computed.
//
// The head of a small model with a large vocabulary is read whole for every token, to choose one of
// its rows. Here each row w has a rounded copy v in fewer bytes (kScreenType), and the error of its
// score is bounded: |w x - v x| <= |w - v| |x| (Cauchy and Schwarz). So a step
//   1. computes the scores v x of all rows                            (linear, ScreenAttributes)
//   2. computes w x for the tile of 16 rows with the best score, which gives a threshold t
//   3. computes w x for every tile with a row of v x + bound |x| >= t - margin; all others are -inf
//                                                                     (linear_screened)
// `bound` is |w - v| and what both products may be off by rounding (packed_weights.h). What is
// computed comes from the very kernel and weights of the full head, so whatever a sampler can
// choose within the margin is bit for bit what it would have been; it is a proof, not a guess. In
// steps with several output rows or without a margin, node 1 does nothing and node 2 is the full
// head. So are the steps after one in which too many tiles could win (ScreenMeter). Not a pass: it
// needs memory for the copy and pays only where the head's rows are large. Why 5 bits:
// docs/ARCHITECTURE.md.
#pragma once

#include "base/result.h"
#include "graph/graph.h"

namespace hone::graph {

// Packed, it is cost::kScreenFormat.
inline constexpr tensor::DType kScreenType = tensor::DType::q5_0;

// Whether the next step is worth screening. A text may keep the model so unsure that most rows
// could win; then scores are read for nothing, and the full head is computed for some steps before
// the next trial. Counts rows, not time, so equal requests take equal steps. One thread.
class ScreenMeter {
  public:
    // Of all tiles: with the scores' two thirds of the head's bytes, more is a loss.
    static constexpr double kPauseShare = 0.3;
    static constexpr uint32_t kPauseSteps = 32;

    // Asked once for each step that could be screened.
    bool wants_screen();
    // After a step that was.
    void add(size_t tiles_computed, size_t tiles);

  private:
    uint32_t pause_steps_ = 0;
};

// Rewrites the head of an optimized graph. unsupported: there is none with one matrix as the last
// node (an encoder's graph, capped logits, a head merged from parts), or the copy would be too
// large beside it (cost::kScreenShareMax).
base::Status screen_head(Graph& graph);

}  // namespace hone::graph
