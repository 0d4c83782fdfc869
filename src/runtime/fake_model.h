// FakeModel: a StepRunner without a model, for tests and simulations of the engine.
//
// It stores every token in the pages the way a kernel stores K and V (all layers and heads of all
// groups), reads the whole visible history back from them, and makes logits from a hash of it. So a
// wrong page, position, slice, token or a page that was not zeroed is either an HONE_CHECK here or
// a different token stream. Logits depend on the global groups' history only: batch equals solo.
// Thread rule: one run at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/check.h"
#include "base/random.h"
#include "models/model.h"
#include "runtime/step_runner.h"

namespace hone::runtime {

struct FakeModelOptions {
    uint32_t vocab = 64;
    uint32_t tokens_max = 256;
    uint32_t outputs_max = 16;
    uint32_t context_max = 256;
    uint32_t drafts_max = 0;              // positions behind a slice that drafts may have written
    std::vector<uint32_t> windows = {0};  // one group of two layers each; the first is global
};

class FakeModel final : public StepRunner {
  public:
    explicit FakeModel(FakeModelOptions options) : options_(std::move(options)) {
        logits_.resize(size_t{options_.outputs_max} * options_.vocab);
    }

    models::ModelConfig config() const {
        models::ModelConfig config;
        config.architecture = "fake";
        config.n_vocab = options_.vocab;
        config.context_max = options_.context_max;
        config.n_kv_heads = 2;
        config.head_dim = 16;
        for (uint32_t window : options_.windows) {
            const uint32_t layer = config.n_layers;
            config.groups.push_back({.window = window, .layers = {layer, layer + 1}});
            config.n_layers += 2;
        }
        return config;
    }

    static kernels::RowsVariant rows() {
        kernels::RowsVariant rows{};
        rows.name = "plain";
        rows.argmax = [](const float* x, size_t n) noexcept {
            size_t best = 0;
            for (size_t i = 1; i < n; ++i) best = x[i] > x[best] ? i : best;
            return best;
        };
        return rows;
    }

    std::span<const float> run(const graph::StepInput& input, measure::StepTimer*) override {
        HONE_CHECK_LE(input.tokens.size(), size_t{options_.tokens_max});
        HONE_CHECK_LE(input.output_rows.size(), size_t{options_.outputs_max});
        size_t covered = 0;
        size_t output = 0;
        for (const graph::StepSlice& slice : input.slices) {
            HONE_CHECK_EQ(size_t{slice.first_token}, covered);
            HONE_CHECK_GT(slice.n_tokens, 0u);
            HONE_CHECK_EQ(slice.pages.size(), options_.windows.size());
            covered += slice.n_tokens;
            check_fresh(slice);
            for (uint32_t i = 0; i < slice.n_tokens; ++i) {
                const uint32_t row = slice.first_token + i;
                const uint64_t hash = step(slice, slice.first_position + i, input.tokens[row]);
                if (output < input.output_rows.size() && input.output_rows[output] == row) {
                    fill_logits(hash, output++);
                }
            }
        }
        HONE_CHECK_EQ(covered, input.tokens.size());
        HONE_CHECK_EQ(output, input.output_rows.size());
        tokens_run_ += covered;
        ++steps_;
        if (poison_) std::fill(logits_.begin(), logits_.end(), poison_value_);
        return {logits_.data(), output * options_.vocab};
    }
    uint32_t tokens_max() const override { return options_.tokens_max; }
    uint32_t outputs_max() const override { return options_.outputs_max; }
    uint32_t vocab() const override { return options_.vocab; }

    // From now on every logit is `value`.
    void poison(float value) {
        poison_ = true;
        poison_value_ = value;
    }
    uint64_t tokens_run() const { return tokens_run_; }
    uint64_t steps() const { return steps_; }

  private:
    static constexpr uint32_t kHeads = 2;
    static constexpr uint32_t kHeadDim = 16;
    static constexpr uint32_t kLayers = 2;

    kernels::KvView view(const graph::StepSlice& slice, size_t group, uint32_t layer) const {
        return {.layout = {.n_kv_heads = kHeads,
                           .head_dim = kHeadDim,
                           .layers = kLayers,
                           .window = options_.windows[group]},
                .pages = slice.pages[group],
                .layer_in_group = layer};
    }

    // The f16 slots of one position, as bytes from the start of its head.
    static size_t k_at(uint32_t position, uint32_t dim) {
        const size_t in_page = position % kernels::kPageTokens;
        const size_t strip = in_page / kernels::kKeyStrip;
        return ((strip * kHeadDim + dim) * kernels::kKeyStrip + in_page % kernels::kKeyStrip) * 2;
    }
    static size_t v_at(uint32_t position, uint32_t dim) {
        return (position % kernels::kPageTokens * kHeadDim + dim) * 2;
    }

    template <class Visit>
    void for_each_slot(const graph::StepSlice& slice, size_t group, uint32_t position,
                       Visit visit) const {
        for (uint32_t layer = 0; layer < kLayers; ++layer) {
            const kernels::KvView kv = view(slice, group, layer);
            HONE_CHECK_NE(kv.pages[position / kernels::kPageTokens], nullptr);
            for (uint32_t head = 0; head < kHeads; ++head) {
                for (uint32_t dim = 0; dim < kHeadDim; ++dim) {
                    visit(kv.k(position, head) + k_at(position, dim));
                    visit(kv.v(position, head) + v_at(position, dim));
                }
            }
        }
    }

    // What lies in the last page beyond the slice must be zero: the masked softmax relies on it.
    // (Unless the same slice ran before, or drafts of the step before; then it holds what they
    // wrote.)
    void check_fresh(const graph::StepSlice& slice) const {
        const uint32_t end = slice.first_position + slice.n_tokens;
        for (size_t g = 0; g < options_.windows.size(); ++g) {
            for (uint32_t p = end; p % kernels::kPageTokens != 0; ++p) {
                if (p < slice.first_position + options_.drafts_max) continue;
                for_each_slot(slice, g, p, [](const std::byte* at) {
                    uint16_t value = 0;
                    std::memcpy(&value, at, 2);
                    HONE_CHECK_EQ(value, 0);
                });
            }
        }
    }

    // Stores the token, reads back everything it sees and hashes that.
    uint64_t step(const graph::StepSlice& slice, uint32_t position, int32_t token) const {
        HONE_CHECK_GE(token, 0);
        HONE_CHECK_LT(static_cast<uint32_t>(token), options_.vocab);
        uint64_t hash = 0xcbf29ce484222325u;  // FNV-1a
        for (size_t g = 0; g < options_.windows.size(); ++g) {
            const auto stored = static_cast<uint16_t>(token + 1);
            for_each_slot(slice, g, position, [&](std::byte* at) { std::memcpy(at, &stored, 2); });
            const uint32_t window = options_.windows[g];
            const uint32_t first = window > 0 && position >= window ? position - window + 1 : 0;
            for (uint32_t p = first; p <= position; ++p) {
                const kernels::KvView kv = view(slice, g, 1);
                HONE_CHECK_NE(kv.pages[p / kernels::kPageTokens], nullptr);
                uint16_t k = 0;
                uint16_t v = 0;
                std::memcpy(&k, kv.k(p, 1) + k_at(p, 5), 2);
                std::memcpy(&v, kv.v(p, 1) + v_at(p, 7), 2);
                HONE_CHECK_EQ(k, v);
                HONE_CHECK_GT(k, 0);
                if (window == 0) hash = (hash ^ k) * 0x100000001b3u;
            }
        }
        return hash;
    }

    void fill_logits(uint64_t hash, size_t row) {
        base::Random random(hash);
        for (uint32_t i = 0; i < options_.vocab; ++i) {
            logits_[row * options_.vocab + i] = static_cast<float>(random.next_double() * 8.0);
        }
    }

    FakeModelOptions options_;
    std::vector<float> logits_;
    uint64_t tokens_run_ = 0;
    uint64_t steps_ = 0;
    bool poison_ = false;
    float poison_value_ = 0.0f;
};

}  // namespace hone::runtime
