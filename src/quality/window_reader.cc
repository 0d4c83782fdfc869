#include "quality/window_reader.h"

#include <algorithm>
#include <span>

#include "base/check.h"
#include "runtime/text_reader.h"

namespace hone::quality {

void read_window(runtime::TextReader& model, const TextWindow& window,
                 const OnPrediction& on_prediction) {
    using runtime::WantedLogits;
    HONE_CHECK_GE(window.scored, size_t{1});
    const std::span<const int32_t> tokens = window.tokens;
    model.begin(static_cast<uint32_t>(tokens.size()));
    // The logits of position i predict token i + 1, so the last position needs none.
    for (size_t at = 0; at + 1 < tokens.size();) {
        const bool wanted = at + 1 >= window.scored;
        const size_t end = wanted ? tokens.size() - 1 : window.scored - 1;
        const size_t n = wanted ? std::min(end - at, model.rows_max()) : end - at;
        const auto which = wanted ? WantedLogits::all : WantedLogits::none;
        const auto logits = model.read(tokens.subspan(at, n), which);
        for (size_t i = 0; wanted && i < n; ++i) {
            const auto row = logits.subspan(i * model.vocab(), model.vocab());
            on_prediction(runtime::LogSoftmax(row), tokens[at + i + 1]);
        }
        at += n;
    }
}

}  // namespace hone::quality
