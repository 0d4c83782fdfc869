// The corpus of a fuzzer, run by a test, so that every compiler and sanitizer meets its seeds and
// finds. Not for production code.
#pragma once

#include <cstddef>
#include <filesystem>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "base/text.h"

namespace hone::base {

struct CorpusCounts {
    size_t files = 0;
    // Those that are read to their end matter most: they reach the code behind the checks.
    size_t accepted = 0;
};

// `accepts` is bool(std::string_view bytes).
template <class Accepts>
CorpusCounts run_corpus(const std::filesystem::path& folder, Accepts accepts) {
    constexpr size_t kFileBytesMax = size_t{1} << 20;
    CorpusCounts counts;
    for (const auto& entry : std::filesystem::directory_iterator(folder)) {
        const auto bytes = read_file(entry.path().string(), kFileBytesMax);
        HONE_CHECK(bytes.has_value());
        // A copy of its own size, so that a sanitizer sees the first byte beyond.
        const std::vector<char> exact(bytes->begin(), bytes->end());
        counts.accepted += accepts(std::string_view(exact.data(), exact.size())) ? 1 : 0;
        ++counts.files;
    }
    return counts;
}

}  // namespace hone::base
