// Says beforehand what a change of settings would do to the rates and latencies of `hone ab`.
//
// First a short profile of the baseline: its own steps, steps of other sizes and at other depths,
// and the same steps in pairs for the noise. Over it the whole run is simulated with the change
// (cost/predict.h), which needs no run of the candidate. Then, where there is one, the experiment
// of `hone explain` that turns that knob for a second or two (probe/experiments.h); its pairs are
// nearer to the truth, and the forecast is theirs. Both are given, so that what is measured
// afterwards can prove either wrong. A metric that the data say nothing of is absent, with a
// reason. Thread rule: drives the session from the calling thread.
#pragma once

#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "cost/note.h"
#include "cost/predict.h"
#include "machine/profile.h"
#include "measure/record.h"
#include "measure/statistics.h"
#include "probe/conduct.h"
#include "runtime/session.h"

namespace hone::probe {

// How a side is used; every default of `load` filled in.
struct SideSettings {
    runtime::LoadOptions load;
    int batch = 1;
    int depth = 0;
    // Packed, of most weights. "" on both sides: the same.
    std::string weight_format = {};
};

// The packed format that most weights of a session's matrices are in, "" when none is known.
std::string main_weight_format(const runtime::Session& session);

struct ForecastOptions {
    int prompt_tokens = 64;
    int output_tokens = 16;
    double profile_s = 1.5;    // for running the baseline
    double experiments_s = 2;  // for the experiment of each change that has one, 0 = none
    uint64_t seed = 1;
};

struct Forecast {
    std::string metric;  // prefill_tokens_per_s | decode_tokens_per_s | ttft_ms | itl_ms
    double change_percent = 0;
    std::optional<measure::Interval> ci95;
    cost::Provenance tier = cost::Provenance::none;
};

struct Forecasts {
    std::vector<Forecast> metrics;
    std::vector<Forecast> simulated;  // from the profile alone
    std::vector<cost::Note> reasons;  // why some are absent
};

// Steps of the baseline as it is used, without those that somebody else's work made much longer;
// and of other sizes and, where `b` is used deeper, at other depths: a record for each of these.
struct BaselineProfile {
    measure::RunRecord record;
    std::vector<measure::RunRecord> others;
};
// cancelled, exhausted (no memory for the caches).
base::Result<BaselineProfile> profile_baseline(runtime::Session& session, const SideSettings& a,
                                               const SideSettings& b,
                                               const machine::MachineProfile& machine,
                                               const ForecastOptions& options,
                                               const base::Clock& clock,
                                               const Conduct& conduct = {});

// What changes between the sides, in the words of the cost room. unsupported: a change that it has
// no word for.
base::Result<std::vector<cost::WhatIf>> what_ifs_between(const SideSettings& a,
                                                         const SideSettings& b);

// cancelled, exhausted (no memory for the caches).
base::Result<Forecasts> forecast(runtime::Session& baseline, const SideSettings& a,
                                 const SideSettings& b, const machine::MachineProfile& machine,
                                 const ForecastOptions& options, const base::Clock& clock,
                                 const Conduct& conduct = {});

// The factors of several changes together, as rates and latencies; `noise` is what the control
// shows, relative. Exposed for tests.
Forecasts forecasts_of(const std::vector<cost::SimulationResult>& changes, const SideSettings& a,
                       const SideSettings& b, double noise = 0);

}  // namespace hone::probe
