// libFuzzer entry for SafetensorsFile. Seeds and finds live in
// src/formats/corpus/safetensors_fuzz, which safetensors_test.cc runs with every compiler.
#include <cstddef>
#include <cstdint>
#include <span>

#include "formats/safetensors_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    hone::formats::exercise_safetensors(std::as_bytes(std::span(data, size)));
    return 0;
}
