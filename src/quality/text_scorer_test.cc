#include "quality/text_scorer.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <memory>

#include "base/random.h"
#include "models/synth.h"
#include "runtime/text_reader.h"

namespace hone::quality {
namespace {

constexpr uint32_t kWindow = 48;

class TextScorerTest : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        path_ = ::testing::TempDir() + "hone_text_scorer_test.gguf";
        models::SynthSpec spec;
        spec.n_layers = 2;
        spec.n_ctx = 256;
        ASSERT_TRUE(models::write_synth(spec, path_));
    }
    static void TearDownTestSuite() { std::filesystem::remove(path_); }

    std::unique_ptr<runtime::Session> open(std::vector<std::string> without = {},
                                           uint32_t rows = runtime::kReaderRows) {
        runtime::LoadOptions load;
        load.threads = 2;
        load.disabled_passes = std::move(without);
        load.limits = runtime::reader_limits(kWindow);
        load.limits.sequences_max = rows;
        load.limits.step_tokens_max = std::max(rows, 40u);
        auto session = runtime::open_session(path_, load, clock_);
        EXPECT_TRUE(session) << session.error().message;
        return std::move(*session);
    }
    static std::vector<int32_t> text(size_t tokens) {
        base::Random random(4);
        std::vector<int32_t> out(tokens);
        for (int32_t& token : out) token = static_cast<int32_t>(random.next_below(500));
        return out;
    }
    static std::vector<TextWindow> cut(runtime::Session& session, std::span<const int32_t> tokens,
                                       const WindowOptions& options) {
        auto windows = cut_text(session.tokenizer(), tokens, options);
        EXPECT_TRUE(windows) << windows.error().message;
        return *windows;
    }
    static std::vector<ScoredWindow> windows(runtime::Session& session, runtime::Session* reference,
                                             std::span<const int32_t> tokens,
                                             const WindowOptions& options) {
        const auto parts = cut(session, tokens, options);
        std::unique_ptr<ReferenceRows> rows;
        if (reference != nullptr) rows = std::move(*rows_of_session(*reference, parts));
        auto scored = score_text(session, parts, rows.get());
        EXPECT_TRUE(scored) << scored.error().message;
        return *scored;
    }

    static inline std::string path_;
    base::SteadyClock clock_;
};

TEST_F(TextScorerTest, LlamaWindowsScoreTheirSecondHalf) {
    auto session = open();
    const auto tokens = text(3 * kWindow + 20);
    const auto scored = windows(*session, nullptr, tokens, {.context = kWindow});
    ASSERT_EQ(scored.size(), 3u);
    for (const ScoredWindow& window : scored) {
        EXPECT_EQ(window.n, kWindow / 2 - 1);
        // A random model is about as sure as chance.
        EXPECT_GT(window.nll / window.n, 0.5 * std::log(session->config().n_vocab));
    }
}

TEST_F(TextScorerTest, SlidingWindowsScoreEveryTokenOnce) {
    auto session = open();
    const auto tokens = text(3 * kWindow + 20);
    const auto scored = windows(*session, nullptr, tokens, {WindowKind::sliding, kWindow, 0});
    size_t n = 0;
    for (const ScoredWindow& window : scored) n += window.n;
    EXPECT_EQ(n, tokens.size() - 1);
    EXPECT_EQ(scored.front().n, kWindow - 1);
    EXPECT_EQ(windows(*session, nullptr, tokens, {WindowKind::sliding, kWindow, 2}).size(), 2u);
}

TEST_F(TextScorerTest, StepSizesDoNotChangeTheScores) {
    const auto tokens = text(2 * kWindow);
    auto wide = open();
    auto narrow = open({}, 3);
    const auto a = windows(*wide, nullptr, tokens, {.context = kWindow});
    const auto b = windows(*narrow, nullptr, tokens, {.context = kWindow});
    for (size_t i = 0; i < a.size(); ++i) EXPECT_EQ(a[i].nll, b[i].nll);
}

TEST_F(TextScorerTest, AnExactReferenceIsAtDistanceZeroAndARoundedOneIsNot) {
    const auto tokens = text(2 * kWindow);
    auto model = open();
    auto same = open({"merge_qkv"});
    auto rounded = open({"quantize_activations"});
    for (const ScoredWindow& w : windows(*model, same.get(), tokens, {.context = kWindow})) {
        EXPECT_LT(w.kl, 1e-9);
        EXPECT_EQ(w.nll, w.nll_reference);
        EXPECT_EQ(w.same_top, w.n);
    }
    double kl = 0;
    for (const ScoredWindow& w : windows(*model, rounded.get(), tokens, {.context = kWindow})) {
        kl += w.kl;
    }
    EXPECT_GT(kl, 1e-9);
}

TEST_F(TextScorerTest, StoredRowsGiveTheSameScores) {
    const auto tokens = text(3 * kWindow);
    auto model = open();
    auto rounded = open({"quantize_activations"});
    const auto parts = cut(*model, tokens, {.context = kWindow});
    const auto live = windows(*model, rounded.get(), tokens, {.context = kWindow});

    const BaseStore store{::testing::TempDir() + "hone_text_scorer_base"};
    const size_t vocab = model->config().n_vocab;
    auto file = store.create("a run", rows_bytes(parts, vocab));
    ASSERT_TRUE(file) << file.error().message;
    auto rows = rows_of_session(*rounded, parts);
    ASSERT_TRUE(write_rows(**rows, parts.size(), *file, {}));
    std::string note;
    const auto stored = store.find("a run", note);
    ASSERT_TRUE(stored) << note;
    auto from_file = rows_of_file(*stored, vocab, parts);
    ASSERT_TRUE(from_file);
    const auto scored = score_text(*model, parts, from_file->get());
    ASSERT_TRUE(scored);
    for (size_t i = 0; i < live.size(); ++i) {
        EXPECT_EQ(live[i].kl, (*scored)[i].kl);
        EXPECT_EQ(live[i].nll_reference, (*scored)[i].nll_reference);
    }
    EXPECT_FALSE(rows_of_file(*stored, vocab, std::span(parts).first(2)));
    auto other = rows_of_file(*stored, vocab + 8, parts);
    EXPECT_EQ((*other)->window(0).error().code, base::ErrorCode::corrupt);
    EXPECT_FALSE(store.find("another run", note));
    std::filesystem::remove_all(store.directory);
}

TEST_F(TextScorerTest, WhatCannotBeScoredIsRefused) {
    auto session = open();
    const auto code = [&](size_t n, uint32_t context) {
        const auto parts = cut_text(session->tokenizer(), text(n), {.context = context});
        if (!parts) return parts.error().code;
        const auto scored = score_text(*session, *parts, nullptr);
        return scored ? base::ErrorCode::internal : scored.error().code;
    };
    EXPECT_EQ(code(kWindow - 1, kWindow), base::ErrorCode::invalid_argument);
    EXPECT_EQ(code(500, kWindow + 1), base::ErrorCode::invalid_argument);
    EXPECT_EQ(code(500, 4), base::ErrorCode::invalid_argument);
    const auto parts = cut(*session, text(200), {.context = kWindow});
    const auto stopped = score_text(*session, parts, nullptr, [](double) { return false; });
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, base::ErrorCode::cancelled);
}

}  // namespace
}  // namespace hone::quality
