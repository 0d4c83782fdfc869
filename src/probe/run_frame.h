// What every workload's record has in common: the facts before, the disturbance around, the memory
// after.
//
// begin() fills context, machine, model and plan and takes a short reading of the read bandwidth;
// finish() takes it again and writes interference, memory and load metrics. The readings need
// memory of their own, so the highest resident set is pieced together from the kernel's mark before
// the first reading and its mark after, which starts anew; where the system does not let it, from
// samples between the tests, and only a mark above that of the reading itself counts as new. Thread
// rule: one thread.
#pragma once

#include <cstdint>
#include <optional>

#include "base/result.h"
#include "measure/record.h"
#include "probe/interference.h"
#include "probe/workload.h"
#include "runtime/kv_pool.h"
#include "runtime/session.h"

namespace hone::probe {

class RunFrame {
  public:
    // Borrows session and setting.
    RunFrame(runtime::Session& session, const RunSetting& setting);

    measure::RunRecord& record() { return record_; }
    const measure::RunRecord& record() const { return record_; }
    // To be called between tests, when their memory is still there.
    void sample_memory();
    // `kv` is that of the run's sequences.
    void finish(const runtime::KvPoolFacts& kv);

  private:
    void fill_facts();
    std::optional<double> read_bandwidth();
    void store_memory(const runtime::KvPoolFacts& kv);

    runtime::Session& session_;
    const RunSetting& setting_;
    measure::RunRecord record_;
    uint64_t peak_bytes_ = 0;  // resident, as far as known
    std::optional<double> before_gb_per_s_;
    std::optional<double> after_gb_per_s_;
    uint64_t probe_mark_bytes_ = 0;  // the kernel's mark after the first reading, if it stays
    std::optional<InterferenceWatch> watch_;
};

}  // namespace hone::probe
