#include <fmt/format.h>

#include <cstdio>

#include "base/json.h"
#include "cli/command.h"

namespace hone::cli {

std::string build_text() {
#ifdef NDEBUG
    const char* kind = "release";
#else
    const char* kind = "debug";
#endif
#if defined(__clang__)
    const std::string compiler = fmt::format("clang {}.{}", __clang_major__, __clang_minor__);
#else
    const std::string compiler = fmt::format("gcc {}.{}", __GNUC__, __GNUC_MINOR__);
#endif
    return fmt::format("hone {} ({}, {}{})", HONE_VERSION, compiler, kind, HONE_BUILD_FLAVOUR);
}

base::Status print(const std::string& text) {
    if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() ||
        std::fflush(stdout) != 0) {
        return base::fail(base::ErrorCode::unavailable, "cannot write to standard output");
    }
    return {};
}

base::Status show(const base::Json& json, const std::string& text, bool as_json) {
    return print(as_json ? base::dump_json(json) + "\n" : text);
}

}  // namespace hone::cli
