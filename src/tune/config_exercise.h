// What the fuzzer and a plain test do with the bytes of a settings file. Test code only.
#pragma once

#include <string_view>

#include "base/check.h"
#include "tune/config_file.h"

namespace hone::tune {

// A file that is read can be written, and read again as the same settings.
inline void exercise_config(std::string_view bytes) {
    Settings settings;
    if (!parse_config(bytes, settings)) return;
    Settings again;
    HONE_CHECK(parse_config(config_text(settings, "again"), again).has_value());
    HONE_CHECK(again == settings);
}

}  // namespace hone::tune
