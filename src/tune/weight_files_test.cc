#include "tune/weight_files.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "base/text.h"
#include "compress/compress_fixture.h"
#include "compress/quantize_file.h"

namespace hone::tune {
namespace {

using base::ErrorCode;
using testing::HasSubstr;

TEST(Weights, AreTypesByName) {
    const auto spec = parse_weights("q4_0,head=Q8_0,embedding=Q6_K");
    ASSERT_TRUE(spec);
    EXPECT_EQ(spec->type, tensor::DType::q4_0);
    EXPECT_EQ(spec->output_type, tensor::DType::q8_0);
    EXPECT_EQ(spec->embedding_type, tensor::DType::q6_k);
    EXPECT_FALSE(parse_weights("Q4_0")->output_type);
    for (const char* text : {"", "Q4", "head=Q8_0", "Q4_0,Q8_0", "Q4_0,tail=Q8_0",
                             "Q4_0,head=", "Q4_0,head=Q8_0,head=Q8_0", "IQ1_S", "Q4_0,"}) {
        const auto wrong = parse_weights(text);
        ASSERT_FALSE(wrong) << text;
        EXPECT_EQ(wrong.error().code, ErrorCode::invalid_argument) << text;
    }
}

TEST(Weights, FileNamesSayWhatTheyAre) {
    const auto parsed = parse_weight_name("my-model-1.5B-Q4_0-0123456789abcdef-v12.gguf");
    ASSERT_TRUE(parsed);
    EXPECT_EQ(parsed->model, "my-model-1.5B");
    EXPECT_EQ(parsed->formats, "Q4_0");
    const auto mixed = parse_weight_name("m-Q4_0-head-Q8_0-embedding-Q6_K-0123456789abcdef-v1");
    ASSERT_TRUE(mixed);
    EXPECT_EQ(mixed->model, "m");
    EXPECT_EQ(mixed->formats, "Q4_0-head-Q8_0-embedding-Q6_K");
    for (const char* name :
         {"", "model.gguf", "m-Q4_0-0123456789abcdef.gguf", "m-Q4_0-0123456789abcde-v1.gguf",
          "m-Q4_0-0123456789ABCDEF-v1.gguf", "m-Q4_0-0123456789abcdef-v.gguf", "-v1",
          "0123456789abcdef-v1", "m-0123456789abcdef-v1x", "Q4_0-0123456789abcdef-v1"}) {
        EXPECT_FALSE(parse_weight_name(name)) << name;
    }
}

class WeightFilesTest : public testing::Test {
  protected:
    base::Result<std::string> file_for(const std::string& weights) {
        WeightFiles files(folder(), clock_);
        return files.file_for(model_.path(), weights, 1, {});
    }
    std::string folder() const { return model_.directory().file("weights"); }

    compress::SynthModel model_{models::SynthSpec()};
    base::SteadyClock clock_;
};

TEST_F(WeightFilesTest, AModelInTheseFormatsIsItsOwn) {
    EXPECT_EQ(file_for("").value(), model_.path());
    EXPECT_EQ(file_for("Q8_0").value(), model_.path());
    EXPECT_FALSE(std::filesystem::exists(folder()));
}

TEST_F(WeightFilesTest, AreMadeOnceAndNamedByWhatTheyAre) {
    const auto made = file_for("q4_0,head=Q5_0");
    ASSERT_TRUE(made) << made.error().message;
    EXPECT_THAT(*made, HasSubstr("-Q4_0-head-Q5_0-"));
    const auto listed = base::list_cache(weights_directory(folder()));
    ASSERT_TRUE(listed);
    ASSERT_EQ(listed->files.size(), 1u) << "its name is one of its own";
    EXPECT_TRUE(listed->foreign.empty());
    EXPECT_LT(std::filesystem::file_size(*made), std::filesystem::file_size(model_.path()));
    const auto identity = [&] {
        struct stat facts {};
        EXPECT_EQ(stat(made->c_str(), &facts), 0);
        return std::pair(facts.st_ino, facts.st_ctim.tv_nsec);
    };
    const auto before = identity();
    EXPECT_EQ(file_for("Q4_0,head=q5_0").value(), *made);
    EXPECT_EQ(identity(), before) << "packed weights of it are found by its times";
    // What was made of it needs no making again.
    WeightFiles files(folder(), clock_);
    EXPECT_EQ(files.file_for(*made, "Q4_0,head=Q5_0", 1, {}).value(), *made);
}

// Of a file in these formats: which tensors calibration rounded in another way.
std::set<std::string> calibrated_tensors(const compress::SynthModel& model, const char* weights) {
    const base::SteadyClock clock;
    WeightFiles files(model.directory().file("weights"), clock);
    const auto made = files.file_for(model.path(), weights, 1, {});
    const auto recipe = compress::make_recipe(model.file(), *parse_weights(weights));
    const std::string plain = model.directory().file("plain.gguf");
    const auto team = compress::make_team(1);
    EXPECT_TRUE(compress::write_quantized(model.file(), *recipe, {}, *team, plain));
    const auto a = formats::GgufFile::open(*made);
    const auto b = formats::GgufFile::open(plain);
    std::set<std::string> out;
    for (const formats::GgufTensor& tensor : a->tensors()) {
        const auto bytes = tensor.view.span();
        const auto other = b->tensor(tensor.name)->span();
        if (!std::equal(bytes.begin(), bytes.end(), other.begin(), other.end())) {
            out.insert(std::string(tensor.name));
        }
    }
    return out;
}

TEST(WeightFiles, EightBitsAreNotCalibrated) {
    models::SynthSpec spec;
    spec.type = tensor::DType::f16;
    const compress::SynthModel model(spec);
    // The embedding is the head as well, so it is read by no norm alone and never scaled.
    const char* embedding = "token_embd.weight";
    const auto mixed = calibrated_tensors(model, "Q5_0,embedding=Q8_0");
    EXPECT_TRUE(mixed.contains("blk.0.ffn_down.weight"));
    EXPECT_FALSE(mixed.contains(embedding));
    EXPECT_TRUE(calibrated_tensors(model, "Q5_0,embedding=Q5_0").contains(embedding));
    EXPECT_TRUE(calibrated_tensors(model, "Q8_0").empty());
}

TEST_F(WeightFilesTest, StopWhenAskedAndLeaveNothing) {
    const std::atomic<bool> cancelled{true};
    const probe::Conduct conduct{{}, &cancelled};
    WeightFiles files(folder(), clock_);
    const auto made = files.file_for(model_.path(), "Q4_0", 1, conduct);
    ASSERT_FALSE(made);
    EXPECT_EQ(made.error().code, ErrorCode::cancelled);
    EXPECT_TRUE(std::filesystem::is_empty(folder()));
}

TEST_F(WeightFilesTest, TheLongestUnusedMakesRoom) {
    const uint64_t bytes = std::filesystem::file_size(*file_for("Q5_0"));
    WeightFiles small(folder(), clock_, bytes + bytes / 2);
    const auto other = small.file_for(model_.path(), "Q4_0", 1, {});
    ASSERT_TRUE(other) << other.error().message;
    size_t n = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder())) {
        EXPECT_EQ(entry.path().string(), *other);
        ++n;
    }
    EXPECT_EQ(n, 1u);
    WeightFiles tiny(folder(), clock_, 1000);
    EXPECT_EQ(tiny.file_for(model_.path(), "Q5_1", 1, {}).error().code, ErrorCode::exhausted);
}

TEST_F(WeightFilesTest, NeedAFolder) {
    WeightFiles none("", clock_);
    EXPECT_EQ(none.file_for(model_.path(), "Q4_0", 1, {}).error().code, ErrorCode::unavailable);
    ASSERT_TRUE(base::write_file(folder(), "a file"));
    EXPECT_EQ(file_for("Q4_0").error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace hone::tune
