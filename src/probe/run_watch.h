// Watches the machine while requests run: disturbance in slices, the read bandwidth between the
// requests, and the counters of the process.
//
// A neighbour that takes memory bandwidth leaves no trace in stolen time or run delay; a reading of
// the model's own weights, which costs no memory and evicts nothing that is not needed anyway,
// shows it. Readings are taken between rounds of requests, at most every quarter of a second, so
// that they cost the run little and the requests nothing. Writes the rows `interference`,
// `bandwidth_probe` and `counters` of cost/observations.h. Thread rule: one thread, while the
// executor is idle.
#pragma once

#include <cstdint>
#include <optional>

#include "base/clock.h"
#include "base/result.h"
#include "cost/observations.h"
#include "graph/executor.h"
#include "machine/facts.h"
#include "machine/profile.h"
#include "probe/node_walk.h"
#include "probe/process_counters.h"

namespace hone::probe {

class RunWatch {
  public:
    // Starts watching. Executor and clock are borrowed.
    RunWatch(graph::Executor& executor, const machine::MachineProfile& machine,
             const base::Clock& clock);

    // Between two rounds: closes a slice when the last one is old enough.
    void between_rounds();
    // Closes the last slice and writes the rows. `tokens`: of all warm requests, in and out.
    void finish(uint64_t tokens, measure::RunRecord& record);

    // Exposed for tests: what a slice from `begin` to `end` says.
    static cost::InterferenceSlice slice_between(const machine::DisturbanceCounters& begin,
                                                 const machine::DisturbanceCounters& end,
                                                 double wall_ns);

  private:
    void close_slice();
    void read_bandwidth(double at_s);
    double seconds_since(int64_t begin_ns) const;

    const base::Clock& clock_;
    std::optional<WeightReader> reader_;  // absent: the level has no reading loop
    int64_t begin_ns_;
    machine::DisturbanceCounters begin_;
    int64_t slice_begin_ns_;
    machine::DisturbanceCounters slice_begin_;
    double spin_before_ns_;
    cost::InterferenceSeries series_;
    cost::BandwidthProbe probe_;
    ProcessCounters counters_;  // last: the readings before are not the run's
};

}  // namespace hone::probe
