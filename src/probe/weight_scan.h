// Looks at every weight of a model file for values that cost time or do nothing.
//
// Denormals (some CPUs need a hundred cycles more for each), blocks and rows and tensors of zeros,
// tensors stored twice, rows of the vocabulary stored twice, NaN and infinity. Values are what the
// codec of the type gives; a few thousand are decoded at a time, and a tensor's pages are given
// back after it, so the model is never in memory a second time. Equal tensors are found by hash and
// then compared byte by byte. Not a judgement: counts only. The file is foreign but was checked
// when it was opened: every view lies inside it. Thread rule: one thread.
#pragma once

#include <cstddef>

#include "base/clock.h"
#include "base/result.h"
#include "cost/observations.h"
#include "formats/gguf.h"
#include "probe/conduct.h"

namespace hone::probe {

struct WeightScanOptions {
    double budget_s = 10;       // after it the scan is incomplete; looked at between rows
    size_t findings_max = 512;  // tensors that are listed
};

// cancelled.
base::Result<cost::WeightScan> scan_weights(const formats::GgufFile& file, const base::Clock& clock,
                                            const WeightScanOptions& options = {},
                                            const Conduct& conduct = {});

}  // namespace hone::probe
