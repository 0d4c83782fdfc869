// libFuzzer entry for make_checkpoint: settings, tokenizers and weights of a directory. Seeds and
// finds live in src/models/corpus/checkpoint_fuzz, which checkpoint_test.cc runs with every
// compiler.
#include <cstddef>
#include <cstdint>
#include <span>

#include "models/checkpoint_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    // Why bytes are refused is for the tests.
    static_cast<void>(hone::models::exercise_checkpoint(std::as_bytes(std::span(data, size))));
    return 0;
}
