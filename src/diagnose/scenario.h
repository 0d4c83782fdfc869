// Scenarios: what kind of use is judged, by which number, on which fixed workload.
//
// The workloads are fixed and documented so that two runs of `--scenario realtime` are comparable
// and percentiles get the samples they need (P95: 72). Not an SLO: that is the user's own limit
// (diagnose/slo.h). Constant tables; pure functions.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "base/result.h"
#include "cost/note.h"

namespace hone::diagnose {

using cost::Note;
using cost::note;

struct Scenario {
    const char* id;
    int prompt_tokens;
    int output_tokens;
    int batch;          // sequences in flight
    int requests;       // measured (warm) requests
    int requests_long;  // with --long: enough for P99 (368)
    // The number that decides: a metric of the record, at a percentile (0.5 = median).
    const char* primary_metric;  // latency_ms | itl_ms | output_tokens_per_s
    double primary_percentile;
};

std::span<const Scenario> scenarios();
// invalid_argument lists the names. `retrieval` exists as a kind of use, but a generative model
// does not fit it: unsupported, with the reason.
base::Result<const Scenario*> find_scenario(std::string_view id);

// "latency_ms_p95" for (latency_ms, 0.95); the name itself for the median.
std::string metric_at(std::string_view metric, double percentile);

}  // namespace hone::diagnose
