#include "quality/window_reader.h"

#include <algorithm>
#include <cmath>
#include <span>

#include "base/check.h"
#include "runtime/text_reader.h"

namespace hone::quality {

base::Status read_window(runtime::TextReader& model, const TextWindow& window,
                         const std::string& name, const OnPrediction& on_prediction) {
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
            const runtime::LogSoftmax prediction(row);
            const int32_t next = tokens[at + i + 1];
            // One NaN among the logits makes their sum one.
            if (!std::isfinite(prediction.log_sum) || !std::isfinite(prediction.nll(next))) {
                return base::fail(base::ErrorCode::corrupt,
                                  "{}: the model's predictions are no numbers", name);
            }
            on_prediction(prediction, next);
        }
        at += n;
    }
    return {};
}

}  // namespace hone::quality
