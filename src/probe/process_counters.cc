#include "probe/process_counters.h"

#include <dirent.h>
#include <linux/perf_event.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <vector>

#include "machine/system_text.h"

namespace hone::probe {
namespace {

constexpr std::array<uint64_t, 3> kEvents = {PERF_COUNT_HW_CPU_CYCLES, PERF_COUNT_HW_INSTRUCTIONS,
                                             PERF_COUNT_HW_CACHE_MISSES};
// Descriptors are few, and no team is larger.
constexpr size_t kThreadsMax = 256;

std::vector<int> thread_ids(const std::string& root) {
    std::vector<int> ids;
    DIR* directory = opendir((root + "/proc/self/task").c_str());
    if (directory == nullptr) return ids;
    for (const dirent* entry = readdir(directory); entry != nullptr && ids.size() < kThreadsMax;
         entry = readdir(directory)) {
        if (const auto id = machine::parse_count(entry->d_name)) {
            ids.push_back(static_cast<int>(*id));
        }
    }
    closedir(directory);
    return ids;
}

int open_event(uint64_t event, int thread) {
    perf_event_attr attributes{};
    attributes.size = sizeof(attributes);
    attributes.type = PERF_TYPE_HARDWARE;
    attributes.config = event;
    attributes.exclude_kernel = 1;
    attributes.exclude_hv = 1;
    attributes.read_format = PERF_FORMAT_TOTAL_TIME_ENABLED | PERF_FORMAT_TOTAL_TIME_RUNNING;
    return static_cast<int>(
        syscall(SYS_perf_event_open, &attributes, thread, -1, -1, PERF_FLAG_FD_CLOEXEC));
}

// nullopt when the event did not count at all.
std::optional<double> read_event(int descriptor) {
    struct {
        uint64_t value;
        uint64_t enabled_ns;
        uint64_t running_ns;
    } count{};
    if (read(descriptor, &count, sizeof(count)) != static_cast<ssize_t>(sizeof(count)) ||
        count.running_ns == 0) {
        return std::nullopt;
    }
    return static_cast<double>(count.value) * static_cast<double>(count.enabled_ns) /
           static_cast<double>(count.running_ns);
}

uint64_t difference(uint64_t before, uint64_t after) {
    return after > before ? after - before : 0;
}

}  // namespace

struct ProcessCounters::Hardware {
    std::array<std::vector<int>, kEvents.size()> descriptors;

    Hardware() {
        for (const int thread : thread_ids("")) {
            for (size_t event = 0; event < kEvents.size(); ++event) {
                const int descriptor = open_event(kEvents[event], thread);
                if (descriptor >= 0) descriptors[event].push_back(descriptor);
            }
        }
    }
    Hardware(const Hardware&) = delete;
    Hardware& operator=(const Hardware&) = delete;
    ~Hardware() {
        for (const std::vector<int>& threads : descriptors) {
            for (const int descriptor : threads) close(descriptor);
        }
    }

    // A thread that slept all the time counts nothing; all of them, and the machine does not count.
    std::optional<uint64_t> sum(size_t event) const {
        double total = 0;
        for (const int descriptor : descriptors[event]) {
            total += read_event(descriptor).value_or(0);
        }
        if (total <= 0) return std::nullopt;
        return static_cast<uint64_t>(total);
    }
};

ProcessCounters::ProcessCounters(const base::Clock& clock)
    : clock_(clock),
      hardware_(std::make_unique<Hardware>()),
      begin_(read_software()),
      begin_ns_(clock.now_ns()) {}

ProcessCounters::~ProcessCounters() = default;

ProcessCounters::Software ProcessCounters::read_software() {
    Software out;
    timespec time{};
    if (clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time) == 0) {
        out.task_clock_ns =
            static_cast<double>(time.tv_sec) * 1e9 + static_cast<double>(time.tv_nsec);
    }
    rusage usage{};
    if (getrusage(RUSAGE_SELF, &usage) == 0) {
        out.page_faults = static_cast<uint64_t>(usage.ru_minflt + usage.ru_majflt);
        out.context_switches = static_cast<uint64_t>(usage.ru_nvcsw + usage.ru_nivcsw);
    }
    out.migrations = read_migrations();
    return out;
}

cost::Counters ProcessCounters::so_far() const {
    const Software now = read_software();
    cost::Counters out;
    out.wall_ns = static_cast<double>(clock_.now_ns() - begin_ns_);
    out.task_clock_ns = now.task_clock_ns - begin_.task_clock_ns;
    out.page_faults = difference(begin_.page_faults, now.page_faults);
    out.context_switches = difference(begin_.context_switches, now.context_switches);
    if (begin_.migrations && now.migrations) {
        out.migrations = difference(*begin_.migrations, *now.migrations);
    }
    out.cycles = hardware_->sum(0);
    out.instructions = hardware_->sum(1);
    // A run may do without a miss, but not where cycles are not counted either.
    if (out.cycles) out.cache_misses = hardware_->sum(2);
    return out;
}

std::optional<uint64_t> read_migrations(const std::string& root) {
    std::optional<uint64_t> sum;
    for (const int thread : thread_ids(root)) {
        const auto text = machine::read_system_text(root + "/proc/self/task/" +
                                                    std::to_string(thread) + "/sched");
        const auto value = text ? machine::value_of(*text, "se.nr_migrations") : std::nullopt;
        const auto count = value ? machine::parse_count(*value) : std::nullopt;
        if (count) sum = sum.value_or(0) + *count;
    }
    return sum;
}

}  // namespace hone::probe
