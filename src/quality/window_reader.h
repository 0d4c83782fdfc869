// Reads tokens that are known beforehand and hands out the prediction before each one that is to be
// scored. Thread rule: that of runtime::TextReader.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "runtime/log_softmax.h"

namespace hone::runtime {
class TextReader;
}

namespace hone::quality {

// Tokens that are read together; those from `scored` on, which is at least 1, are predicted.
struct TextWindow {
    std::vector<int32_t> tokens;
    size_t scored = 1;

    size_t rows() const { return tokens.size() - scored; }
};

// The logits before a scored token, valid during the call, and that token.
using OnPrediction = std::function<void(const runtime::LogSoftmax& logits, int32_t next)>;

// The reader was made for at least as many positions. corrupt: a prediction that is no probability
// of every token, as NaN or infinite logits make it, or that gives `next` none at all; the message
// begins with `name`, that of the model. What came before it was handed out.
base::Status read_window(runtime::TextReader& model, const TextWindow& window,
                         const std::string& name, const OnPrediction& on_prediction);

}  // namespace hone::quality
