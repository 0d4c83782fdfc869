#include "base/check.h"

#include <cstdio>
#include <cstdlib>

namespace hone::base {

void check_failed(const char* file, int line, const char* expression, const std::string& operands) {
    std::fprintf(stderr, "hone: bug: %s:%d: check failed: %s%s%s\n", file, line, expression,
                 operands.empty() ? "" : ": ", operands.c_str());
    std::abort();
}

}  // namespace hone::base
