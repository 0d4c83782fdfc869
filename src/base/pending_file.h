// PendingFile: a file that appears under its name only when commit() says so.
//
// The bytes go to a temporary file in the same directory, which commit() syncs and renames over the
// name; without commit() the destructor removes it. For files too large for write_file, which wants
// all bytes at once. One thread at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>

#include "base/result.h"

namespace hone::base {

class PendingFile {
  public:
    // Errors: not_found (no such directory), unavailable.
    static Result<PendingFile> create(const std::string& path);

    PendingFile(PendingFile&& other) noexcept;
    PendingFile& operator=(PendingFile&&) = delete;
    ~PendingFile();

    // Takes the room on the disk beforehand, where the file system can. Errors: exhausted (disk
    // full, size limit), unavailable.
    Status reserve(uint64_t bytes);
    // Errors: as of reserve().
    Status write(std::span<const std::byte> bytes);
    Status commit();
    // Without the sync: after a crash of the machine the file may be there with bytes missing. For
    // files that carry a checksum and are worth no wait.
    Status commit_unsynced();

  private:
    PendingFile(std::string path, std::string temporary_path, int fd);
    tl::unexpected<Error> io_error(const char* action) const;

    std::string path_;
    std::string temporary_path_;
    int fd_ = -1;
};

}  // namespace hone::base
