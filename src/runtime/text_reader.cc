#include "runtime/text_reader.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace hone::runtime {

namespace {

// For the engine that a session opens and reading does not use.
constexpr uint64_t kUnusedKvBytes = 64u << 20;

}  // namespace

base::Result<TextReader> TextReader::create(graph::Executor& executor,
                                            const models::ModelConfig& config, uint32_t positions) {
    HONE_TRY(auto pool,
             KvPool::create({.groups = kv_layouts(config, executor.plan().options.kv_dtype),
                             .context = positions,
                             .slots = 1,
                             .step_tokens_max = executor.tokens_max()}));
    return TextReader(executor, std::move(pool));
}

TextReader::TextReader(graph::Executor& executor, KvPool pool)
    : executor_(&executor), pool_(std::make_unique<KvPool>(std::move(pool))) {}

size_t TextReader::rows_max() const {
    return std::min(executor_->tokens_max(), executor_->outputs_max());
}

void TextReader::begin(uint32_t positions) {
    if (pool_->reserved_positions(0) > 0) pool_->release(0);
    pool_->reserve(0, positions);
    position_ = 0;
}

std::span<const float> TextReader::read(std::span<const int32_t> tokens, WantedLogits wanted,
                                        graph::NodeHook hook) {
    const size_t step_max = executor_->tokens_max();
    while (wanted != WantedLogits::all && tokens.size() > step_max) {
        step(tokens.first(step_max), WantedLogits::none, hook);
        tokens = tokens.subspan(step_max);
    }
    return step(tokens, wanted, hook);
}

std::span<const float> TextReader::step(std::span<const int32_t> tokens, WantedLogits wanted,
                                        graph::NodeHook hook) {
    const auto n = static_cast<uint32_t>(tokens.size());
    HONE_CHECK_GT(n, 0u);
    rows_.clear();
    const uint32_t first = wanted == WantedLogits::all    ? 0
                           : wanted == WantedLogits::last ? n - 1
                                                          : n;
    for (uint32_t row = first; row < n; ++row) rows_.push_back(row);
    pool_->back(0, position_ + n);
    const graph::StepSlice slice{
        .first_token = 0, .n_tokens = n, .first_position = position_, .pages = pool_->tables(0)};
    const auto logits = executor_->run(
        {.tokens = tokens, .slices = std::span(&slice, 1), .output_rows = rows_}, nullptr, hook);
    position_ += n;
    pool_->advance(0, position_);
    return logits;
}

EngineLimits reader_limits(uint32_t context) {
    EngineLimits limits;
    limits.context = context;
    limits.logit_rows = kReaderRows;
    limits.kv_bytes_max = kUnusedKvBytes;
    return limits;
}

}  // namespace hone::runtime
