// Runs every file of the fuzzer's corpus with every compiler and sanitizer.
#include <gtest/gtest.h>

#include "base/fuzz_corpus.h"
#include "measure/record_exercise.h"

namespace hone::measure {
namespace {

TEST(RecordCorpus, EveryFileIsHandled) {
    const base::CorpusCounts counts =
        base::run_corpus(HONE_SOURCE_DIR "/src/measure/corpus/record_fuzz",
                         [](std::string_view text) { return exercise_record(text); });
    EXPECT_GT(counts.files, 20u);
    EXPECT_GT(counts.accepted, 5u);
}

}  // namespace
}  // namespace hone::measure
