#include "probe/ceiling_files.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <optional>
#include <vector>

#include "base/random.h"
#include "measure/statistics.h"

namespace hone::probe {
namespace {

constexpr size_t kBlockBytes = size_t{1} << 20;
constexpr int kRepeats = 3;
constexpr double kResidentShareMax = 0.02;

// An open file without a name.
class TemporaryFile {
  public:
    TemporaryFile(const std::string& directory, uint64_t bytes) : bytes_(bytes) {
        std::string name = directory + "/hone-read-XXXXXX";
        descriptor_ = mkostemp(name.data(), O_CLOEXEC);
        if (descriptor_ < 0) return;
        unlink(name.c_str());
        // Noise, since some file systems compress.
        std::vector<uint64_t> block(kBlockBytes / sizeof(uint64_t));
        base::Random random(3);
        for (uint64_t& word : block) word = random.next_u64();
        for (uint64_t at = 0; at < bytes; at += kBlockBytes) {
            block.front() = at;
            if (::write(descriptor_, block.data(), kBlockBytes) !=
                static_cast<ssize_t>(kBlockBytes)) {
                return;
            }
        }
        whole_ = fdatasync(descriptor_) == 0;
    }
    ~TemporaryFile() {
        if (descriptor_ >= 0) close(descriptor_);
    }
    TemporaryFile(const TemporaryFile&) = delete;
    TemporaryFile& operator=(const TemporaryFile&) = delete;

    bool usable() const { return descriptor_ >= 0 && whole_; }
    int descriptor() const { return descriptor_; }
    uint64_t bytes() const { return bytes_; }

    // Asks the kernel to forget the pages, and looks whether it did.
    bool drop_from_cache() const {
        posix_fadvise(descriptor_, 0, 0, POSIX_FADV_DONTNEED);
        void* map = mmap(nullptr, bytes_, PROT_READ, MAP_SHARED, descriptor_, 0);
        if (map == MAP_FAILED) return false;
        const auto page = static_cast<size_t>(sysconf(_SC_PAGESIZE));
        std::vector<unsigned char> resident((bytes_ + page - 1) / page);
        const bool known = mincore(map, bytes_, resident.data()) == 0;
        munmap(map, bytes_);
        const auto left = std::count_if(resident.begin(), resident.end(),
                                        [](unsigned char flags) { return (flags & 1) != 0; });
        return known && static_cast<double>(left) <=
                            kResidentShareMax * static_cast<double>(resident.size());
    }

  private:
    int descriptor_ = -1;
    uint64_t bytes_ = 0;
    bool whole_ = false;
};

// Bytes per ns, or nullopt when the system refused.
std::optional<double> read_once(const TemporaryFile& file, const base::Clock& clock,
                                std::vector<std::byte>& block) {
    const int64_t start = clock.now_ns();
    for (uint64_t at = 0; at < file.bytes();) {
        const ssize_t got =
            pread(file.descriptor(), block.data(), block.size(), static_cast<off_t>(at));
        if (got <= 0) return std::nullopt;
        at += static_cast<uint64_t>(got);
    }
    const auto ns = static_cast<double>(clock.now_ns() - start);
    if (ns <= 0) return std::nullopt;
    return static_cast<double>(file.bytes()) / ns;
}

std::optional<double> map_once(const TemporaryFile& file, const base::Clock& clock,
                               const kernels::CeilingVariant& variant) {
    const int64_t start = clock.now_ns();
    void* map = mmap(nullptr, file.bytes(), PROT_READ, MAP_SHARED, file.descriptor(), 0);
    if (map == MAP_FAILED) return std::nullopt;
    volatile uint64_t checksum = variant.read(static_cast<const std::byte*>(map), file.bytes());
    (void)checksum;
    const auto ns = static_cast<double>(clock.now_ns() - start);
    munmap(map, file.bytes());
    if (ns <= 0) return std::nullopt;
    return static_cast<double>(file.bytes()) / ns;
}

}  // namespace

void measure_files(const FileOptions& options, const kernels::CeilingVariant& variant,
                   const base::Clock& clock, machine::MachineProfile& profile) {
    const auto leave_out = [&](const char* what, const char* reason) {
        profile.left_out.push_back({what, reason});
    };
    if (options.directory.empty()) return leave_out("files", "no_directory");
    const int64_t begin = clock.now_ns();
    const auto spent = [&] {
        return static_cast<double>(clock.now_ns() - begin) * 1e-9 > options.budget_s;
    };
    const uint64_t bytes = std::max<uint64_t>(1, options.bytes / kBlockBytes) * kBlockBytes;
    const TemporaryFile file(options.directory, bytes);
    if (!file.usable()) return leave_out("files", "storage");
    std::vector<std::byte> block(kBlockBytes);
    for (const bool cold : {false, true}) {
        for (const char* how : {"read", "mmap"}) {
            const std::string name = std::string("file_") + how + (cold ? "_cold" : "_warm");
            std::vector<double> rates;
            bool dropped = true;
            for (int i = 0; i < kRepeats && dropped && !spent(); ++i) {
                if (cold) dropped = file.drop_from_cache();
                if (!dropped) break;
                const auto rate =
                    how[0] == 'r' ? read_once(file, clock, block) : map_once(file, clock, variant);
                if (rate) rates.push_back(*rate);
            }
            if (!dropped) {
                leave_out(name.c_str(), "page_cache");
            } else if (rates.empty()) {
                leave_out(name.c_str(), spent() ? "budget" : "storage");
            } else {
                profile.files.push_back({how, cold, bytes, *measure::median(rates)});
            }
        }
    }
}

}  // namespace hone::probe
