#include "machine/thread_team.h"

#include <fmt/format.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <xmmintrin.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <exception>
#include <thread>
#include <vector>

#include "base/check.h"

namespace hone::machine {
namespace {

// Two lines: the adjacent-line prefetcher of Intel CPUs pulls pairs.
constexpr size_t kLineBytes = 128;
// About 2 to 8 microseconds of pauses: what a wait may cost when somebody else needs the CPU.
constexpr int kSpinFloor = 64;
// Consecutive waits that ended asleep before the team spins less.
constexpr int kMissesMax = 8;
// Every so many barriers the team spins in full once, to learn whether spinning pays again.
constexpr uint32_t kProbeInterval = 32;
constexpr int kAffinitySets = 8;  // 8 x 1024 CPUs

constexpr unsigned kFlushBits = 0x8040;  // MXCSR: flush to zero, denormals are zero

using AffinityMask = std::array<cpu_set_t, kAffinitySets>;

void cpu_pause() {
    __builtin_ia32_pause();
}

void futex_wait(std::atomic<uint32_t>& word, uint32_t expected) {
    // Any return (woken, changed, interrupted) is followed by another look at the word.
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAIT_PRIVATE, expected, nullptr,
            nullptr, 0);
}

void futex_wake_all(std::atomic<uint32_t>& word) {
    syscall(SYS_futex, reinterpret_cast<uint32_t*>(&word), FUTEX_WAKE_PRIVATE, INT_MAX, nullptr,
            nullptr, 0);
}

static_assert(sizeof(std::atomic<uint32_t>) == sizeof(uint32_t));

// A counter that only grows, and the number of threads asleep on it. The sleeper announces itself
// and then looks at the word; the one who advances moves the word and then looks for sleepers. All
// four are sequentially consistent, so at least one of the two sees the other.
struct Signal {
    alignas(kLineBytes) std::atomic<uint32_t> word{0};
    alignas(kLineBytes) std::atomic<uint32_t> sleepers{0};

    void advance() {
        word.fetch_add(1, std::memory_order_seq_cst);
        if (sleepers.load(std::memory_order_seq_cst) != 0) futex_wake_all(word);
    }

    // Returns true when the word moved while spinning, false when the wait ended asleep.
    bool wait_past(uint32_t seen, int spins) {
        for (int i = 0; i <= spins; ++i) {
            if (word.load(std::memory_order_acquire) != seen) return true;
            cpu_pause();
        }
        sleepers.fetch_add(1, std::memory_order_seq_cst);
        while (word.load(std::memory_order_seq_cst) == seen) futex_wait(word, seen);
        sleepers.fetch_sub(1, std::memory_order_relaxed);
        return false;
    }
};

// How long members spin, learned from how their waits end. Shared and relaxed: it is a hint, and a
// lost update costs one wait. Waiting for work is not counted, since a pause between runs is no
// sign of a crowded machine.
struct SpinBudget {
    alignas(kLineBytes) std::atomic<int> spins{0};
    std::atomic<int> misses{0};
    int spins_max = 0;
    int spins_floor = 0;

    int current() const { return spins.load(std::memory_order_relaxed); }

    void learn(bool ended_awake, bool probe) {
        const int now = current();
        if (ended_awake) {
            if (misses.load(std::memory_order_relaxed) != 0) {
                misses.store(0, std::memory_order_relaxed);
            }
            if (now < spins_max && probe) {
                spins.store(std::min(spins_max, now * 2 + 1), std::memory_order_relaxed);
            }
            return;
        }
        if (misses.fetch_add(1, std::memory_order_relaxed) + 1 < kMissesMax) return;
        misses.store(0, std::memory_order_relaxed);
        spins.store(std::max(spins_floor, now / 2), std::memory_order_relaxed);
    }
};

int allowed_cpus(AffinityMask& mask) {
    if (sched_getaffinity(0, sizeof(mask), mask.data()) != 0) return 0;
    return CPU_COUNT_S(sizeof(mask), mask.data());
}

// The index-th CPU of the mask, wrapping around; -1 for an empty mask.
int nth_cpu(const AffinityMask& mask, int index) {
    const int count = CPU_COUNT_S(sizeof(mask), mask.data());
    if (count == 0) return -1;
    int left = index % count;
    for (int cpu = 0; cpu < kAffinitySets * CPU_SETSIZE; ++cpu) {
        if (CPU_ISSET_S(cpu, sizeof(mask), mask.data()) && left-- == 0) return cpu;
    }
    return -1;
}

void pin_this_thread(const AffinityMask& allowed, int index) {
    const int cpu = nth_cpu(allowed, index);
    if (cpu < 0) return;
    AffinityMask mask{};
    CPU_SET_S(cpu, sizeof(mask), mask.data());
    // A hint: where the system refuses, the thread runs where it is put.
    sched_setaffinity(0, sizeof(mask), mask.data());
}

}  // namespace

struct ThreadTeam::State {
    int threads = 1;
    bool pin = false;
    bool flush_denormals = false;
    AffinityMask allowed{};
    pid_t creator = 0;
    std::vector<std::thread> members;  // all but member 0

    // Written by run() before `start` advances, read by members after they saw it advance.
    void (*work)(void*, int) = nullptr;
    void* context = nullptr;
    bool stop = false;

    Signal start;
    Signal phase;
    alignas(kLineBytes) std::atomic<int> arrived{0};
    SpinBudget budget;

    // Returns true for the last to arrive, who has then opened the next phase.
    bool arrive() {
        if (arrived.fetch_add(1, std::memory_order_acq_rel) + 1 < threads) return false;
        // No one can arrive again before seeing the phase advance.
        arrived.store(0, std::memory_order_relaxed);
        phase.advance();
        return true;
    }

    void meet() {
        // The phase cannot advance before this member arrives.
        const uint32_t seen = phase.word.load(std::memory_order_relaxed);
        if (arrive()) return;
        const bool probe = seen % kProbeInterval == 0;
        const bool awake = phase.wait_past(seen, probe ? budget.spins_max : budget.current());
        budget.learn(awake, probe);
    }

    void serve(int index) {
        if (pin) pin_this_thread(allowed, index);
        if (flush_denormals) _mm_setcsr(_mm_getcsr() | kFlushBits);
        for (uint32_t seen = 0;; ++seen) {
            start.wait_past(seen, budget.current());
            if (stop) return;
            work(context, index);
            // The next start follows this phase's end, so there is nothing to wait for.
            arrive();
        }
    }

    // Members take no signals: they belong to the threads that existed before.
    base::Status start_members() {
        sigset_t all;
        sigset_t before;
        sigfillset(&all);
        pthread_sigmask(SIG_SETMASK, &all, &before);
        std::string reason;
        try {
            members.reserve(static_cast<size_t>(threads) - 1);
            for (int i = 1; i < threads; ++i) {
                members.emplace_back([this, i] { serve(i); });
                pthread_setname_np(members.back().native_handle(),
                                   fmt::format("hone-{}", i).c_str());
            }
        } catch (const std::exception& e) {
            reason = e.what();
        }
        pthread_sigmask(SIG_SETMASK, &before, nullptr);
        if (members.size() + 1 == static_cast<size_t>(threads)) return {};
        return base::fail(base::ErrorCode::exhausted, "cannot start thread {} of {}: {}",
                          members.size() + 2, threads, reason);
    }

    void stop_members() {
        stop = true;
        start.advance();
        for (std::thread& member : members) member.join();
        members.clear();
        // By number, not handle: the creator may be gone, and then this does nothing.
        if (pin) sched_setaffinity(creator, sizeof(allowed), allowed.data());
    }
};

ThreadTeam::ThreadTeam(std::unique_ptr<State> state) : state_(std::move(state)) {}

base::Result<std::unique_ptr<ThreadTeam>> ThreadTeam::create(ThreadTeamOptions options) {
    if (options.threads < 1 || options.threads > kThreadsMax) {
        return base::fail(base::ErrorCode::invalid_argument, "{} threads are outside 1 to {}",
                          options.threads, kThreadsMax);
    }
    if (options.spin_pauses < 0) {
        return base::fail(base::ErrorCode::invalid_argument, "spin_pauses {} is negative",
                          options.spin_pauses);
    }
    auto state = std::make_unique<State>();
    state->threads = options.threads;
    const int cpus = allowed_cpus(state->allowed);
    state->pin = options.pin && cpus > 0;
    state->flush_denormals = options.flush_denormals;
    state->creator = static_cast<pid_t>(syscall(SYS_gettid));
    // More members than CPUs: whoever spins keeps the CPU from whom it waits for.
    const bool crowded = cpus > 0 && options.threads > cpus;
    SpinBudget& budget = state->budget;
    budget.spins_max = crowded ? std::min(options.spin_pauses, kSpinFloor) : options.spin_pauses;
    budget.spins_floor = std::min(options.spin_pauses, kSpinFloor);
    budget.spins.store(budget.spins_max, std::memory_order_relaxed);

    std::unique_ptr<ThreadTeam> team(new ThreadTeam(std::move(state)));
    HONE_TRY_STATUS(team->state_->start_members());
    if (team->state_->pin) pin_this_thread(team->state_->allowed, 0);
    return team;
}

ThreadTeam::~ThreadTeam() {
    state_->stop_members();
}

int ThreadTeam::threads() const {
    return state_->threads;
}

void ThreadTeam::run_raw(void (*work)(void*, int), void* context) {
    State& state = *state_;
    // The calling thread gets its own mode back: what it computes between runs is not the team's.
    const unsigned before = _mm_getcsr();
    if (state.flush_denormals) _mm_setcsr(before | kFlushBits);
    if (state.threads == 1) {
        work(context, 0);
    } else {
        state.work = work;
        state.context = context;
        state.start.advance();
        work(context, 0);
        state.meet();
    }
    if (state.flush_denormals) _mm_setcsr(before);
}

bool ThreadTeam::flush_denormals() const {
    return state_->flush_denormals;
}

void ThreadTeam::set_flush_denormals(bool flush) {
    state_->flush_denormals = flush;
    // Member 0 is set by every run.
    run([flush](int thread) {
        if (thread == 0) return;
        const unsigned mode = _mm_getcsr() & ~kFlushBits;
        _mm_setcsr(flush ? mode | kFlushBits : mode);
    });
}

void ThreadTeam::barrier() {
    if (state_->threads > 1) state_->meet();
}

}  // namespace hone::machine
