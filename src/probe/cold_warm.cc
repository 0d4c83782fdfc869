#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <fstream>
#include <string>
#include <vector>

#include "cost/experiments.h"
#include "measure/statistics.h"
#include "probe/experiment_bench.h"

namespace hone::probe {
namespace {

using base::ErrorCode;
using base::fail;

constexpr size_t kChunkBytes = size_t{1} << 20;
// Enough to see the storage, little enough for a slow one.
constexpr uint64_t kReadBytesMax = uint64_t{256} << 20;
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

    // Reads the first `bytes`; returns what came.
    uint64_t read_through(uint64_t bytes, std::vector<char>& buffer) const {
        uint64_t done = 0;
        while (done < bytes) {
            const size_t want = static_cast<size_t>(std::min<uint64_t>(kChunkBytes, bytes - done));
            const ssize_t got = pread(fd_, buffer.data(), want, static_cast<off_t>(done));
            if (got <= 0) break;
            done += static_cast<uint64_t>(got);
        }
        return done;
    }

  private:
    int fd_;
};

// Bytes this process caused to be fetched from storage so far; nullopt where the kernel does not
// say.
std::optional<uint64_t> storage_bytes() {
    std::ifstream in("/proc/self/io");
    std::string line;
    while (std::getline(in, line)) {
        if (line.starts_with("read_bytes: ")) return std::strtoull(line.c_str() + 12, nullptr, 10);
    }
    return std::nullopt;
}

}  // namespace

ExperimentOutcome cold_warm(const ExperimentBench& bench, const ExperimentOrder& order,
                            const TimeBox& box) {
    if (!order.subject.empty() && order.subject != "load") {
        return fail(ErrorCode::unsupported, "no cold and warm '{}'", order.subject);
    }
    const File file(bench.session.model().path());
    if (!file.is_open()) return fail(ErrorCode::unavailable, "the model file cannot be read");
    const uint64_t bytes = std::min(bench.session.model().file_bytes(), kReadBytesMax);
    std::vector<char> buffer(kChunkBytes);
    cost::ColdWarm result;
    result.subject = "load";
    result.bytes_read = UINT64_MAX;
    // Storage may be slow: one pair will do.
    for (int i = 0; i < ExperimentBench::kRoundsMin && (i == 0 || box.open()); ++i) {
        HONE_TRY_STATUS(bench.conduct.check());
        file.drop_pages();
        const auto before = storage_bytes();
        result.cold_ns.push_back(bench.time_ns([&] { (void)file.read_through(bytes, buffer); }));
        const auto after = storage_bytes();
        if (!before || !after) {
            return fail(ErrorCode::unavailable, "the kernel does not count reads from storage");
        }
        result.bytes_read = std::min(result.bytes_read, *after - *before);
        result.warm_ns.push_back(bench.time_ns([&] { (void)file.read_through(bytes, buffer); }));
    }
    if (static_cast<double>(result.bytes_read) < kColdShareMin * static_cast<double>(bytes)) {
        return fail(ErrorCode::unavailable,
                    "the file's pages stay in memory: {} of {} bytes came from storage",
                    result.bytes_read, bytes);
    }
    measure::ExperimentResult out = cost::to_experiment(result);
    out.values["cold_ms"] = *measure::median(result.cold_ns) * 1e-6;
    out.values["warm_ms"] = *measure::median(result.warm_ns) * 1e-6;
    out.values["bytes"] = bytes;
    return ExperimentResults{std::move(out)};
}

}  // namespace hone::probe
