#include "text/unicode_classes.h"

#include <gtest/gtest.h>

namespace hone::text {
namespace {

TEST(UnicodeClasses, KnowsOneOfEachClass) {
    EXPECT_EQ(unicode_class(0xE9), UnicodeClass::letter);
    EXPECT_EQ(unicode_class(0x4E00), UnicodeClass::letter);
    EXPECT_EQ(unicode_class(0xBD), UnicodeClass::number);
    EXPECT_EQ(unicode_class(0x0661), UnicodeClass::number);
    EXPECT_EQ(unicode_class(0x0301), UnicodeClass::mark);
    EXPECT_EQ(unicode_class(0x3002), UnicodeClass::punctuation);
    EXPECT_EQ(unicode_class(0x1F600), UnicodeClass::symbol);
    EXPECT_EQ(unicode_class(0x3000), UnicodeClass::whitespace);
    EXPECT_EQ(unicode_class(0x85), UnicodeClass::whitespace);
    EXPECT_EQ(unicode_class(0x200B), UnicodeClass::other);
    EXPECT_EQ(unicode_class(0x10FFFF), UnicodeClass::other);
    EXPECT_EQ(unicode_class(0x110000), UnicodeClass::other);
    EXPECT_EQ(unicode_class(0xFFFFFFFF), UnicodeClass::other);
}

TEST(UnicodeClasses, IsUnicode15Point1) {
    EXPECT_EQ(unicode_class(0x2EBF0), UnicodeClass::letter);  // new in 15.1
    EXPECT_EQ(unicode_class(0x2FFC), UnicodeClass::symbol);   // new in 15.1
    EXPECT_EQ(unicode_class(0x105C0), UnicodeClass::other);   // new in 16.0
}

TEST(UnicodeClasses, TableIsSortedAndMerged) {
    EXPECT_EQ(kUnicodeClassRanges[0] >> 3, 0x80u);
    for (size_t i = 1; i < kUnicodeClassRanges.size(); ++i) {
        ASSERT_LT(kUnicodeClassRanges[i - 1] >> 3, kUnicodeClassRanges[i] >> 3) << i;
        ASSERT_NE(kUnicodeClassRanges[i - 1] & 7, kUnicodeClassRanges[i] & 7) << i;
    }
}

}  // namespace
}  // namespace hone::text
