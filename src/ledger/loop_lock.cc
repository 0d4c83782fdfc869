#include "ledger/loop_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace hone::ledger {

base::Result<LoopLock> LoopLock::acquire(const std::string& path) {
    const int fd = open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
    if (fd < 0) {
        return base::fail(base::ErrorCode::unavailable, "{}: {}", path, std::strerror(errno));
    }
    LoopLock lock(fd);
    if (flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
    if (errno == EWOULDBLOCK) {
        return base::fail(base::ErrorCode::unavailable,
                          "another optimization runs on this machine ({} is locked); two would "
                          "measure each other",
                          path);
    }
    return base::fail(base::ErrorCode::unavailable, "{}: {}", path, std::strerror(errno));
}

LoopLock::~LoopLock() {
    if (fd_ >= 0) close(fd_);
}

}  // namespace hone::ledger
