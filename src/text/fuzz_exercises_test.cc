#include "text/fuzz_exercises.h"

#include <gtest/gtest.h>

#include "base/fuzz_corpus.h"

namespace hone::text {
namespace {

// Runs every corpus file of a fuzz target; a broken promise aborts the test.
size_t run_corpus(const std::string& target, void (*exercise)(std::string_view)) {
    const auto runs = [&](std::string_view bytes) {
        exercise(bytes);
        return true;
    };
    return base::run_corpus(HONE_SOURCE_DIR "/src/text/corpus/" + target, runs).files;
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
