// What the inputs of a model's matrices look like on a text: the second moments of the activations
// that each matrix multiplies, E[x_i^2] and, where asked for, E[x_i x_j].
//
// The expected squared error of a product is quadratic in the error E of the weights, with exactly
// these moments: E|(W - W')x|^2 = sum over rows of e^T E[x x^T] e. Its diagonal is the importance
// matrix of the GGUF world; the whole of it is what error feedback needs (Frantar et al. 2022,
// GPTQ). Collected in a NodeHook of the executor, from a plan whose linears read f32 activations.
//
// Memory: width floats per matrix input, width^2 with moments. Thread rule: one collector per
// executor run; observe() is called on all threads of its team, each doing its share of columns.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "graph/executor.h"
#include "runtime/session.h"

namespace hone::compress {

struct InputStatistics {
    size_t width = 0;
    uint64_t n_rows = 0;
    std::vector<float> squares;  // [width], mean of x_i^2
    std::vector<float>
        moments;  // [width][width], row j: mean of x_j x_i, i <= j; empty unless asked
};

// By the name of the tensor; matrices that multiply the same activations share one entry.
using StatisticsByTensor = std::map<std::string, std::shared_ptr<InputStatistics>, std::less<>>;

class InputCollector {
  public:
    // `wants_moments` is asked for each tensor by name. The executor is borrowed.
    InputCollector(graph::Executor& executor,
                   const std::function<bool(const std::string&)>& wants_moments);

    graph::NodeHook hook();
    // Sums become means; to be called once, when all text is read.
    StatisticsByTensor finish();

  private:
    void observe(uint32_t node, int thread);

    graph::Executor* executor_;
    std::vector<std::shared_ptr<InputStatistics>> by_node_;
    StatisticsByTensor by_tensor_;
};

struct CalibrationOptions {
    uint32_t context = 512;  // tokens of a window; each window is read from its beginning
    std::function<bool(const std::string&)> wants_moments = {};  // none when empty
    std::function<bool(double)> go_on = {};
};

// Fewer tokens than this say too little about columns that are seldom large.
inline constexpr size_t kCalibrationTokensMin = 256;

// How a session must be opened for calibration: f32 activations all the way.
runtime::LoadOptions calibration_load(uint32_t context, int threads);

// Errors: invalid_argument (too short a text), exhausted (memory), cancelled.
base::Result<StatisticsByTensor> calibrate(runtime::Session& session,
                                           std::span<const int32_t> tokens,
                                           const CalibrationOptions& options);

}  // namespace hone::compress
