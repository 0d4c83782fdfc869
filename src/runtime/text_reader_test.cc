#include "runtime/text_reader.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <memory>

#include "models/synth.h"

namespace hone::runtime {
namespace {

class TextReaderTest : public ::testing::Test {
  protected:
    void SetUp() override {
        models::SynthSpec spec;
        spec.n_layers = 2;
        spec.n_ctx = 128;
        ASSERT_TRUE(models::write_synth(spec, path_));
        LoadOptions options;
        options.threads = 2;
        options.limits.context = 64;
        options.limits.sequences_max = 8;
        options.limits.step_tokens_max = 16;
        auto session = open_session(path_, options, clock_);
        ASSERT_TRUE(session) << session.error().message;
        session_ = std::move(*session);
        for (int i = 0; i < 40; ++i) tokens_.push_back((i * 37 + 5) % 300);
    }
    void TearDown() override { std::filesystem::remove(path_); }

    TextReader reader() {
        auto reader = TextReader::create(*session_, 64);
        EXPECT_TRUE(reader) << reader.error().message;
        return std::move(*reader);
    }
    static std::vector<float> copy(std::span<const float> row) { return {row.begin(), row.end()}; }

    std::string path_ = ::testing::TempDir() + "hone_text_reader_test.gguf";
    base::SteadyClock clock_;
    std::unique_ptr<Session> session_;
    std::vector<int32_t> tokens_;
};

TEST_F(TextReaderTest, PiecesOfATextGiveTheLogitsOfTheWhole) {
    TextReader whole = reader();
    whole.begin(64);
    // More than one step's tokens: read in several.
    const auto last = copy(whole.read(tokens_, WantedLogits::last));
    ASSERT_EQ(last.size(), whole.vocab());
    TextReader pieces = reader();
    for (int time = 0; time < 2; ++time) {
        // begin() forgets: the second time gives the same.
        pieces.begin(40);
        EXPECT_TRUE(pieces.read(std::span(tokens_).first(30), WantedLogits::none).empty());
        ASSERT_GE(pieces.rows_max(), 8u);
        const auto rows = copy(pieces.read(std::span(tokens_).subspan(30, 8), WantedLogits::all));
        ASSERT_EQ(rows.size(), 8 * pieces.vocab());
        pieces.read(std::span(tokens_).subspan(38, 1), WantedLogits::none);
        EXPECT_EQ(copy(pieces.read(std::span(tokens_).subspan(39), WantedLogits::last)), last);
    }
}

}  // namespace
}  // namespace hone::runtime
