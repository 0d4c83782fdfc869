// Answers of a model to items, and a base's run that is kept: on a synthetic model.
#include "quality/base_run.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/text.h"
#include "models/model.h"
#include "models/synth.h"
#include "runtime/text_reader.h"

namespace hone::quality {
namespace {

namespace fs = std::filesystem;

constexpr uint32_t kContext = 192;

constexpr const char* kItems =
    R"({"task":"choice","prompt":"One two","choices":[" three"," four five six"],"answer":0})"
    "\n"
    R"({"task":"generation","messages":[{"role":"user","content":"Hi"}],)"
    R"("references":["x"],"output_tokens":6})"
    "\n"
    R"({"task":"consistency","prompt":"Once","samples":3,"temperature":1.0,"output_tokens":6})"
    "\n"
    R"({"task":"consistency","prompts":["Once upon","Once upon"],"output_tokens":6})"
    "\n"
    R"({"task":"consistency","turns":["a","b"],"output_tokens":4})";

class BaseRunTest : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        path_ = ::testing::TempDir() + "hone_base_run_test.gguf";
        models::SynthSpec spec;
        spec.n_layers = 2;
        spec.n_ctx = 256;
        ASSERT_TRUE(models::write_synth(spec, path_));
    }
    static void TearDownTestSuite() { fs::remove(path_); }
    void SetUp() override { ASSERT_TRUE(add_items(kItems, items_)); }
    void TearDown() override { fs::remove_all(directory_); }

    base::Result<std::unique_ptr<runtime::Session>> open() {
        ++opened_;
        runtime::LoadOptions load;
        load.threads = 2;
        load.limits = runtime::reader_limits(kContext);
        return runtime::open_session(path_, load, clock_);
    }
    BaseRun run(const std::string& directory, uint32_t positions = kContext) {
        return {BaseModel{"a model\n", 1024, positions, [this] { return open(); }},
                BaseStore{directory}, clock_};
    }
    static void expect_same(const std::vector<ItemAnswer>& a, const std::vector<ItemAnswer>& b) {
        ASSERT_EQ(a.size(), b.size());
        for (size_t i = 0; i < a.size(); ++i) {
            EXPECT_EQ(a[i].log_likelihoods, b[i].log_likelihoods);
            EXPECT_EQ(a[i].outputs, b[i].outputs);
        }
    }

    static inline std::string path_;
    const std::string directory_ = ::testing::TempDir() + "hone_base_run_store";
    base::SteadyClock clock_;
    std::vector<Item> items_;
    int opened_ = 0;
};

TEST_F(BaseRunTest, AnswersHaveTheFormOfTheirItems) {
    const auto session = open();
    ASSERT_TRUE(session);
    const auto answers = answer_items(**session, items_, {}, clock_);
    ASSERT_TRUE(answers) << answers.error().message;
    ASSERT_EQ(answers->front().log_likelihoods.size(), 2u);
    // A random model is about as sure as chance, and longer choices are less likely.
    EXPECT_LT((*answers)[0].log_likelihoods[0], -1);
    EXPECT_LT((*answers)[0].log_likelihoods[1], (*answers)[0].log_likelihoods[0]);
    for (size_t i = 1; i < items_.size(); ++i) {
        EXPECT_EQ((*answers)[i].outputs.size(), items_[i].outputs_wanted()) << i;
    }
    const auto& samples = (*answers)[2].outputs;
    EXPECT_FALSE(samples[0] == samples[1] && samples[1] == samples[2]);
    EXPECT_EQ((*answers)[3].outputs[0], (*answers)[3].outputs[1]);
    const auto again = answer_items(**session, items_, {}, clock_);
    expect_same(*answers, *again);
}

TEST_F(BaseRunTest, LikelihoodsAreThoseOfTheTokens) {
    const auto session = open();
    const auto answers = answer_items(**session, std::span(items_).first(1), {}, clock_);
    ASSERT_TRUE(answers);
    const auto& tokenizer = (*session)->tokenizer();
    const auto tokens = tokenizer.encode("One two three");
    const auto prompt = tokenizer.encode("One two");
    size_t scored = 0;
    while (scored < prompt.size() && prompt[scored] == tokens[scored]) ++scored;
    const TextWindow window{tokens, scored};
    const auto sums = score_text(**session, std::span(&window, 1), nullptr);
    ASSERT_TRUE(sums) << sums.error().message;
    EXPECT_DOUBLE_EQ((*answers)[0].log_likelihoods[0], -sums->front().nll);
}

TEST_F(BaseRunTest, ErrorsNameTheLine) {
    const auto session = open();
    std::vector<Item> items;
    ASSERT_TRUE(
        add_items("\n"
                  R"({"task":"generation","prompt":")" +
                      std::string(3 * kContext, 'q') + R"(","references":["x"]})",
                  items));
    const auto answers = answer_items(**session, items, {}, clock_);
    ASSERT_FALSE(answers);
    EXPECT_EQ(answers.error().code, base::ErrorCode::exhausted);
    EXPECT_EQ(answers.error().message.substr(0, 8), "line 2: ");
    const std::atomic<bool> cancel = true;
    const auto stopped = answer_items(**session, items_, {.cancel = &cancel}, clock_);
    EXPECT_EQ(stopped.error().code, base::ErrorCode::cancelled);
}

// A weight of the last norm is NaN, so every logit is.
TEST_F(BaseRunTest, PredictionsThatAreNoNumbersAreRefused) {
    const std::string broken = ::testing::TempDir() + "hone_base_run_nan.gguf";
    models::SynthSpec spec;
    spec.n_layers = 1;
    spec.type = tensor::DType::f32;  // activations stay floats, and keep what is no number
    ASSERT_TRUE(models::write_synth(spec, broken));
    {
        const auto model = models::Model::open(broken);
        ASSERT_TRUE(model);
        const auto norm = (*model)->tensor("output_norm.weight");
        ASSERT_TRUE(norm);
        auto bytes = *base::read_file(broken, size_t{1} << 30);
        const auto* data = reinterpret_cast<const char*>(norm->data);
        const auto at = std::search(bytes.begin(), bytes.end(), data, data + 512);
        ASSERT_NE(at, bytes.end());
        const float nan = std::nanf("");
        std::memcpy(&*at, &nan, sizeof nan);
        ASSERT_TRUE(base::write_file(broken, bytes));
    }
    runtime::LoadOptions load;
    load.threads = 2;
    load.limits = runtime::reader_limits(kContext);
    const auto session = runtime::open_session(broken, load, clock_);
    ASSERT_TRUE(session) << session.error().message;
    const auto is_refusal = [&](const auto& result) {
        ASSERT_FALSE(result);
        EXPECT_EQ(result.error().code, base::ErrorCode::corrupt);
        EXPECT_NE(result.error().message.find(broken + ": the model's predictions are no numbers"),
                  std::string::npos)
            << result.error().message;
    };
    const std::vector<TextWindow> windows{{std::vector<int32_t>(40, 3), 20}};
    is_refusal(score_text(**session, windows, nullptr));
    is_refusal(answer_items(**session, std::span(items_).first(1), {}, clock_));
    const BaseModel model{"nan\n", 1024, kContext,
                          [&] { return runtime::open_session(broken, load, clock_); }};
    for (const std::string& place : {directory_, std::string()}) {
        BaseRun base(model, BaseStore{place}, clock_);
        const auto rows = base.rows(windows, {});
        if (rows) {
            is_refusal((*rows)->window(0));
        } else {
            is_refusal(rows);
        }
    }
    fs::remove(broken);
}

TEST_F(BaseRunTest, ReadingWhatIsKeptCanBeStopped) {
    const std::vector<TextWindow> windows{{std::vector<int32_t>(40, 3), 20}};
    BaseRun first = run(directory_);
    ASSERT_TRUE(first.rows(windows, {}));
    BaseRun second = run(directory_);
    const auto stopped = second.rows(windows, [](double) { return false; });
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, base::ErrorCode::cancelled);
    EXPECT_EQ(opened_, 1);
    ASSERT_TRUE(second.rows(windows, {}));
    EXPECT_EQ(opened_, 1) << "a stopped look at a file deleted it";
}

TEST_F(BaseRunTest, WhatIsKeptIsNotComputedAgain) {
    TextWindow window{std::vector<int32_t>(40, 3), 20};
    const std::vector<TextWindow> windows{window, window};
    BaseRun first = run(directory_);
    ASSERT_TRUE(first.rows(windows, {}));
    const auto answers = first.answers(items_, kItems, {});
    ASSERT_TRUE(answers) << answers.error().message;
    EXPECT_EQ(opened_, 1);
    EXPECT_TRUE(first.reused().empty());
    EXPECT_TRUE(first.notes().empty()) << first.notes()[0];

    BaseRun second = run(directory_);
    const auto rows = second.rows(windows, {});
    ASSERT_TRUE(rows);
    const auto kept = second.answers(items_, kItems, {});
    ASSERT_TRUE(kept);
    EXPECT_EQ(opened_, 1);
    EXPECT_EQ(second.reused(), (std::vector<std::string>{"text", "items"}));
    expect_same(*answers, *kept);
    // Another seed, other items, other windows are other runs.
    ASSERT_TRUE(second.answers(items_, kItems, {.seed = 2}));
    EXPECT_EQ(opened_, 2);
    ASSERT_TRUE(second.rows(std::span(windows).first(1), {}));
    EXPECT_EQ(second.reused().size(), 2u);
}

// The sets of LongRoPE and the end of a long answer depend on it.
TEST_F(BaseRunTest, AnotherContextIsAnotherRun) {
    const std::vector<TextWindow> windows{{std::vector<int32_t>(40, 3), 20}};
    for (const uint32_t positions : {kContext, kContext / 2, kContext}) {
        const bool again = opened_ == 2;
        BaseRun base = run(directory_, positions);
        ASSERT_TRUE(base.rows(windows, {}));
        ASSERT_TRUE(base.answers(items_, kItems, {}));
        EXPECT_EQ(base.reused().empty(), !again) << positions;
    }
    EXPECT_EQ(opened_, 2);
}

TEST_F(BaseRunTest, DamageIsNotedAndComputedAgain) {
    const std::vector<TextWindow> windows{{std::vector<int32_t>(40, 3), 20}};
    {
        BaseRun first = run(directory_);
        ASSERT_TRUE(first.rows(windows, {}));
        ASSERT_TRUE(first.answers(items_, kItems, {}));
    }
    for (const auto& entry : fs::directory_iterator(directory_)) {
        std::fstream file(entry.path(), std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(static_cast<std::streamoff>(fs::file_size(entry.path()) / 2));
        file.put('\x55');
        file.put('\xaa');
    }
    BaseRun second = run(directory_);
    ASSERT_TRUE(second.rows(windows, {}));
    ASSERT_TRUE(second.answers(items_, kItems, {}));
    EXPECT_EQ(opened_, 2);
    EXPECT_EQ(second.notes().size(), 2u);
    BaseRun third = run(directory_);
    ASSERT_TRUE(third.rows(windows, {}));
    EXPECT_EQ(opened_, 2) << "the damaged file was not replaced";
}

TEST_F(BaseRunTest, WithoutAPlaceTheBaseStaysOpen) {
    const std::vector<TextWindow> windows{{std::vector<int32_t>(40, 3), 20}};
    BaseRun off = run("");
    const auto rows = off.rows(windows, {});
    ASSERT_TRUE(rows);
    off.finish();
    EXPECT_TRUE((*rows)->window(0));
    EXPECT_TRUE(off.notes().empty());
    BaseRun nowhere = run("/dev/null/nowhere");
    ASSERT_TRUE(nowhere.rows(windows, {}));
    ASSERT_EQ(nowhere.notes().size(), 1u);
    EXPECT_NE(nowhere.notes()[0].find("not kept"), std::string::npos);
}

}  // namespace
}  // namespace hone::quality
