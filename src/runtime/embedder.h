// Embedder: an encoder's model file made ready to turn texts into vectors.
//
//   tokens of each text -> one step of the executor for as many texts as fit -> pooling -> length 1
//
// A text is one slice, so its tokens see each other; several texts go through the linears of a step
// together. Nothing outlives a step: pages of keys and values are drawn and given back in it, and
// since an encoder's layers share one layer's pages (models/config.h, kv_layers), they are few. A
// text's embedding does not depend on the texts beside it, nor on the number of threads, bit for
// bit. Not an engine: no sampling, no prefix cache, no queue. Owns everything; used by one thread.
// Pooling as in Reimers and Gurevych 2019 (Sentence-BERT).
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "runtime/kv_pool.h"
#include "runtime/session.h"

namespace hone::runtime {

struct EmbedOptions {
    models::Pooling pooling = models::Pooling::mean;
    bool normalize = true;  // every vector to length 1
};

class Embedder {
  public:
    // `options.limits.context` is the longest text in tokens (0: the model's, at most
    // kContextDefault); `limits.sequences_max` and `step_tokens_max` are of a step, which is made
    // to hold a longest text. Errors as Session::open; unsupported for a model that generates text.
    static base::Result<std::unique_ptr<Embedder>> open(const std::string& path,
                                                        LoadOptions options,
                                                        const base::Clock& clock);

    const models::Model& model() const { return *model_; }
    const models::ModelConfig& config() const { return model_->config(); }
    const text::Tokenizer& tokenizer() const { return *tokenizer_; }
    graph::Executor& executor() { return *parts_.executor; }
    uint32_t text_tokens_max() const { return options_.limits.context; }
    const LoadOptions& options() const { return options_; }
    KvPoolFacts kv_facts() const { return pool_->facts(); }
    size_t width() const { return parts_.executor->vocab(); }

    // Whether embed() would take them: invalid_argument for a text without tokens, exhausted for
    // one of more than text_tokens_max(); both say which, counted from 1.
    base::Status check(std::span<const std::vector<int32_t>> texts) const;
    // For each text, [vectors][width()]: one vector, or with Pooling::none one for each token.
    // Errors of check(); corrupt: weights that lead to values that are no numbers.
    base::Result<std::vector<std::vector<float>>> embed(std::span<const std::vector<int32_t>> texts,
                                                        const EmbedOptions& options);

  private:
    Embedder() = default;
    size_t fill_step(std::span<const std::vector<int32_t>> texts);
    base::Status run_step(const EmbedOptions& options, std::vector<std::vector<float>>& out);

    LoadOptions options_;
    std::unique_ptr<models::Model> model_;
    std::optional<text::Tokenizer> tokenizer_;
    ExecutorParts parts_;
    std::optional<KvPool> pool_;
    // Of the step being made.
    std::vector<int32_t> tokens_;
    std::vector<graph::StepSlice> slices_;
    std::vector<uint32_t> rows_;
};

// The values of one text's tokens [n][width] as one vector [width]; n > 0, and not Pooling::none.
std::vector<float> pooled(std::span<const float> values, size_t width, models::Pooling pooling);
// To length 1; a vector of zeros stays as it is.
void normalize(std::span<float> vector);

}  // namespace hone::runtime
