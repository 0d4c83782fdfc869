// libFuzzer entry for prompt files. What is accepted must be within the limits.
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "probe/prompt.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto prompts = hone::probe::parse_prompts({reinterpret_cast<const char*>(data), size});
    if (!prompts) return 0;
    HONE_CHECK(!prompts->empty());
    for (const hone::probe::Prompt& prompt : *prompts) {
        for (const int32_t token : prompt.tokens) HONE_CHECK_GE(token, 0);
    }
    return 0;
}
