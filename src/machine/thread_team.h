// A fixed team of threads that run one function together, many thousand times per second.
//
// Not a task queue: every member runs every function, work is split by thread index. Members meet
// at barriers that spin for a bounded time and then sleep on a futex, so that an oversubscribed
// machine loses microseconds and not its throughput (a pure spin barrier collapses there). The
// calling thread is member 0. Thread rule: run() from one thread at a time; barrier() only from
// inside run(), by all members.
#pragma once

#include <cstdint>
#include <memory>
#include <type_traits>

#include "base/result.h"

namespace hone::machine {

struct ThreadTeamOptions {
    int threads = 1;
    // Pins member i to the i-th CPU this process may use.
    bool pin = false;
    // Pause instructions before a waiting member sleeps. 0 sleeps at once.
    int spin_pauses = 4000;
    // Inside run(), denormal f32 results become 0 and denormal inputs count as 0 (MXCSR FTZ and
    // DAZ). Some CPUs need a hundred cycles more for an operation with a denormal; IEEE 754 wants
    // them, so it is off unless asked for.
    bool flush_denormals = false;
};

class ThreadTeam {
  public:
    static constexpr int kThreadsMax = 256;

    // invalid_argument outside [1, kThreadsMax], exhausted when threads cannot be started.
    static base::Result<std::unique_ptr<ThreadTeam>> create(ThreadTeamOptions options);
    ~ThreadTeam();
    ThreadTeam(const ThreadTeam&) = delete;
    ThreadTeam& operator=(const ThreadTeam&) = delete;

    int threads() const;

    // ThreadTeamOptions::flush_denormals, and another value for the runs to come. Not from inside
    // run().
    bool flush_denormals() const;
    void set_flush_denormals(bool flush);

    // Calls work(thread_index) on every member and returns when all have finished. `work` is
    // borrowed for the call; no allocation.
    template <class Work>
    void run(Work&& work) {
        using Callable = std::remove_reference_t<Work>;
        run_raw([](void* context, int thread) { (*static_cast<Callable*>(context))(thread); },
                const_cast<void*>(static_cast<const void*>(&work)));
    }

    // Returns when all members have called it; writes before it are visible after it.
    void barrier();

  private:
    struct State;
    explicit ThreadTeam(std::unique_ptr<State> state);
    void run_raw(void (*work)(void*, int), void* context);

    std::unique_ptr<State> state_;
};

// The half-open part of [0, count) that belongs to `thread`, in multiples of `grain` items.
struct IndexRange {
    int64_t begin = 0;
    int64_t end = 0;
};
constexpr IndexRange split_range(int64_t count, int64_t grain, int thread, int threads) {
    const int64_t units = (count + grain - 1) / grain;
    const int64_t begin = units * thread / threads * grain;
    const int64_t end = units * (thread + 1) / threads * grain;
    return {begin < count ? begin : count, end < count ? end : count};
}

}  // namespace hone::machine
