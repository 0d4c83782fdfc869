#include "runtime/embedder.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <numeric>

#include "base/check.h"

namespace hone::runtime {

using base::ErrorCode;
using models::Pooling;

namespace {

// Pages for a step: those of all its tokens, and one that each text leaves unfilled.
uint64_t pool_bytes(const kernels::KvLayout& layout, const EngineLimits& limits) {
    const uint64_t pages = limits.step_tokens_max / kernels::kPageTokens + limits.sequences_max + 1;
    return pages * layout.page_bytes();
}

}  // namespace

std::vector<float> pooled(std::span<const float> values, size_t width, Pooling pooling) {
    HONE_CHECK(pooling != Pooling::none);
    HONE_CHECK_GE(values.size(), width);
    if (pooling == Pooling::cls) return {values.begin(), values.begin() + static_cast<long>(width)};
    if (pooling == Pooling::last) return {values.end() - static_cast<long>(width), values.end()};
    const size_t rows = values.size() / width;
    std::vector<float> out(width);
    for (size_t i = 0; i < width; ++i) {
        double sum = 0;
        for (size_t row = 0; row < rows; ++row) sum += double{values[row * width + i]};
        out[i] = static_cast<float>(sum / static_cast<double>(rows));
    }
    return out;
}

void normalize(std::span<float> vector) {
    double squares = 0;
    for (const float value : vector) squares += double{value} * double{value};
    if (squares == 0) return;
    const double factor = 1.0 / std::sqrt(squares);
    for (float& value : vector) value = static_cast<float>(double{value} * factor);
}

base::Result<std::unique_ptr<Embedder>> Embedder::open(const std::string& path, LoadOptions options,
                                                       const base::Clock& clock) {
    std::unique_ptr<Embedder> embedder(new Embedder());
    HONE_TRY(embedder->model_, models::Model::open(path));
    const models::ModelConfig& config = embedder->config();
    if (config.causal) {
        return base::fail(ErrorCode::unsupported,
                          "{}: {} generates text; embeddings are made by encoders: bert", path,
                          config.architecture);
    }
    HONE_TRY_STATUS(embedder->model_->remove_layers(options.without_layers));
    HONE_TRY(embedder->tokenizer_, open_tokenizer(*embedder->model_));
    EngineLimits& limits = options.limits;
    if (limits.context == 0) limits.context = std::min(config.context_max, kContextDefault);
    limits.step_tokens_max = std::max(limits.step_tokens_max, limits.context);
    limits.sequences_max = std::min(limits.sequences_max, limits.step_tokens_max);
    HONE_TRY(embedder->parts_, make_executor(*embedder->model_, options, clock));
    embedder->options_ = std::move(options);
    const EngineLimits& resolved = embedder->options_.limits;
    auto layouts = kv_layouts(config, resolved.kv_dtype);
    HONE_CHECK_EQ(layouts.size(), size_t{1});
    const uint64_t bytes = pool_bytes(layouts[0], resolved);
    HONE_TRY(embedder->pool_, KvPool::create({.groups = std::move(layouts),
                                              .context = resolved.context,
                                              .slots = resolved.sequences_max,
                                              .step_tokens_max = resolved.step_tokens_max,
                                              .bytes_max = bytes}));
    return embedder;
}

base::Status Embedder::check(std::span<const std::vector<int32_t>> texts) const {
    for (size_t i = 0; i < texts.size(); ++i) {
        if (texts[i].empty()) {
            return base::fail(ErrorCode::invalid_argument, "text {} has no tokens", i + 1);
        }
        if (texts[i].size() > text_tokens_max()) {
            return base::fail(ErrorCode::exhausted, "text {} has {} tokens; {} fit", i + 1,
                              texts[i].size(), text_tokens_max());
        }
    }
    return {};
}

// Takes as many texts as fit into a step, at least one; how many.
size_t Embedder::fill_step(std::span<const std::vector<int32_t>> texts) {
    tokens_.clear();
    slices_.clear();
    size_t taken = 0;
    for (; taken < texts.size() && taken < options_.limits.sequences_max; ++taken) {
        const std::vector<int32_t>& text = texts[taken];
        const auto n = static_cast<uint32_t>(text.size());
        if (tokens_.size() + n > options_.limits.step_tokens_max || !pool_->can_reserve(n)) break;
        const auto slot = static_cast<uint32_t>(taken);
        pool_->reserve(slot, n);
        pool_->back(slot, n);
        slices_.push_back({.first_token = static_cast<uint32_t>(tokens_.size()),
                           .n_tokens = n,
                           .first_position = 0,
                           .pages = pool_->tables(slot)});
        tokens_.insert(tokens_.end(), text.begin(), text.end());
    }
    HONE_CHECK_GT(taken, size_t{0});
    return taken;
}

base::Status Embedder::run_step(const EmbedOptions& options, std::vector<std::vector<float>>& out) {
    rows_.resize(tokens_.size());
    std::iota(rows_.begin(), rows_.end(), 0u);
    const std::span<const float> values =
        parts_.executor->run({.tokens = tokens_, .slices = slices_, .output_rows = rows_});
    for (const graph::StepSlice& slice : slices_) {
        const auto mine = values.subspan(slice.first_token * width(), slice.n_tokens * width());
        std::vector<float> vectors(mine.begin(), mine.end());
        if (options.pooling != Pooling::none) vectors = pooled(mine, width(), options.pooling);
        for (size_t at = 0; options.normalize && at < vectors.size(); at += width()) {
            normalize(std::span(vectors).subspan(at, width()));
        }
        if (!std::all_of(vectors.begin(), vectors.end(),
                         [](float v) { return std::isfinite(v); })) {
            return base::fail(ErrorCode::corrupt,
                              "text {}: the model's weights lead to values that are no numbers",
                              out.size() + 1);
        }
        out.push_back(std::move(vectors));
    }
    return {};
}

base::Result<std::vector<std::vector<float>>> Embedder::embed(
    std::span<const std::vector<int32_t>> texts, const EmbedOptions& options) {
    HONE_TRY_STATUS(check(texts));
    std::vector<std::vector<float>> out;
    out.reserve(texts.size());
    while (out.size() < texts.size()) {
        const size_t taken = fill_step(texts.subspan(out.size()));
        const base::Status status = run_step(options, out);
        for (uint32_t slot = 0; slot < taken; ++slot) pool_->release(slot);
        HONE_TRY_STATUS(status);
    }
    return out;
}

}  // namespace hone::runtime
