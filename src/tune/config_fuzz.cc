// libFuzzer target: hone.toml.
#include <cstddef>
#include <cstdint>

#include "tune/config_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    hone::tune::exercise_config({reinterpret_cast<const char*>(data), size});
    return 0;
}
