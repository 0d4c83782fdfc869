#include <cstddef>
#include <cstdint>

#include "text/fuzz_exercises.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    hone::text::exercise_chat_template({reinterpret_cast<const char*>(data), size});
    return 0;
}
