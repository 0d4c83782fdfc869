#include <cstddef>
#include <cstdint>
#include <string_view>

#include "base/check.h"
#include "measure/record.h"

// Whatever is accepted must be readable again after it was written.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const std::string_view text(reinterpret_cast<const char*>(data), size);
    const auto record = hone::measure::parse_record(text);
    if (!record) return 0;
    const std::string written = hone::base::dump_json(hone::measure::to_json(*record), -1);
    HONE_CHECK(hone::measure::parse_record(written).has_value());
    return 0;
}
