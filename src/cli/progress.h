// One line of progress on a terminal, silence everywhere else.
//
// Redrawn at most ten times a second on stderr and wiped before anything else is printed.
#pragma once

#include <atomic>
#include <cstdint>
#include <string_view>

#include "base/clock.h"
#include "probe/conduct.h"

namespace hone::cli {

class Progress {
  public:
    Progress(bool enabled, const base::Clock& clock) : enabled_(enabled), clock_(clock) {}
    ~Progress() { clear(); }
    Progress(const Progress&) = delete;
    Progress& operator=(const Progress&) = delete;

    void show(std::string_view what, double done_share);
    void clear();
    // Shows what work reports, which stops when `cancelled` is set. Both outlive the work.
    probe::Conduct conduct(const std::atomic<bool>& cancelled);

  private:
    bool enabled_;
    const base::Clock& clock_;
    int64_t last_ns_ = 0;
    bool drawn_ = false;
};

}  // namespace hone::cli
