// A file with what a base model did, so that it need not do it again for each candidate: its
// predictions of a text, or its answers to items.
//
//   header       "HoneBase", u32 version, u32 zero, u64 description bytes, u64 checksum of the
//                description
//   description  text: which model, which input, which settings; filled up with zeros to 8 bytes
//   chunks       each: u64 bytes (not 0), the bytes filled up to 8, u64 checksum of the bytes
//   end          u64 zero, u64 chunks; nothing follows
//
// Numbers are little endian, checksums those of base/checksum.h. Such a file is foreign bytes like
// any other: parse_base_file() trusts no number of it, and a chunk's checksum is looked at when the
// chunk is asked for. What the chunks mean is their owner's business.
//
// A BaseStore is a directory of such files (base/cache_directory.h), named by a hash of the
// description, which the file has in full. A file that is broken is as good as none and is deleted;
// two processes writing at once leave one whole file. Thread rule: one thread each.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/cache_directory.h"
#include "base/mapped_file.h"
#include "base/pending_file.h"
#include "base/result.h"

namespace hone::quality {

// Goes up with any change of the layout, of the rows (quality/logit_rows.h) or of the answers.
inline constexpr uint32_t kBaseFileVersion = 1;
inline constexpr uint64_t kBaseDescriptionBytesMax = uint64_t{1} << 20;

struct BaseFileView {
    std::string_view description;
    std::vector<std::span<const std::byte>> chunks;
    std::vector<uint64_t> checksums;
};
// corrupt (not such a file, cut short, damaged), unsupported (another version). Borrows the bytes.
base::Result<BaseFileView> parse_base_file(std::span<const std::byte> bytes);
// The chunk, if it is as it was written; corrupt.
base::Result<std::span<const std::byte>> checked_chunk(const BaseFileView& view, size_t index);

class BaseFile {
  public:
    // Errors of the map and of parse_base_file; corrupt: another description.
    static base::Result<BaseFile> open(const std::string& path, std::string_view description);

    size_t chunks() const { return view_.chunks.size(); }
    base::Result<std::span<const std::byte>> chunk(size_t index) const {
        return checked_chunk(view_, index);
    }

  private:
    BaseFile(base::MappedFile file, BaseFileView view);
    base::MappedFile file_;
    BaseFileView view_;
};

class BaseFileWriter {
  public:
    static base::Result<BaseFileWriter> create(const std::string& path,
                                               std::string_view description);
    base::Status append(std::span<const std::byte> chunk);  // not empty
    base::Status commit();

  private:
    explicit BaseFileWriter(base::PendingFile file) : file_(std::move(file)) {}
    base::Status write_padded(std::span<const std::byte> bytes);
    base::PendingFile file_;
    uint64_t chunks_ = 0;
};

inline constexpr uint64_t kBaseStoreBytesMax = uint64_t{8} << 30;
// The files of a store in `path`, which knows its own by their names.
base::CacheDirectory runs_directory(const std::string& path,
                                    uint64_t bytes_max = kBaseStoreBytesMax);

struct BaseStore {
    std::string directory = {};  // "" = nothing is kept
    uint64_t bytes_max = kBaseStoreBytesMax;

    std::string path_of(std::string_view description) const;
    // Nothing: there is none, or it is broken, which `note` then says.
    std::optional<BaseFile> find(std::string_view description, std::string& note) const;
    // For a file of about `bytes`. Errors: exhausted, unavailable.
    base::Result<BaseFileWriter> create(std::string_view description, uint64_t bytes) const;
    void remove(std::string_view description) const;
};

}  // namespace hone::quality
