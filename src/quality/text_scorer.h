// How well a model predicts a text, token by token, and how far its predictions are from those of a
// reference: what perplexity, KL divergence and top-1 agreement are made of.
//
// The text is read with the true tokens as context (nothing is sampled), in windows:
//   llama    windows of `context` tokens side by side; the first half of each is context only, its
//            first token is BOS where the model wants one. The window of llama-perplexity, whose
//            figures these can be compared with. What is left at the end is not scored.
//   sliding  windows of `context` tokens that move by half; each token is scored once, all but
//            those of the first window after at least context / 2 tokens.
// Sums are kept per window, because tokens of one window are not independent: intervals are made
// from windows. Not a benchmark of speed. Thread rule: drives the sessions from the calling thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "base/result.h"
#include "runtime/session.h"

namespace hone::quality {

enum class Window : uint8_t { llama, sliding };

struct WindowOptions {
    Window window = Window::llama;
    uint32_t context = 512;    // at least 8
    uint32_t windows_max = 0;  // 0 = the whole text
};

// Sums over the scored tokens of one window, in nats.
struct ScoredWindow {
    size_t n = 0;
    double nll = 0;            // -ln p(token)
    double nll_reference = 0;  // by the reference, likewise below
    double kl = 0;             // KL(reference || model), over the whole vocabulary
    size_t same_top = 0;       // tokens where both find the same token likeliest
};

// `reference` may be null. `go_on` is told the share that is done and answers whether to go on.
// Errors: invalid_argument (a text shorter than one window, a context out of range, a reference
// with another vocabulary), exhausted (memory), cancelled.
base::Result<std::vector<ScoredWindow>> score_text(runtime::Session& session,
                                                   runtime::Session* reference,
                                                   std::span<const int32_t> tokens,
                                                   const WindowOptions& options,
                                                   const std::function<bool(double)>& go_on = {});

}  // namespace hone::quality
