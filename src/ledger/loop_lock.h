// One loop per machine: two that measure at once would measure each other.
//
// A lock of the file system (flock), which dies with the process however it dies. Not a lock of the
// ledger's data: reading the history meanwhile is fine. Move only.
#pragma once

#include <string>

#include "base/result.h"

namespace hone::ledger {

class LoopLock {
  public:
    // Makes `path` where it is missing. unavailable: another loop has it, or no place to lock.
    static base::Result<LoopLock> acquire(const std::string& path);

    LoopLock(LoopLock&& other) noexcept : fd_(other.fd_) { other.fd_ = -1; }
    LoopLock& operator=(LoopLock&&) = delete;
    ~LoopLock();

  private:
    explicit LoopLock(int fd) : fd_(fd) {}
    int fd_;
};

}  // namespace hone::ledger
