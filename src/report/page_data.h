// What the report page is drawn from, as JSON: {explain, charts}; report/html_report.h
// adds {language, texts}.
//
// `explain` is what `hone explain --json` prints, `texts` the message table of the language, and
// `charts` what pictures need beyond both: waterfalls, gaps by position, roofs, all nodes. Whatever
// is left out for size is counted. No colours, no layout: those are the page's own. Pure.
#pragma once

#include "base/json_fwd.h"
#include "diagnose/diagnosis.h"
#include "measure/record.h"
#include "report/style.h"

namespace hone::report {

// A page with more rows is slower to open than useful; a model of 100 layers has about 1000.
inline constexpr size_t kPageNodesMax = 2000;
inline constexpr size_t kPageExperimentsMax = 500;
inline constexpr size_t kPagePositionsMax = 256;

base::Json page_data(const diagnose::Diagnosis& diagnosis, const measure::RunRecord& record,
                     const Style& style);

// Every text of the language, by id.
base::Json page_texts(const Style& style);

// Waterfalls: [{id, total_ms, bars: [{name, start_ms, end_ms}]}] of the cold start, the first
// request and the warm request of median length. Bars follow each other and end at the total; what
// no stage claims is the bar "unattributed". A part that was not measured is left out.
base::Json waterfalls(const measure::RunRecord& record);

// Time between two output tokens of warm requests by the position of the later one in its
// sequence: [{position, position_last, n, median_ms, low_ms, high_ms}], low and high the 10th and
// 90th percentile. Neighbours share a row where there are more than kPagePositionsMax.
base::Json latency_by_position(const measure::RunRecord& record);

// The roofs over the run: {threads, bandwidth: [{what, bytes, gb_per_s}], peaks: [{operation,
// g_per_s}]}. `what` is "memory" for the largest set, "cache" for the fastest small one.
base::Json roofs(const measure::RunRecord& record);

}  // namespace hone::report
