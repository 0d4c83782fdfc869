#include "formats/gguf_value.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "formats/gguf_bytes.h"

namespace hone::formats {
namespace {

using testing::ElementsAre;

GgufValue scalar(GgufType type, const std::string& bytes) {
    return {type, type, 1, as_span(bytes)};
}

GgufValue array(GgufType type, uint64_t count, const std::string& bytes) {
    return {GgufType::array, type, count, as_span(bytes)};
}

TEST(GgufValue, IntegersConvertWhenTheyFit) {
    const std::string minus = wire<int8_t>(-3);
    EXPECT_EQ(scalar(GgufType::i8, minus).as_i64(), -3);
    EXPECT_EQ(scalar(GgufType::i8, minus).as_u64(), std::nullopt);
    EXPECT_EQ(scalar(GgufType::i8, minus).as_f64(), -3.0);
    EXPECT_EQ(scalar(GgufType::u8, minus).as_u64(), 253u);
    const std::string huge = wire<uint64_t>(~uint64_t{0});
    EXPECT_EQ(scalar(GgufType::u64, huge).as_u64(), ~uint64_t{0});
    EXPECT_EQ(scalar(GgufType::u64, huge).as_i64(), std::nullopt);
    EXPECT_EQ(scalar(GgufType::i64, huge).as_i64(), -1);
    const std::string small = wire<int16_t>(-300);
    EXPECT_EQ(scalar(GgufType::i16, small).as_i64(), -300);
    EXPECT_EQ(scalar(GgufType::u16, small).as_i64(), 65236);
    const std::string word = wire<int32_t>(-70000);
    EXPECT_EQ(scalar(GgufType::i32, word).as_i64(), -70000);
    EXPECT_EQ(scalar(GgufType::u32, word).as_u64(), 4294897296u);
}

TEST(GgufValue, FloatsBoolsAndStrings) {
    const std::string f32 = wire(0.25f), f64 = wire(1e300), yes = wire<uint8_t>(1);
    EXPECT_EQ(scalar(GgufType::f32, f32).as_f64(), 0.25);
    EXPECT_EQ(scalar(GgufType::f64, f64).as_f64(), 1e300);
    EXPECT_EQ(scalar(GgufType::f32, f32).as_u64(), std::nullopt);
    EXPECT_EQ(scalar(GgufType::boolean, yes).as_bool(), true);
    EXPECT_EQ(scalar(GgufType::boolean, yes).as_u64(), std::nullopt);
    EXPECT_EQ(scalar(GgufType::u8, yes).as_bool(), std::nullopt);
    const std::string text = "text";
    EXPECT_EQ(scalar(GgufType::string, text).as_string(), "text");
    EXPECT_EQ(scalar(GgufType::string, text).as_f64(), std::nullopt);
    EXPECT_EQ(scalar(GgufType::string, "").as_string(), "");
}

TEST(GgufValue, Arrays) {
    const std::string texts = wire_text("a") + wire_text("") + wire_text("bcd");
    EXPECT_THAT(*array(GgufType::string, 3, texts).as_strings(), ElementsAre("a", "", "bcd"));
    const std::string numbers = wire<int32_t>(5) + wire<int32_t>(-6);
    EXPECT_THAT(*array(GgufType::i32, 2, numbers).as_i64s(), ElementsAre(5, -6));
    EXPECT_EQ(array(GgufType::i32, 2, numbers).as_f32s(), std::nullopt);
    EXPECT_EQ(array(GgufType::i32, 2, numbers).as_u64(), std::nullopt);
    const std::string floats = wire(1.5f) + wire(-2.0f);
    EXPECT_THAT(*array(GgufType::f32, 2, floats).as_f32s(), ElementsAre(1.5f, -2.0f));
    const std::string doubles = wire(1.5);
    EXPECT_THAT(*array(GgufType::f64, 1, doubles).as_f32s(), ElementsAre(1.5f));
    const std::string flags = wire<uint8_t>(1) + wire<uint8_t>(0);
    EXPECT_THAT(*array(GgufType::boolean, 2, flags).as_bools(), ElementsAre(true, false));
    EXPECT_TRUE(array(GgufType::u8, 0, "").as_i64s()->empty());
    EXPECT_EQ(array(GgufType::string, 3, texts).type_text(), "array of 3 string");
    EXPECT_EQ(scalar(GgufType::i16, "12").type_text(), "i16");
}

// The bytes were checked when the file was opened; a file that changes on disk must still not lead
// outside of it.
TEST(GgufValue, StringsAreCheckedAgainAtEachWalk) {
    const std::string beyond = wire<uint64_t>(100) + "short";
    EXPECT_EQ(array(GgufType::string, 1, beyond).as_strings(), std::nullopt);
    EXPECT_EQ(array(GgufType::string, 1, "1234567").as_strings(), std::nullopt);
}

}  // namespace
}  // namespace hone::formats
