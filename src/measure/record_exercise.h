// What a test does with bytes that claim to be a run record: read them, write them, read them again
// and compare them with themselves. Shared by the fuzzer and its corpus test; not for production
// code.
#pragma once

#include <string_view>

#include "base/check.h"
#include "base/json.h"
#include "measure/comparison.h"
#include "measure/record.h"

namespace hone::measure {

// True when the bytes were a record. Whatever is accepted must be readable again after it was
// written, and writing it again must change nothing; a record never differs from itself.
inline bool exercise_record(std::string_view text) {
    const auto record = parse_record(text);
    if (!record) {
        HONE_CHECK(!record.error().message.empty());
        return false;
    }
    const std::string written = base::dump_json(to_json(*record), -1);
    const auto again = parse_record(written);
    HONE_CHECK(again.has_value());
    HONE_CHECK(base::dump_json(to_json(*again), -1) == written);
    const Comparison comparison = compare_records(*record, *again, 1);
    HONE_CHECK(comparison.warnings.empty());
    for (const MetricComparison& metric : comparison.metrics) {
        HONE_CHECK(metric.verdict == Verdict::within_noise ||
                   metric.verdict == Verdict::not_enough_data);
    }
    return true;
}

}  // namespace hone::measure
