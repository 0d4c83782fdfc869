// Runs every file of the fuzzer's corpus, and writes its seeds when asked to: with
// --gtest_also_run_disabled_tests, WriteSeeds fills the directory anew from the builders of the
// tests.
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "base/fuzz_corpus.h"
#include "formats/gguf_bytes.h"
#include "formats/gguf_exercise.h"

namespace hone::formats {
namespace {

namespace fs = std::filesystem;

const fs::path kCorpus = HONE_SOURCE_DIR "/src/formats/corpus/gguf_fuzz";

TEST(GgufCorpus, EveryFileIsHandled) {
    const base::CorpusCounts counts = base::run_corpus(kCorpus, [](std::string_view bytes) {
        base::Error error;
        exercise_gguf(std::as_bytes(std::span(bytes)), &error);
        return error.message.empty();
    });
    EXPECT_GT(counts.files, 10u);
    EXPECT_GT(counts.accepted, 3u);
}

std::vector<GgufBytes> seeds() {
    std::vector<GgufBytes> all(6);
    all[1].version = 2;
    all[2].tensors.clear();
    all[2].data.clear();
    all[3].entries.clear();
    // One entry of each scalar type and some arrays.
    for (uint32_t type : {0u, 1u, 2u, 3u, 4u, 5u, 6u, 7u, 10u, 11u, 12u}) {
        const uint32_t sizes[] = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};
        const std::string value(sizes[type], '\1');
        all[4].entries.push_back(wire_entry("scalar." + std::to_string(type), type, value));
        all[4].entries.push_back(
            wire_entry("array." + std::to_string(type), 9, wire_array(type, 2, value + value)));
    }
    all[5].entries.push_back(wire_entry("general.alignment", 4, wire<uint32_t>(8)));
    all[5].tensors = {wire_tensor("f16", {3, 1}, 1, 0), wire_tensor("q4_k", {256}, 12, 8),
                      wire_tensor("odd", {256}, 10, 152),
                      wire_tensor("new", {5, 1, 2, 1}, 77, 240)};
    all[5].data = std::string(256, '\2');
    return all;
}

TEST(GgufCorpus, DISABLED_WriteSeeds) {
    fs::create_directories(kCorpus);
    int index = 0;
    for (const GgufBytes& seed : seeds()) {
        std::ofstream(kCorpus / ("seed_" + std::to_string(index++)), std::ios::binary)
            << seed.build();
    }
}

TEST(GgufCorpus, SeedsAreGoodFiles) {
    for (const GgufBytes& seed : seeds()) {
        base::Error error;
        exercise_gguf(as_span(seed.build()), &error);
        EXPECT_EQ(error.message, "");
    }
}

}  // namespace
}  // namespace hone::formats
