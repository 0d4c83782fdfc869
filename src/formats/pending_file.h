// PendingFile: a file that appears under its name only when commit() says so.
//
// The bytes go to a temporary file in the same directory, which commit() syncs and renames over the
// name; without commit() the destructor removes it. For files too large for base::write_file, which
// wants all bytes at once. One thread at a time.
#pragma once

#include <cstddef>
#include <span>
#include <string>

#include "base/result.h"

namespace hone::formats {

class PendingFile {
  public:
    // Errors: not_found (no such directory), unavailable.
    static base::Result<PendingFile> create(const std::string& path);

    PendingFile(PendingFile&& other) noexcept;
    PendingFile& operator=(PendingFile&&) = delete;
    ~PendingFile();

    // Errors: exhausted (disk full, size limit), unavailable.
    base::Status write(std::span<const std::byte> bytes);
    base::Status commit();

  private:
    PendingFile(std::string path, std::string temporary_path, int fd);
    tl::unexpected<base::Error> io_error(const char* action) const;

    std::string path_;
    std::string temporary_path_;
    int fd_ = -1;
};

}  // namespace hone::formats
