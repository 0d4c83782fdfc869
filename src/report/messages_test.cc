#include "report/messages.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <map>
#include <set>

#include "base/text.h"
#include "report/assets.h"

namespace hone::report {
namespace {

using diagnose::note;

TEST(Messages, ValuesArePrintedByTheirSuffix) {
    EXPECT_EQ(format_value("time_ns", 1500), "1.50 us");
    EXPECT_EQ(format_value("load_ms", 2), "2.00 ms");
    EXPECT_EQ(format_value("wall_s", 9), "9.00 s");
    EXPECT_EQ(format_value("file_bytes", 2048), "2.00 KiB");
    EXPECT_EQ(format_value("roof_share", 0.123), "12.3 %");
    EXPECT_EQ(format_value("change_percent", -11.84), "-11.8 %");
    EXPECT_EQ(format_value("speedup_x", 1.5), "1.50x");
    EXPECT_EQ(format_value("read_gb_per_s", 12.34), "12.3 GB/s");
    EXPECT_EQ(format_value("tokens_per_s", 1234), "1.23 k/s");
    EXPECT_EQ(format_value("other", 1.0 / 3), "0.3333");
    EXPECT_EQ(format_value("x_ns", std::numeric_limits<double>::infinity()), "n/a");
}

TEST(Messages, NotesBecomeSentences) {
    const Style style;
    EXPECT_EQ(say(style, note("steal").with("steal_share", 0.25)),
              "25.0 % of CPU time was stolen by the host");
    EXPECT_EQ(say(style, "section_metrics"), "Metrics");
}

TEST(Messages, UnknownOrIncompleteNotesLoseNothing) {
    const Style style;
    EXPECT_EQ(say(style, note("no_such_id").with("n", 3)), "no_such_id n=3");
    EXPECT_EQ(say(style, note("steal").with("wrong", "x")), "steal wrong=x");
    EXPECT_EQ(say(style, "no_such_id"), "no_such_id");
}

TEST(Messages, IdsAreUniqueAndOneLine) {
    std::set<std::string> ids;
    for (const Message& message : messages_en()) {
        EXPECT_TRUE(ids.insert(message.id).second) << message.id;
        EXPECT_EQ(std::string_view(message.text).find('\n'), std::string_view::npos);
        EXPECT_FALSE(std::string_view(message.text).empty());
    }
}

std::set<std::string> placeholders(std::string_view text) {
    std::set<std::string> names;
    for (size_t at = text.find('{'); at != std::string_view::npos; at = text.find('{', at + 1)) {
        names.emplace(text.substr(at, text.find('}', at) + 1 - at));
    }
    return names;
}

TEST(Messages, LanguagesHaveTheSameIdsInOrderAndTheSamePlaceholders) {
    const auto english = messages_en();
    const auto chinese = messages_zh();
    std::map<std::string, std::string> texts;
    for (const Message& message : chinese) {
        EXPECT_TRUE(texts.emplace(message.id, message.text).second) << message.id;
        EXPECT_FALSE(std::string_view(message.text).empty()) << message.id;
    }
    for (const Message& message : english) {
        ASSERT_TRUE(texts.count(message.id)) << message.id << " is missing in Chinese";
        EXPECT_EQ(placeholders(message.text), placeholders(texts[message.id])) << message.id;
    }
    EXPECT_EQ(english.size(), chinese.size()) << "Chinese has ids that English lacks";
}

// Texts of the page are looked up by its scripts.
TEST(Messages, EveryTextThatThePageAsksForIsThere) {
    std::set<std::string> known;
    for (const Message& message : messages_en()) known.insert(message.id);
    size_t checked = 0;
    const std::string_view script = page_js();
    for (const std::string_view opening : {"text(\"", "\"page_"}) {
        for (size_t at = script.find(opening); at != std::string_view::npos;
             at = script.find(opening, at + 1)) {
            const size_t begin = script.find('"', at) + 1;
            const std::string id(script.substr(begin, script.find('"', begin) - begin));
            if (id.ends_with("_")) continue;  // the beginning of a family
            EXPECT_TRUE(known.count(id)) << id;
            ++checked;
        }
    }
    EXPECT_GT(checked, 60u);
}

TEST(Messages, ChineseSentencesTakeTheSameValues) {
    Style style;
    style.language = Language::chinese;
    EXPECT_EQ(say(style, note("steal").with("steal_share", 0.25)),
              "25.0 % 的 CPU 时间被宿主机占走");
    EXPECT_EQ(say(style, note("class_share").with("class", "io").with("wall_share", 0.5)),
              "I/O：占总时间 50.0 %");
}

// Ids in `note("...")` of the rooms that write notes.
std::set<std::string> ids_in(const std::filesystem::path& directory) {
    std::set<std::string> ids;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) {
        const std::string name = entry.path().filename();
        if (!name.ends_with(".cc") || name.ends_with("_test.cc")) continue;
        const auto source = base::read_file(entry.path(), 1 << 20);
        for (const std::string_view opening : {"note(\"", "note(std::string(\""}) {
            for (size_t at = source->find(opening); at != std::string::npos;
                 at = source->find(opening, at + 1)) {
                const size_t begin = at + opening.size();
                ids.insert(source->substr(begin, source->find('"', begin) - begin));
            }
        }
    }
    return ids;
}

TEST(Messages, EveryIdThatIsWrittenHasASentence) {
    std::set<std::string> known;
    for (const Message& message : messages_en()) known.insert(message.id);
    size_t checked = 0;
    for (const char* room : {"cost", "diagnose", "report", "tune"}) {
        for (const std::string& id :
             ids_in(std::filesystem::path(HONE_SOURCE_DIR) / "src" / room)) {
            EXPECT_TRUE(known.count(id)) << id << " of " << room;
            ++checked;
        }
    }
    EXPECT_GT(checked, 60u);
}

}  // namespace
}  // namespace hone::report
