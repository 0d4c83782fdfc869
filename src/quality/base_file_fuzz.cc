// libFuzzer entry for the files of base runs.
#include <cstddef>
#include <cstdint>
#include <span>

#include "quality/base_file_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    hone::quality::exercise_base_file(std::as_bytes(std::span(data, size)));
    return 0;
}
