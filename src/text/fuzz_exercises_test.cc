#include "text/fuzz_exercises.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/text.h"

namespace hone::text {
namespace {

// Runs every corpus file of a fuzz target; a broken promise aborts the test.
size_t run_corpus(const std::string& target, void (*exercise)(std::string_view)) {
    const std::filesystem::path folder =
        std::filesystem::path(HONE_SOURCE_DIR) / "src/text/corpus" / target;
    size_t count = 0;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const auto bytes = base::read_file(entry.path().string(), size_t{1} << 20);
        EXPECT_TRUE(bytes.has_value()) << entry.path();
        if (!bytes) continue;
        exercise(*bytes);
        ++count;
    }
    return count;
}

TEST(FuzzCorpus, Tokenizer) {
    EXPECT_GE(run_corpus("tokenizer_fuzz", exercise_tokenizer), 5u);
}

TEST(FuzzCorpus, ChatTemplate) {
    EXPECT_GE(run_corpus("chat_template_fuzz", exercise_chat_template), 5u);
}

TEST(FuzzCorpus, EmptyInputs) {
    exercise_tokenizer("");
    exercise_chat_template("");
}

}  // namespace
}  // namespace hone::text
