#include "diagnose/cold_start.h"

#include <algorithm>

#include "cost/observations.h"
#include "measure/statistics.h"

namespace hone::diagnose {
namespace {

using cost::note;

// A few pages belong to any process; a tenth of the model's file does not.
constexpr double kFileShareMin = 0.1;
// One fault on a mapped file fetches up to 128 KiB around it (Linux's default read-ahead).
constexpr double kBytesPerFault = 128 * 1024;
constexpr double kFaultsMin = 10;
// A start as long as one from storage, where nobody counted what was read.
constexpr double kAsLongAsCold = 0.9;

struct Reads {
    std::optional<double> bytes;
    double faults = 0;
};

// Loading has counters of its own; those of the run begin after it.
Reads reads_of(const measure::RunRecord& record, std::string_view subject) {
    Reads out;
    const auto load = cost::find_load_reads(record);
    if (subject == "load" && load) {
        if (load->storage_bytes) out.bytes = static_cast<double>(*load->storage_bytes);
        out.faults = static_cast<double>(load->major_faults.value_or(0));
        return out;
    }
    out.faults = static_cast<double>(record.interference.major_faults.value_or(0));
    return out;
}

}  // namespace

ColdStart find_cold_start(const measure::RunRecord& record, std::string_view subject,
                          double took_ns) {
    ColdStart out;
    const double needed = kFileShareMin * static_cast<double>(record.model.file_bytes);
    const Reads reads = reads_of(record, subject);
    const bool faulted = reads.faults >= kFaultsMin && reads.faults * kBytesPerFault >= needed;
    const bool read = reads.bytes && *reads.bytes > 0 && *reads.bytes >= needed;
    out.from_storage = faulted || read;
    if (read) {
        out.evidence.push_back(note("storage_reads")
                                   .with("read_bytes", static_cast<int64_t>(*reads.bytes))
                                   .with("file_bytes", record.model.file_bytes));
    } else if (faulted) {
        out.evidence.push_back(
            note("major_faults").with("faults", static_cast<int64_t>(reads.faults)));
    }
    const auto cold_warm = cost::find_cold_warm(record, subject);
    if (!cold_warm || !(took_ns > 0)) return out;
    const double cold_ns = measure::median(cold_warm->cold_ns).value_or(0);
    const double warm_ns = measure::median(cold_warm->warm_ns).value_or(0);
    out.evidence.push_back(note("cold_warm")
                               .with("cold_ns", cold_ns)
                               .with("warm_ns", warm_ns)
                               .with("read_bytes", static_cast<int64_t>(cold_warm->bytes_read)));
    if (!reads.bytes && took_ns >= kAsLongAsCold * cold_ns) out.from_storage = true;
    std::vector<double> left;
    const size_t pairs = std::min(cold_warm->cold_ns.size(), cold_warm->warm_ns.size());
    for (size_t i = 0; i < pairs; ++i) {
        const double saved = cold_warm->cold_ns[i] - cold_warm->warm_ns[i];
        left.push_back(std::clamp(cold_warm->warm_ns[i] / took_ns, 0.01, 1.0));
        left.push_back(std::clamp(1 - saved / took_ns, 0.01, 1.0));
    }
    if (left.empty()) return out;
    const auto [low, high] = std::minmax_element(left.begin(), left.end());
    out.left = cost::Ratio{measure::median(left).value_or(1), *low, *high, false, 0};
    return out;
}

}  // namespace hone::diagnose
