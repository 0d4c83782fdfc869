#include "probe/run_watch.h"

#include <algorithm>
#include <cmath>

#include "probe/interference.h"

namespace hone::probe {
namespace {

// Between two slices; a reading and the spin take about 3 ms of it.
constexpr double kSliceS = 0.25;
// Of a record's size: later slices of a very long run are not kept.
constexpr size_t kSlicesMax = 240;

}  // namespace

RunWatch::RunWatch(graph::Executor& executor, const machine::MachineProfile& machine,
                   const base::Clock& clock)
    : clock_(clock),
      begin_ns_(clock.now_ns()),
      begin_(machine::read_disturbance()),
      slice_begin_ns_(begin_ns_),
      slice_begin_(begin_),
      spin_before_ns_(spin_ns(clock)),
      counters_(clock) {
    auto reader = WeightReader::of_plan(executor);
    if (!reader || reader->bytes() == 0) return;
    reader_.emplace(std::move(*reader));
    probe_.bytes = reader_->bytes();
    probe_.threads = executor.team().threads();
    probe_.quiet_gb_per_s = machine.bandwidth_gb_per_s(probe_.bytes, probe_.threads);
}

double RunWatch::seconds_since(int64_t begin_ns) const {
    return static_cast<double>(clock_.now_ns() - begin_ns) * 1e-9;
}

cost::InterferenceSlice RunWatch::slice_between(const machine::DisturbanceCounters& begin,
                                                const machine::DisturbanceCounters& end,
                                                double wall_ns) {
    const measure::Interference seen = InterferenceWatch::between(begin, end, wall_ns);
    cost::InterferenceSlice slice;
    slice.wall_s = seen.wall_s;
    slice.steal_share = seen.steal_share;
    slice.run_delay_share = seen.run_delay_share;
    if (begin.has_throttling && end.has_throttling && wall_ns > 0) {
        slice.throttled_share = std::max(0.0, (end.throttled_ns - begin.throttled_ns) / wall_ns);
    }
    return slice;
}

void RunWatch::read_bandwidth(double at_s) {
    if (!reader_) return;
    const double gb_per_s = reader_->read_gb_per_s(clock_);
    if (gb_per_s <= 0) return;
    probe_.gb_per_s.push_back(gb_per_s);
    probe_.at_s.push_back(at_s);
}

void RunWatch::close_slice() {
    const machine::DisturbanceCounters now = machine::read_disturbance();
    cost::InterferenceSlice slice =
        slice_between(slice_begin_, now, seconds_since(slice_begin_ns_) * 1e9);
    slice.at_s = seconds_since(begin_ns_);
    if (const double ns = spin_ns(clock_); ns > 0) slice.spin_ns = ns;
    if (series_.slices.size() < kSlicesMax) {
        series_.slices.push_back(slice);
        read_bandwidth(slice.at_s);
    }
    slice_begin_ = machine::read_disturbance();
    slice_begin_ns_ = clock_.now_ns();
}

void RunWatch::between_rounds() {
    if (seconds_since(slice_begin_ns_) >= kSliceS) close_slice();
}

void RunWatch::finish(uint64_t tokens, measure::RunRecord& record) {
    cost::Counters counters = counters_.so_far();
    counters.tokens = tokens;
    close_slice();
    const machine::DisturbanceCounters end = machine::read_disturbance();
    if (begin_.has_throttling && end.has_throttling) {
        series_.throttled_periods =
            end.throttled_periods - std::min(begin_.throttled_periods, end.throttled_periods);
        series_.throttled_share =
            slice_between(begin_, end, seconds_since(begin_ns_) * 1e9).throttled_share;
    }
    const double spin_after_ns = spin_ns(clock_);
    if (spin_before_ns_ > 0 && spin_after_ns > 0) {
        series_.frequency_drift = std::fabs(spin_after_ns / spin_before_ns_ - 1);
    }
    record.experiments.push_back(cost::to_experiment(series_));
    if (!probe_.gb_per_s.empty()) record.experiments.push_back(cost::to_experiment(probe_));
    if (counters.wall_ns > 0) record.experiments.push_back(cost::to_experiment(counters));
}

}  // namespace hone::probe
