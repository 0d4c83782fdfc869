// What the rest of the machine took from a run: stolen and waited-for CPU time, the quota's
// throttling, a slower clock, and memory bandwidth that somebody else used.
//
// Read from the watches in the record. What the run does to itself (more threads than CPUs) is not
// in here. Pure.
#pragma once

#include <optional>
#include <vector>

#include "cost/note.h"
#include "diagnose/breakdown.h"
#include "diagnose/waste.h"
#include "measure/record.h"

namespace hone::diagnose {

struct SliceShares {
    double prefill = 0;
    double decode = 0;
};

struct Disturbance {
    double lost_share = 0;  // of everything's time: the CPU was not there
    std::vector<cost::Note> evidence;
    // Time that operators waited longer for memory than on a quiet machine. How much of an
    // operator's time follows the bandwidth is not known: at least what its bytes take at the
    // reader's speed, at most all of it; and the quiet machine may have been quieter still.
    Waste traffic;
    SliceShares traffic_least;
    SliceShares traffic_most;
};

Disturbance find_disturbance(const measure::RunRecord& record, const Breakdown& breakdown);

// Share of the time that a thread waited for a CPU because of others: what the run's own surplus of
// threads over CPUs explains is taken off. nullopt where the system does not tell.
std::optional<double> foreign_delay_share(const measure::RunRecord& record);

}  // namespace hone::diagnose
