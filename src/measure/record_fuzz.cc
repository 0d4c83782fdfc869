// libFuzzer entry for run records. Seeds and finds live in src/measure/corpus/record_fuzz, which
// record_corpus_test.cc runs with every compiler.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "measure/record_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    hone::measure::exercise_record({reinterpret_cast<const char*>(data), size});
    return 0;
}
