// libFuzzer entry for GgufFile. Seeds and finds live in src/formats/corpus/gguf_fuzz, which
// gguf_corpus_test.cc runs with every compiler.
#include <cstddef>
#include <cstdint>
#include <span>

#include "formats/gguf_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    hone::formats::exercise_gguf(std::as_bytes(std::span(data, size)));
    return 0;
}
