#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <filesystem>
#include <string>
#include <system_error>
#include <vector>

#include "base/json.h"
#include "cost/experiments.h"
#include "machine/facts.h"
#include "measure/statistics.h"
#include "probe/experiment_bench.h"

namespace hone::probe {
namespace {

using base::ErrorCode;
using base::fail;

constexpr int kColdPairsMax = 9;
// Of what was asked for, that must have come from storage for a reading to count as cold.
constexpr double kColdShareMin = 0.5;

class File {
  public:
    explicit File(const std::string& path) : fd_(::open(path.c_str(), O_RDONLY | O_CLOEXEC)) {}
    File(const File&) = delete;
    File& operator=(const File&) = delete;
    ~File() {
        if (fd_ >= 0) ::close(fd_);
    }
    bool is_open() const { return fd_ >= 0; }

    // Asks the kernel to forget its copy; pages that somebody has mapped stay.
    void drop_pages() const { (void)posix_fadvise(fd_, 0, 0, POSIX_FADV_DONTNEED); }

    // Of the pages of the first `bytes`, those that are in memory; nullopt where nobody tells.
    std::optional<double> resident_share(uint64_t bytes) const {
        const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
        void* map = mmap(nullptr, bytes, PROT_READ, MAP_SHARED, fd_, 0);
        if (map == MAP_FAILED) return std::nullopt;
        std::vector<unsigned char> pages((bytes + page - 1) / page);
        const bool told = mincore(map, bytes, pages.data()) == 0;
        munmap(map, bytes);
        if (!told) return std::nullopt;
        const auto resident = std::count_if(pages.begin(), pages.end(),
                                            [](unsigned char flags) { return (flags & 1) != 0; });
        return static_cast<double>(resident) / static_cast<double>(pages.size());
    }

  private:
    int fd_;
};

// A reading that found its pages in memory is no cold one.
base::Status check_cold(const cost::ColdWarm& result, uint64_t bytes) {
    if (result.dropped_share.value_or(1) < kColdShareMin) {
        return fail(ErrorCode::unavailable,
                    "the kernel did not drop the file's pages: {:.0f} % stayed in memory",
                    100 * (1 - *result.dropped_share));
    }
    if (static_cast<double>(result.bytes_read) < kColdShareMin * static_cast<double>(bytes)) {
        return fail(ErrorCode::unavailable,
                    "the file's pages come from elsewhere: {} of {} bytes were read from storage",
                    result.bytes_read, bytes);
    }
    return {};
}

// Drops the file's pages, does the work, and notes what the kernel says about both.
template <class Work>
base::Result<double> drop_and_time(const ExperimentBench& bench, const File& file, uint64_t bytes,
                                   cost::ColdWarm& result, Work&& work) {
    file.drop_pages();
    if (const auto resident = file.resident_share(bytes)) {
        const double dropped = 1 - *resident;
        result.dropped_share = std::min(dropped, result.dropped_share.value_or(dropped));
    }
    const auto before = machine::read_disturbance().storage_bytes;
    const int64_t begin_ns = bench.clock.now_ns();
    HONE_TRY_STATUS(work());
    const auto ns = static_cast<double>(bench.clock.now_ns() - begin_ns);
    const auto after = machine::read_disturbance().storage_bytes;
    if (!before || !after) {
        return fail(ErrorCode::unavailable, "the kernel does not count reads from storage");
    }
    result.bytes_read = std::min(result.bytes_read, *after - *before);
    return ns;
}

// The first step of a model opened as the session was.
base::Result<double> first_step_ns(const ExperimentBench& bench, runtime::Session& session) {
    HONE_TRY(Stepper stepper, Stepper::create(session.config(), session.executor(), 1,
                                              static_cast<uint32_t>(bench.options.depth)));
    base::Random random(bench.options.seed);
    const auto prompt =
        random_tokens(random, stepper.executor().vocab(), static_cast<size_t>(bench.options.depth));
    return bench.time_ns([&] { stepper.prefill(0, prompt); });
}

// The model opened as the session was: what that took, or what the first step afterwards took.
base::Result<double> opening_ns(const ExperimentBench& bench, const File& file, uint64_t bytes,
                                bool cold, cost::ColdWarm& result) {
    std::unique_ptr<runtime::Session> session;
    const auto open = [&]() -> base::Status {
        runtime::LoadOptions options = bench.session.options();
        options.packed_cache.mode = runtime::PackedCacheMode::off;  // it is the model's file here
        HONE_TRY(session,
                 runtime::Session::open(bench.session.model().path(), options, bench.clock));
        return {};
    };
    double open_ns = 0;
    if (cold) {
        HONE_TRY(open_ns, drop_and_time(bench, file, bytes, result, open));
    } else {
        const int64_t begin_ns = bench.clock.now_ns();
        HONE_TRY_STATUS(open());
        open_ns = static_cast<double>(bench.clock.now_ns() - begin_ns);
    }
    if (result.subject == "load") return open_ns;
    return first_step_ns(bench, *session);
}

// Once from storage and once from memory. The first of a pair takes turns: what a reading from
// storage leaves to do (the host goes on reading ahead) falls on whoever comes after it.
base::Status measure_pair(const ExperimentBench& bench, const File& file, uint64_t bytes,
                          bool cold_first, cost::ColdWarm& result) {
    HONE_TRY_STATUS(check_memory(bench, 1));
    for (const bool cold : {cold_first, !cold_first}) {
        HONE_TRY(const double ns, opening_ns(bench, file, bytes, cold, result));
        (cold ? result.cold_ns : result.warm_ns).push_back(ns);
    }
    return {};
}

}  // namespace

ExperimentOutcome cold_warm(const ExperimentBench& bench, const ExperimentOrder& order,
                            const TimeBox& box) {
    const bool first_run = order.subject == "first_run";
    if (!first_run && !order.subject.empty() && order.subject != "load") {
        return fail(ErrorCode::unsupported, "no cold and warm '{}'", order.subject);
    }
    if (bench.session.executor().memory().weights_mapped) {
        return fail(ErrorCode::unsupported, "the weights come from the cache of packed weights");
    }
    const File file(bench.session.model().path());
    if (!file.is_open()) return fail(ErrorCode::unavailable, "the model file cannot be read");
    const uint64_t bytes = bench.session.model().file_bytes();
    std::error_code failure;
    if (std::filesystem::file_size(bench.session.model().path(), failure) != bytes) {
        return fail(ErrorCode::unsupported, "the model is not one file");
    }
    cost::ColdWarm result;
    result.subject = first_run ? "first_run" : "load";
    result.bytes_read = UINT64_MAX;
    // Storage may be slow: one pair will do.
    for (int i = 0; i < kColdPairsMax && (i == 0 || box.open()); ++i) {
        HONE_TRY_STATUS(bench.conduct.check());
        HONE_TRY_STATUS(measure_pair(bench, file, bytes, i % 2 == 0, result));
    }
    HONE_TRY_STATUS(check_cold(result, bytes));
    measure::ExperimentResult out = cost::to_experiment(result);
    out.values["cold_ms"] = *measure::median(result.cold_ns) * 1e-6;
    out.values["warm_ms"] = *measure::median(result.warm_ns) * 1e-6;
    out.values["bytes"] = bytes;
    return ExperimentResults{std::move(out)};
}

double cold_warm_s(const ExperimentBench& bench, const ExperimentOrder&) {
    // A slow disk of today, and two times the work of loading.
    constexpr double kBytesPerSecond = 400e6;
    return static_cast<double>(bench.session.model().file_bytes()) / kBytesPerSecond +
           2e-3 * bench.session.load_ms();
}

}  // namespace hone::probe
