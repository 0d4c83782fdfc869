#include "measure/step_timer.h"

#include <cpuid.h>

namespace hone::measure {
namespace {

constexpr int64_t kCalibrationNs = 2'000'000;
// At 10 ns each more than long enough; ends the loop for a clock that stands still.
constexpr int kCalibrationReadsMax = 20'000'000;
constexpr int kReadingTries = 16;
constexpr size_t kGapMarks = 6;  // of 24 bytes: more than two cache lines

// CPUID 0x80000007, EDX bit 8: the counter keeps its pace in all power states (Intel SDM 18.17).
bool has_invariant_tsc() {
    uint32_t a = 0;
    uint32_t b = 0;
    uint32_t c = 0;
    uint32_t d = 0;
    return __get_cpuid(0x80000007, &a, &b, &c, &d) != 0 && (d & (1u << 8)) != 0;
}

struct Reading {
    int64_t ns = 0;
    int64_t ticks = 0;
};

// The clock and the counter at nearly the same moment: of several tries the one in which the least
// time passed around the clock's read, since a thread may lose its CPU in between.
Reading read_both(const base::Clock& clock) {
    Reading best;
    int64_t best_gap = INT64_MAX;
    for (int i = 0; i < kReadingTries; ++i) {
        const auto before = static_cast<int64_t>(__builtin_ia32_rdtsc());
        const int64_t ns = clock.now_ns();
        const auto after = static_cast<int64_t>(__builtin_ia32_rdtsc());
        if (after - before >= best_gap) continue;
        best_gap = after - before;
        best = {ns, before + (after - before) / 2};
    }
    return best;
}

}  // namespace

TickRate calibrate_ticks(const base::Clock& clock) {
    if (!has_invariant_tsc()) return {};
    const Reading begin = read_both(clock);
    bool moves = false;
    for (int i = 0; i < kCalibrationReadsMax; ++i) {
        const int64_t now_ns = clock.now_ns();
        moves = moves || now_ns != begin.ns;
        // A clock that stands still for a thousand reads is no clock to calibrate against.
        if (i == 1000 && !moves) return {};
        if (now_ns - begin.ns < kCalibrationNs) continue;
        const Reading end = read_both(clock);
        if (end.ticks <= begin.ticks || end.ns <= begin.ns) return {};
        return {true, static_cast<double>(end.ns - begin.ns) /
                          static_cast<double>(end.ticks - begin.ticks)};
    }
    return {};
}

StepTimer::StepTimer(size_t nodes, int threads, const base::Clock& clock, TickRate rate)
    : nodes_(nodes), threads_(threads), clock_(&clock), rate_(rate), stride_(nodes + kGapMarks) {
    HONE_CHECK_GE(threads, 1);
    // No step has begun yet, so nothing may look as if it ran in one.
    marks_.assign(stride_ * static_cast<size_t>(threads), Marks{INT64_MIN, INT64_MIN, INT64_MIN});
}

int64_t StepTimer::opening_of(size_t node) const {
    int64_t opening = at(node, 0).barrier_end;
    for (int thread = 1; thread < threads_; ++thread) {
        const Marks& marks = at(node, thread);
        if (marks.barrier_end >= begin_ticks_ && marks.barrier_end < opening) {
            opening = marks.barrier_end;
        }
    }
    return opening;
}

int StepTimer::critical_thread_of(size_t node) const {
    int critical = 0;
    for (int thread = 1; thread < threads_; ++thread) {
        if (at(node, thread).compute_end > at(node, critical).compute_end) critical = thread;
    }
    return critical;
}

// `from` is where the critical thread's time before this node begins.
void StepTimer::add_node(size_t node, int critical, int64_t from, OperatorSample& row) const {
    const Marks& marks = at(node, critical);
    row.dispatch_ns += to_ns(marks.start - from);
    row.compute_ns += to_ns(marks.compute_end - marks.start);
    int64_t sum = 0;
    int count = 0;
    for (int thread = 0; thread < threads_; ++thread) {
        const Marks& each = at(node, thread);
        if (each.start < begin_ticks_) continue;
        sum += each.compute_end - each.start;
        ++count;
    }
    row.compute_mean_ns += count == 0 ? 0 : to_ns(sum) / count;
}

std::vector<NodeStamps> StepTimer::stamps() const {
    std::vector<NodeStamps> out;
    for (int thread = 0; thread < threads_; ++thread) {
        for (size_t node = 0; node < nodes_; ++node) {
            const Marks& marks = at(node, thread);
            if (marks.start < begin_ticks_) continue;
            const bool waited = marks.barrier_end >= marks.compute_end;
            out.push_back({static_cast<uint32_t>(node), thread, to_ns(marks.start - begin_ticks_),
                           to_ns(marks.compute_end - begin_ticks_),
                           to_ns((waited ? marks.barrier_end : marks.compute_end) - begin_ticks_)});
        }
    }
    return out;
}

void StepTimer::fold(OperatorTable& table, std::string_view slice, uint32_t position,
                     uint64_t tokens, std::span<const double> bytes,
                     std::span<const double> flops) const {
    HONE_CHECK_EQ(table.nodes(), nodes_);
    HONE_CHECK(bytes.empty() || bytes.size() == nodes_);
    HONE_CHECK(flops.empty() || flops.size() == nodes_);
    std::vector<OperatorSample>& rows = table.rows_for(slice, position_bucket(position));

    int64_t from = begin_ticks_;
    size_t first = 0;
    while (first < nodes_) {
        // The segment is [first, last]; its last node has a barrier or is the last that ran.
        size_t last = nodes_;
        for (size_t node = first; node < nodes_; ++node) {
            if (!ran(node)) continue;
            last = node;
            if (has_barrier(node)) break;
        }
        if (last == nodes_) break;
        const int critical = critical_thread_of(last);
        for (size_t node = first; node <= last; ++node) {
            if (!ran(node)) continue;
            OperatorSample& row = rows[node];
            add_node(node, critical, from, row);
            ++row.calls;
            row.tokens += tokens;
            if (!bytes.empty()) row.bytes += bytes[node];
            if (!flops.empty()) row.flops += flops[node];
            from = at(node, critical).compute_end;
        }
        if (has_barrier(last)) {
            const int64_t opening = opening_of(last);
            rows[last].barrier_ns += to_ns(opening - from);
            from = opening;
        }
        first = last + 1;
    }
    table.add_step(to_ns(end_ticks_ - begin_ticks_), to_ns(end_ticks_ - from));
}

}  // namespace hone::measure
