#include "text/unicode_classes.h"

#include <gtest/gtest.h>

#include <string>
#include <vector>

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

TEST(UnicodeClasses, SpaceIsWhatPythonTakesForIt) {
    // [c for c in map(chr, range(0x110000)) if c.isspace()], Python 3.11.
    std::vector<uint32_t> spaces;
    for (uint32_t c = 0; c < 0x110000; ++c) {
        if (is_python_space(c)) spaces.push_back(c);
    }
    EXPECT_EQ(spaces,
              (std::vector<uint32_t>{9,      10,     11,     12,     13,     28,     29,     30,
                                     31,     32,     0x85,   0xA0,   0x1680, 0x2000, 0x2001, 0x2002,
                                     0x2003, 0x2004, 0x2005, 0x2006, 0x2007, 0x2008, 0x2009, 0x200A,
                                     0x2028, 0x2029, 0x202F, 0x205F, 0x3000}));
}

TEST(UnicodeClasses, PunctuationOfAsciiIsAllThatIsVisibleBesideLettersAndDigits) {
    std::string found;
    for (char c = 0; c < 0x7F; ++c) {
        if (is_punctuation(static_cast<uint32_t>(c))) found += c;
    }
    EXPECT_EQ(found, R"(!"#$%&'()*+,-./:;<=>?@[\]^_`{|}~)");
    EXPECT_FALSE(is_punctuation(0x7F));
    EXPECT_TRUE(is_punctuation(0x3002));
    EXPECT_FALSE(is_punctuation(0x20AC));  // a symbol
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
