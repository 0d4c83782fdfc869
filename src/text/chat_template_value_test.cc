#include "text/chat_template_value.h"

#include <gtest/gtest.h>

#include <limits>

namespace hone::text {
namespace {

TEST(Value, PrintsLikePython) {
    EXPECT_EQ(Value().to_text(), "");
    EXPECT_EQ(Value::none().to_text(), "None");
    EXPECT_EQ(Value::boolean(true).to_text(), "True");
    EXPECT_EQ(Value::integer(-5).to_text(), "-5");
    EXPECT_EQ(Value::real(2).to_text(), "2.0");
    EXPECT_EQ(Value::real(1e300).to_text(), "1e+300");
    EXPECT_EQ(Value::real(std::numeric_limits<double>::quiet_NaN()).to_text(), "nan");
    EXPECT_EQ(Value::real(-std::numeric_limits<double>::infinity()).to_text(), "-inf");
    EXPECT_EQ(Value::string("it's\n\x01").to_repr(), "\"it's\\n\\x01\"");
    EXPECT_EQ(Value::string("'\"").to_repr(), "'\\'\"'");
    EXPECT_EQ(Value::list({Value::list({}), Value::string("")}).to_text(), "[[], '']");
}

TEST(Value, ComparesLikePython) {
    EXPECT_TRUE(Value::boolean(true) == Value::integer(1));
    EXPECT_TRUE(Value::integer(1) == Value::real(1.0));
    EXPECT_FALSE(Value::string("1") == Value::integer(1));
    EXPECT_FALSE(Value::none() == Value());
    const Value a = Value::dict(
        {{Value::string("x"), Value::integer(1)}, {Value::string("y"), Value::integer(2)}});
    const Value b = Value::dict(
        {{Value::string("y"), Value::integer(2)}, {Value::string("x"), Value::integer(1)}});
    EXPECT_TRUE(a == b);
    EXPECT_EQ(compare_values(Value::string("a"), Value::string("b")), -1);
    EXPECT_EQ(compare_values(Value::integer(2), Value::real(1.5)), 1);
    EXPECT_EQ(compare_values(Value::string("a"), Value::integer(1)), 2);
}

TEST(Value, KnowsDepthAndWeight) {
    Value value = Value::string("abc");
    EXPECT_EQ(value.depth(), 0u);
    EXPECT_EQ(value.weight(), 4u);
    for (int i = 0; i < 70; ++i) value = Value::list({value, value});
    EXPECT_EQ(value.depth(), 70u);
    EXPECT_EQ(value.weight(), SIZE_MAX);  // saturated, although only 70 lists exist
}

TEST(Value, TruthIsPythons) {
    EXPECT_FALSE(Value().truthy());
    EXPECT_FALSE(Value::string("").truthy());
    EXPECT_FALSE(Value::real(0.0).truthy());
    EXPECT_FALSE(Value::list({}).truthy());
    EXPECT_TRUE(Value::list({Value()}).truthy());
    EXPECT_TRUE(Value::function(TemplateFunction::range).truthy());
}

}  // namespace
}  // namespace hone::text
