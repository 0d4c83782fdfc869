#include "quality/base_file.h"

#include <gtest/gtest.h>

#include <cstring>
#include <filesystem>
#include <fstream>

#include "base/checksum.h"
#include "base/text.h"
#include "quality/base_file_exercise.h"

namespace hone::quality {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;

class BaseFileTest : public ::testing::Test {
  protected:
    void TearDown() override { fs::remove_all(store_.directory); }

    static std::vector<std::byte> bytes_of(std::string_view text) {
        const auto bytes = std::as_bytes(std::span(text.data(), text.size()));
        return {bytes.begin(), bytes.end()};
    }
    static std::vector<std::byte> rows() {
        std::vector<std::byte> out(2 * row_bytes(kExerciseVocab));
        const std::vector<float> logits{1, 2, 3, 4, 5};
        const size_t half = out.size() / 2;
        write_row(runtime::LogSoftmax(logits), 0, std::span(out).first(half));
        write_row(runtime::LogSoftmax(logits), 4, std::span(out).subspan(half));
        return out;
    }
    // A file of two chunks, as bytes.
    std::vector<std::byte> file() {
        auto writer = store_.create("one run\n", 1000);
        EXPECT_TRUE(writer) << writer.error().message;
        EXPECT_TRUE(writer->append(rows()));
        EXPECT_TRUE(writer->append(bytes_of(kAnswers)));
        EXPECT_TRUE(writer->commit());
        return bytes_of(*base::read_file(store_.path_of("one run\n"), 1 << 20));
    }
    static ErrorCode code_of(std::span<const std::byte> bytes) {
        const auto view = parse_base_file(bytes);
        return view ? ErrorCode::internal : view.error().code;
    }

    static constexpr const char* kAnswers =
        R"([{"log_likelihoods":[-1.5,-2.25]},{"outputs":["yes"]}])";
    BaseStore store_{::testing::TempDir() + "hone_base_file_test"};
};

TEST_F(BaseFileTest, ComesBackAsItWasWritten) {
    const auto bytes = file();
    const auto view = parse_base_file(bytes);
    ASSERT_TRUE(view) << view.error().message;
    EXPECT_EQ(view->description, "one run\n");
    ASSERT_EQ(view->chunks.size(), 2u);
    const auto chunk = checked_chunk(*view, 1);
    ASSERT_TRUE(chunk);
    const std::string_view text(reinterpret_cast<const char*>(chunk->data()), chunk->size());
    EXPECT_EQ(text, kAnswers);
    const auto answers = parse_answers(text, exercise_items());
    ASSERT_TRUE(answers) << answers.error().message;
    EXPECT_EQ(answers_text(*answers), kAnswers);
    EXPECT_TRUE(exercise_base_file(bytes));
}

TEST_F(BaseFileTest, EveryFlippedBitShows) {
    auto bytes = file();
    for (size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
        bytes[bit / 8] ^= std::byte(1u << (bit % 8));
        const auto view = parse_base_file(bytes);
        // A changed description is another run's: the name of the file would not fit it.
        const bool same = view && view->description == "one run\n";
        EXPECT_FALSE(same && exercise_base_file(bytes)) << "bit " << bit;
        bytes[bit / 8] ^= std::byte(1u << (bit % 8));
    }
}

TEST_F(BaseFileTest, EveryLengthButItsOwnIsRefused) {
    auto bytes = file();
    for (size_t size = 0; size < bytes.size(); ++size) {
        EXPECT_EQ(code_of(std::span(bytes).first(size)), ErrorCode::corrupt) << size;
    }
    bytes.push_back(std::byte{0});
    EXPECT_EQ(code_of(bytes), ErrorCode::corrupt);
}

TEST_F(BaseFileTest, NumbersThatDoNotFitAreRefused) {
    const auto good = file();
    const auto with = [&](size_t at, uint64_t value, size_t size) {
        auto bytes = good;
        std::memcpy(bytes.data() + at, &value, size);
        return code_of(bytes);
    };
    EXPECT_EQ(with(8, kBaseFileVersion + 1, 4), ErrorCode::unsupported);
    constexpr size_t kDescriptionBytesAt = 16, kFirstChunkAt = 40;
    for (const uint64_t value : {uint64_t{0}, uint64_t{7}, uint64_t{9}, uint64_t{1} << 40,
                                 ~uint64_t{0}, ~uint64_t{0} - 6}) {
        EXPECT_EQ(with(kDescriptionBytesAt, value, 8), ErrorCode::corrupt) << value;
        EXPECT_EQ(with(kFirstChunkAt, value, 8), ErrorCode::corrupt) << value;
    }
    EXPECT_EQ(with(good.size() - 8, 3, 8), ErrorCode::corrupt);
}

TEST_F(BaseFileTest, AStoreTakesNoOtherRunsFileAndDropsABrokenOne) {
    file();
    std::string note;
    EXPECT_TRUE(store_.find("one run\n", note));
    EXPECT_FALSE(store_.find("another run\n", note));
    EXPECT_EQ(note, "");
    fs::rename(store_.path_of("one run\n"), store_.path_of("another run\n"));
    EXPECT_FALSE(store_.find("another run\n", note));
    EXPECT_NE(note.find("of another run"), std::string::npos);
    EXPECT_FALSE(fs::exists(store_.path_of("another run\n")));
    std::ofstream(store_.path_of("one run\n")) << "HoneBase";
    EXPECT_FALSE(store_.find("one run\n", note));
    EXPECT_NE(note.find("cut short"), std::string::npos);
    EXPECT_FALSE(fs::exists(store_.path_of("one run\n")));
}

TEST_F(BaseFileTest, AStoreKnowsItsOwnFiles) {
    file();
    std::ofstream(store_.directory + "/holiday.base") << "mine";
    const auto contents = base::list_cache(runs_directory(store_.directory));
    ASSERT_TRUE(contents);
    ASSERT_EQ(contents->files.size(), 1u);
    EXPECT_EQ(contents->files[0].path, store_.path_of("one run\n"));
    EXPECT_EQ(contents->foreign, (std::vector<std::string>{"holiday.base"}));
    // What it does not know, it does not delete for room either.
    BaseStore small = store_;
    small.bytes_max = 500;
    EXPECT_TRUE(small.create("another run\n", 400));
    EXPECT_FALSE(fs::exists(store_.path_of("one run\n")));
    EXPECT_TRUE(fs::exists(store_.directory + "/holiday.base"));
}

TEST_F(BaseFileTest, AStoreHasALimitAndMayBeOff) {
    BaseStore small = store_;
    small.bytes_max = 100;
    const auto refused = small.create("one run\n", 101);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::exhausted);
    std::string note;
    EXPECT_FALSE(BaseStore{}.find("one run\n", note));
    EXPECT_EQ(note, "");
    // Unfinished files leave nothing behind.
    { const auto writer = store_.create("one run\n", 10); }
    EXPECT_FALSE(fs::exists(store_.path_of("one run\n")));
}

TEST_F(BaseFileTest, AnswersMustFitTheirItems) {
    const auto code = [](const char* text) {
        const auto answers = parse_answers(text, exercise_items());
        return answers ? ErrorCode::internal : answers.error().code;
    };
    for (const char* wrong : {"", "{}", "[]", "[1,2]", "[{},{}]", R"([{"log_likelihoods":[1,2]}])",
                              R"([{"log_likelihoods":[1]},{"outputs":["x"]}])",
                              R"([{"log_likelihoods":[1,"x"]},{"outputs":["x"]}])",
                              R"([{"log_likelihoods":[1,2]},{"outputs":[]}])",
                              R"([{"log_likelihoods":[1,2]},{"outputs":[1]}])",
                              R"([{"log_likelihoods":[1,2],"outputs":["x"]},{"outputs":["x"]}])",
                              R"([{"log_likelihoods":[1,1e999]},{"outputs":["x"]}])"}) {
        EXPECT_EQ(code(wrong), ErrorCode::corrupt) << wrong;
    }
    const auto sized = [](size_t bytes) {
        return R"([{"log_likelihoods":[-1,-2]},{"outputs":[")" + std::string(bytes, 'x') + "\"]}]";
    };
    EXPECT_EQ(code(sized(kItemTextBytesMax + 1).c_str()), ErrorCode::corrupt);
    EXPECT_EQ(code(sized(kItemTextBytesMax).c_str()), ErrorCode::internal) << "they fit";
}

}  // namespace
}  // namespace hone::quality
