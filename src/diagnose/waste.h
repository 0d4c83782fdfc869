// Time that one named change would give back: work that need not be done, and settings that cost.
//
// Each finding rests on an experiment of the record (the same steps with and without) or on tokens
// that were counted as unnecessary. Shares are of the time of one slice kind; findings may overlap,
// so whoever adds them up takes each from what the others leave. Not a prediction for a user's
// metric: see decision.h. Pure.
#pragma once

#include <string>
#include <vector>

#include "cost/note.h"
#include "diagnose/attribution.h"
#include "diagnose/breakdown.h"
#include "measure/record.h"

namespace hone::diagnose {

struct Waste {
    std::string subject;  // "pass/merge_qkv", "prompt/repeated_prefix", "threads/8", ...
    Bottleneck bottleneck = Bottleneck::structural_redundancy;
    double confidence = 0;     // before the measurement's grade
    double prefill_share = 0;  // of all prefill (and mixed) steps
    double decode_share = 0;   // of all decode steps
    std::vector<cost::Note> evidence;
};

// In the order of the rules; findings below kWasteMin of the steps are left out.
std::vector<Waste> find_waste(const measure::RunRecord& record, const Breakdown& breakdown);

// CPUs that this process can use at once: affinity and quota.
int usable_cpus(const measure::RunRecord& record);

// Prompt tokens of the warm requests, and what of them need not have been computed.
struct PromptTokens {
    size_t requests = 0;
    double computed = 0;  // not taken from the prefix cache
    double repeated = 0;  // computed again although an earlier request had them
    double padding = 0;
    double reused = 0;  // taken from the prefix cache
};
PromptTokens prompt_tokens(const measure::RunRecord& record);

}  // namespace hone::diagnose
