// Service level objectives: the user's own limits, and whether a record meets them.
//
// Grammar: term {"," term}; term = metric "_" percentile op value unit.
//   metric: ttft | itl | latency      percentile: p50 .. p99, p99.9      op: < <= > >=
//   value: a positive decimal         unit: us | ms | s
// e.g. 'ttft_p95<200ms,itl_p95<40ms'. A verdict needs the samples that the percentile's interval
// needs (measure/statistics.h); fewer is "not enough data", never a guess. Warm requests only.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "measure/record.h"
#include "measure/statistics.h"

namespace hone::diagnose {

struct SloTerm {
    std::string text;    // as given, trimmed
    std::string metric;  // ttft_ms | itl_ms | latency_ms
    double percentile = 0.95;
    std::string op;  // "<", "<=", ">", ">="
    double limit_ms = 0;
};

struct Slo {
    std::vector<SloTerm> terms;
};

inline constexpr size_t kSloTermsMax = 16;

// "" is an empty Slo. invalid_argument names the term and what is wrong with it.
base::Result<Slo> parse_slo(std::string_view text);

enum class Verdict : uint8_t { met, not_met, not_enough_data };
const char* verdict_name(Verdict verdict);

struct SloVerdict {
    SloTerm term;
    Verdict verdict = Verdict::not_enough_data;
    std::optional<double> value_ms;
    std::optional<measure::Interval> ci95;
    bool certain = false;  // the whole interval lies on one side of the limit
    size_t n = 0;
    size_t n_needed = 0;
};

std::vector<SloVerdict> judge(const Slo& slo, const measure::RunRecord& record);

}  // namespace hone::diagnose
