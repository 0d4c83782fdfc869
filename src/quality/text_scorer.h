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
// from windows. The reference comes as rows (quality/logit_rows.h), from a session or from an
// earlier run's file; both give the same numbers. Not a benchmark of speed. Thread rule: drives the
// sessions from the calling thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "base/result.h"
#include "quality/base_file.h"
#include "quality/go_on.h"
#include "quality/window_reader.h"
#include "runtime/session.h"

namespace hone::quality {

enum class WindowKind : uint8_t { llama, sliding };

struct WindowOptions {
    WindowKind window = WindowKind::llama;
    uint32_t context = 512;    // at least 8
    uint32_t windows_max = 0;  // 0 = the whole text
};

// invalid_argument: a text shorter than one window, a context out of range.
base::Result<std::vector<TextWindow>> cut_text(const text::Tokenizer& tokenizer,
                                               std::span<const int32_t> tokens,
                                               const WindowOptions& options);

// Sums over the scored tokens of one window, in nats.
struct ScoredWindow {
    size_t n = 0;
    size_t bytes = 0;          // of the scored tokens' texts
    double nll = 0;            // -ln p(token)
    double nll_reference = 0;  // by the reference, likewise below
    double kl = 0;             // KL(reference || model), over the whole vocabulary
    size_t same_top = 0;       // tokens where both find the same token likeliest
    double delta_p = 0;        // p(token) less that by the reference, and its squares
    double delta_p_squared = 0;
};

// Predictions of the scored tokens of each window, in its order.
class ReferenceRows {
  public:
    virtual ~ReferenceRows() = default;
    virtual size_t vocab() const = 0;
    // rows() of the window, valid until the next call. corrupt: predictions that are no numbers
    // (quality/window_reader.h), rows that are damaged.
    virtual base::Result<std::span<const std::byte>> window(size_t index) = 0;
};

// Computed when asked for. Both are borrowed. invalid_argument: the session's context is shorter
// than a window; exhausted.
base::Result<std::unique_ptr<ReferenceRows>> rows_of_session(runtime::Session& session,
                                                             std::span<const TextWindow> windows);
// Of a file that write_rows() wrote, which is checked against the windows: corrupt.
base::Result<std::unique_ptr<ReferenceRows>> rows_of_file(const BaseFile& file, size_t vocab,
                                                          std::span<const TextWindow> windows);
// Bytes of all rows.
uint64_t rows_bytes(std::span<const TextWindow> windows, size_t vocab);

base::Status write_rows(ReferenceRows& rows, size_t windows, BaseFileWriter& file,
                        const GoOn& go_on);

// `reference` may be null. Errors: invalid_argument (a reference with another vocabulary, a context
// shorter than a window), exhausted (memory), corrupt (predictions that are no numbers, with the
// model's name; those of the reference), cancelled.
base::Result<std::vector<ScoredWindow>> score_text(runtime::Session& session,
                                                   std::span<const TextWindow> windows,
                                                   ReferenceRows* reference,
                                                   const GoOn& go_on = {});

}  // namespace hone::quality
