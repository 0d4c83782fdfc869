// Runs every file of the fuzzer's corpus with every compiler and sanitizer.
#include <gtest/gtest.h>

#include <filesystem>

#include "base/text.h"
#include "measure/record_exercise.h"

namespace hone::measure {
namespace {

namespace fs = std::filesystem;

TEST(RecordCorpus, EveryFileIsHandled) {
    size_t files = 0;
    size_t accepted = 0;
    for (const auto& entry :
         fs::directory_iterator(HONE_SOURCE_DIR "/src/measure/corpus/record_fuzz")) {
        const auto text = base::read_file(entry.path().string(), 1 << 20);
        ASSERT_TRUE(text.has_value()) << entry.path();
        accepted += exercise_record(*text) ? 1 : 0;
        ++files;
    }
    EXPECT_GT(files, 20u);
    // Records that are accepted reach the code behind the checks.
    EXPECT_GT(accepted, 5u);
}

}  // namespace
}  // namespace hone::measure
