// What tests compare two files of one model by: the logits of a few tokens, all of them.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "base/clock.h"
#include "compress/input_statistics.h"
#include "runtime/session.h"
#include "runtime/text_reader.h"

namespace hone::compress {

inline std::vector<float> outputs_of(const std::string& path) {
    constexpr uint32_t kTokens = 24;
    const base::SteadyClock clock;
    const auto session = runtime::open_session(path, calibration_load(64, 2), clock);
    EXPECT_TRUE(session) << session.error().message;
    auto reader = runtime::TextReader::create(**session, 64);
    EXPECT_TRUE(reader);
    std::vector<int32_t> tokens;
    for (uint32_t i = 0; i < kTokens; ++i) tokens.push_back(static_cast<int32_t>(17 * i + 5));
    reader->begin(kTokens);
    const auto rows = reader->read(tokens, runtime::WantedLogits::all);
    return {rows.begin(), rows.end()};
}

// The largest difference, relative to the largest output.
inline double difference(const std::vector<float>& a, const std::vector<float>& b) {
    EXPECT_EQ(a.size(), b.size());
    double off = 0, size = 0;
    for (size_t i = 0; i < a.size(); ++i) {
        off = std::max(off, std::fabs(double{a[i]} - b[i]));
        size = std::max(size, std::fabs(double{a[i]}));
    }
    return off / size;
}

}  // namespace hone::compress
