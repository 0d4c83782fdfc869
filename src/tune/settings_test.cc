#include "tune/settings.h"

#include <gtest/gtest.h>

#include "tune/config_exercise.h"
#include "tune/config_file.h"

namespace hone::tune {
namespace {

using base::ErrorCode;

TEST(Settings, EachChangeHoldsAndIsUndone) {
    const ledger::Changes changes[] = {{{"threads", "2"}},
                                       {{"pin", "on"}},
                                       {{"isa", "avx2"}},
                                       {{"kv", "q8"}},
                                       {{"kv", "q4"}},
                                       {{"step_tokens", "64"}},
                                       {{"context", "512"}},
                                       {{"batch", "4"}},
                                       {{"flush_denormals", "on"}},
                                       {{"prefix_cache", "off"}},
                                       {{"trim_padding", "on"}},
                                       {{"packed_cache", "off"}},
                                       {{"mlock", "on"}},
                                       {{"speculate", "ngram"}},
                                       {{"draft_tokens", "7"}},
                                       {{"head", "screened"}},
                                       {{"without_layers", "3,17"}},
                                       {{"pass:merge_qkv", "off"}},
                                       {{"variant:linear", "u4m/avx2"}},
                                       {{"threads", "3"}, {"kv", "q8"}}};
    const Settings start;
    for (const ledger::Changes& change : changes) {
        const auto after = changed(start, change);
        ASSERT_TRUE(after) << after.error().message;
        EXPECT_NE(*after, start);
        for (const auto& [name, value] : change) EXPECT_EQ(value_of(*after, name), value);
        EXPECT_EQ(*changed(*after, undo_of(start, change)), start) << change.front().first;
        EXPECT_EQ(*changed(Settings(), listed(*after)), *after) << change.front().first;
        EXPECT_FALSE(flags_text(*after).empty());
    }
    EXPECT_EQ(flags_text(start), "");
}

TEST(Settings, AVariantTakesThePlaceOfItsFamilysOld) {
    auto settings = changed(Settings(), {{"variant:linear", "a"}, {"variant:rows", "b"}});
    settings = changed(*settings, {{"variant:linear", "c"}});
    EXPECT_EQ(settings->variants, (std::vector<std::string>{"rows=b", "linear=c"}));
    settings =
        changed(*settings, {{"variant:rows", "default"}, {"pass:x", "off"}, {"pass:x", "on"}});
    EXPECT_EQ(settings->variants, std::vector<std::string>{"linear=c"});
    EXPECT_TRUE(settings->without.empty());
}

TEST(Settings, WrongNamesAndValuesAreErrors) {
    for (const auto& [name, value] : ledger::Changes{{"threads", "-1"},
                                                     {"threads", "2x"},
                                                     {"threads", ""},
                                                     {"threads", "99999999999999999999"},
                                                     {"pin", "yes"},
                                                     {"isa", "sse9"},
                                                     {"kv", "q2"},
                                                     {"packed_cache", "maybe"},
                                                     {"mlock", "1"},
                                                     {"speculate", "on"},
                                                     {"draft_tokens", "0"},
                                                     {"draft_tokens", "17"},
                                                     {"step_tokens", "0"},
                                                     {"batch", "65"},
                                                     {"pass:", "on"},
                                                     {"pass:x", "maybe"},
                                                     {"head", "half"},
                                                     {"without_layers", "all"},
                                                     {"without_layers", "1,,2"},
                                                     {"without_layers", "1024"},
                                                     {"variant:", "x"},
                                                     {"variant:linear", ""},
                                                     {"speed", "high"},
                                                     {"", ""}}) {
        Settings settings;
        const auto status = change(settings, name, value);
        ASSERT_FALSE(status) << name << "=" << value;
        EXPECT_EQ(status.error().code, ErrorCode::invalid_argument);
        EXPECT_EQ(settings, Settings());
    }
}

TEST(Settings, LayersAreOrderedAndComeToTheSession) {
    const auto settings = changed(Settings(), {{"without_layers", "17,3,17"}});
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(flags_text(*settings), "--without-layers 3,17");
    EXPECT_EQ(load_options(*settings, {})->without_layers, (std::vector<uint32_t>{3, 17}));
    EXPECT_TRUE(changed(*settings, {{"without_layers", ""}})->without_layers.empty());
}

TEST(Settings, TheCachesTypeComesToTheSession) {
    EXPECT_EQ(load_options({}, {})->limits.kv_dtype, kernels::KvDtype::f16);
    const auto settings = changed({}, {{"kv", "q4"}});
    ASSERT_TRUE(settings) << settings.error().message;
    EXPECT_EQ(load_options(*settings, {})->limits.kv_dtype, kernels::KvDtype::q4);
    EXPECT_FALSE(changed({}, {{"kv", "q3"}}));
}

TEST(Settings, DraftsAreMadeOnlyWhereTheyAreAskedFor) {
    auto settings = changed(Settings(), {{"draft_tokens", "7"}});
    EXPECT_EQ(load_options(*settings, {})->limits.drafts_max, 0u);
    settings = changed(*settings, {{"speculate", "ngram"}});
    EXPECT_EQ(load_options(*settings, {})->limits.drafts_max, 7u);
    EXPECT_EQ(flags_text(*settings), "--speculate ngram --draft-tokens 7");
}

TEST(ConfigFile, SettingsComeBackFromTheirFile) {
    const auto settings = changed(Settings(), {{"threads", "2"},
                                               {"pin", "on"},
                                               {"isa", "avx2"},
                                               {"kv", "q8"},
                                               {"step_tokens", "64"},
                                               {"context", "512"},
                                               {"batch", "4"},
                                               {"flush_denormals", "on"},
                                               {"prefix_cache", "off"},
                                               {"trim_padding", "on"},
                                               {"packed_cache", "on"},
                                               {"mlock", "on"},
                                               {"speculate", "ngram"},
                                               {"draft_tokens", "2"},
                                               {"head", "screened"},
                                               {"without_layers", "12,17"},
                                               {"pass:merge_qkv", "off"},
                                               {"variant:linear", "u4m/avx2"}});
    ASSERT_TRUE(settings);
    const std::string text = config_text(*settings, "made for a test\nin two lines");
    Settings back;
    const auto status = parse_config(text, back);
    ASSERT_TRUE(status) << status.error().message << "\n" << text;
    EXPECT_EQ(back, *settings);
    EXPECT_EQ(text.rfind("# made for a test\n# in two lines\n", 0), 0u);
}

TEST(ConfigFile, WhatIsNotMentionedStays) {
    Settings settings;
    settings.threads = 3;
    ASSERT_TRUE(parse_config("schema = 1\n[session]\nkv = \"q8\"\n", settings));
    EXPECT_EQ(settings.threads, 3);
    EXPECT_EQ(settings.kv, "q8");
    ASSERT_TRUE(parse_config("schema = 1", settings));
    EXPECT_EQ(settings.threads, 3);
}

struct BrokenConfig {
    const char* text;
    ErrorCode code;
};

TEST(ConfigFile, BrokenFilesAreErrorsAndChangeNothing) {
    const BrokenConfig broken[] = {
        {"", ErrorCode::invalid_argument},
        {"schema = 2", ErrorCode::unsupported},
        {"schema = \"1\"", ErrorCode::invalid_argument},
        {"schema = 1\nsession = 3", ErrorCode::invalid_argument},
        {"schema = 1\n[other]", ErrorCode::invalid_argument},
        {"schema = 1\n[session]\nthread = 2", ErrorCode::invalid_argument},
        {"schema = 1\n[session]\nthreads = \"2\"", ErrorCode::invalid_argument},
        {"schema = 1\n[session]\nthreads = 2.0", ErrorCode::invalid_argument},
        {"schema = 1\n[session]\nthreads = -2", ErrorCode::invalid_argument},
        {"schema = 1\n[session]\nkv = true", ErrorCode::invalid_argument},
        {"schema = 1\n[session]\npin = 1", ErrorCode::invalid_argument},
        {"schema = 1\n[session]\nwithout = \"x\"", ErrorCode::invalid_argument},
        {"schema = 1\n[session]\nwithout = [1]", ErrorCode::invalid_argument},
        {"schema = 1\n[session]\nvariants = [\"linear\"]", ErrorCode::invalid_argument},
        {"schema = 1\n[session]\nkv = \"q8\"\nthreads = 9999999", ErrorCode::invalid_argument},
        {"schema = 1\n[session]\nthreads = 1\nthreads = 2", ErrorCode::corrupt},
        {"schema = 1\n[session", ErrorCode::corrupt},
        {"schema = 1\n[session]\nisa = \"\xff\xfe\"", ErrorCode::corrupt},
        {"{\"schema\": 1}", ErrorCode::corrupt},
    };
    for (const BrokenConfig& config : broken) {
        Settings settings;
        const auto status = parse_config(config.text, settings);
        ASSERT_FALSE(status) << config.text;
        EXPECT_EQ(status.error().code, config.code) << config.text << status.error().message;
        EXPECT_EQ(status.error().message.find('\n'), std::string::npos);
        EXPECT_EQ(settings, Settings()) << config.text;
    }
    Settings settings;
    EXPECT_EQ(parse_config(std::string(kConfigBytesMax + 1, ' '), settings).error().code,
              ErrorCode::exhausted);
    const std::string deep = "schema = 1\nx = " + std::string(20'000, '[');
    EXPECT_EQ(parse_config(deep, settings).error().code, ErrorCode::corrupt);
}

TEST(ConfigFile, TheFuzzersCorpusRunsAsATest) {
    for (const char* seed : {"schema = 1\n[session]\nthreads = 2\nwithout = [\"a\"]",
                             "schema = 1\n[session]\nisa = \"avx2\"",
                             "\xef\xbb\xbf"
                             "schema=1",
                             "schema = 1\n[session]\nthreads = 0x7fffffffffffffff", "a.b.c = 1"}) {
        exercise_config(seed);
    }
}

}  // namespace
}  // namespace hone::tune
