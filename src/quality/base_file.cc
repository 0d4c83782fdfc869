#include "quality/base_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <filesystem>
#include <system_error>
#include <utility>

#include "base/check.h"
#include "base/checked.h"
#include "base/checksum.h"

namespace hone::quality {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using base::fail;
using Bytes = std::span<const std::byte>;

static_assert(std::endian::native == std::endian::little, "base files are little endian");

constexpr std::string_view kMagic = "HoneBase";
constexpr const char* kExtension = ".base";

struct Header {
    std::array<char, 8> magic;
    uint32_t version;
    uint32_t zero;
    uint64_t description_bytes;
    uint64_t description_checksum;
};
static_assert(sizeof(Header) == 32);

uint64_t padded(uint64_t bytes) {
    return base::round_up(bytes, 8);
}

Bytes bytes_of(std::string_view text) {
    return std::as_bytes(std::span(text.data(), text.size()));
}

tl::unexpected<base::Error> broken() {
    return fail(ErrorCode::corrupt, "the file is cut short or damaged");
}

// Takes bytes from the front of what is left.
class Reader {
  public:
    explicit Reader(Bytes bytes) : rest_(bytes) {}

    std::optional<uint64_t> number() {
        const auto bytes = take(8);
        if (!bytes) return std::nullopt;
        uint64_t value = 0;
        std::memcpy(&value, bytes->data(), sizeof value);
        return value;
    }
    std::optional<Bytes> take(uint64_t size) {
        if (size > rest_.size()) return std::nullopt;
        const Bytes out = rest_.first(size);
        rest_ = rest_.subspan(size);
        return out;
    }
    // With the zeros that fill it up.
    std::optional<Bytes> take_padded(uint64_t size) {
        if (size > rest_.size()) return std::nullopt;
        const auto bytes = take(padded(size));
        if (!bytes) return std::nullopt;
        const Bytes fill = bytes->subspan(size);
        const bool zeros =
            std::all_of(fill.begin(), fill.end(), [](std::byte b) { return b == std::byte{0}; });
        if (!zeros) return std::nullopt;
        return bytes->first(size);
    }
    bool empty() const { return rest_.empty(); }

  private:
    Bytes rest_;
};

base::Status read_chunks(Reader& reader, BaseFileView& view) {
    for (;;) {
        const auto size = reader.number();
        if (!size) return broken();
        if (*size == 0) break;
        const auto bytes = reader.take_padded(*size);
        const auto checksum = reader.number();
        if (!bytes || !checksum) return broken();
        view.chunks.push_back(*bytes);
        view.checksums.push_back(*checksum);
    }
    const auto count = reader.number();
    if (!count) return broken();
    if (*count != view.chunks.size() || !reader.empty()) {
        return fail(ErrorCode::corrupt, "{} chunks where its end says {}", view.chunks.size(),
                    *count);
    }
    return {};
}

}  // namespace

base::Result<BaseFileView> parse_base_file(Bytes bytes) {
    Reader reader(bytes);
    const auto head = reader.take(sizeof(Header));
    if (!head) return broken();
    Header header;
    std::memcpy(&header, head->data(), sizeof header);
    if (std::string_view(header.magic.data(), header.magic.size()) != kMagic) {
        return fail(ErrorCode::corrupt, "not a stored run of a base model");
    }
    if (header.version != kBaseFileVersion) {
        return fail(ErrorCode::unsupported, "version {}; this build reads {}", header.version,
                    kBaseFileVersion);
    }
    if (header.description_bytes > kBaseDescriptionBytesMax) {
        return fail(ErrorCode::corrupt, "a description of {} bytes", header.description_bytes);
    }
    const auto description = reader.take_padded(header.description_bytes);
    if (!description) return broken();
    if (header.zero != 0 || base::checksum(*description) != header.description_checksum) {
        return fail(ErrorCode::corrupt, "its header is damaged");
    }
    BaseFileView view;
    view.description = {reinterpret_cast<const char*>(description->data()), description->size()};
    HONE_TRY_STATUS(read_chunks(reader, view));
    return view;
}

base::Result<Bytes> checked_chunk(const BaseFileView& view, size_t index) {
    HONE_CHECK_LT(index, view.chunks.size());
    const Bytes chunk = view.chunks[index];
    if (base::checksum(chunk) == view.checksums[index]) return chunk;
    return fail(ErrorCode::corrupt, "the checksum of chunk {} is wrong", index);
}

BaseFile::BaseFile(base::MappedFile file, BaseFileView view)
    : file_(std::move(file)), view_(std::move(view)) {}

base::Result<BaseFile> BaseFile::open(const std::string& path, std::string_view description) {
    HONE_TRY(base::MappedFile file, base::MappedFile::open(path));
    auto view = parse_base_file(file.bytes());
    if (!view) return tl::unexpected(view.error().within(path));
    if (view->description != description) {
        return fail(ErrorCode::corrupt, "{}: of another run", path);
    }
    return BaseFile(std::move(file), std::move(*view));
}

base::Result<BaseFileWriter> BaseFileWriter::create(const std::string& path,
                                                    std::string_view description) {
    HONE_CHECK_LE(description.size(), kBaseDescriptionBytesMax);
    HONE_TRY(auto file, base::PendingFile::create(path));
    BaseFileWriter writer(std::move(file));
    Header header{};
    std::copy(kMagic.begin(), kMagic.end(), header.magic.begin());
    header.version = kBaseFileVersion;
    header.description_bytes = description.size();
    header.description_checksum = base::checksum(bytes_of(description));
    HONE_TRY_STATUS(writer.file_.write(std::as_bytes(std::span(&header, 1))));
    HONE_TRY_STATUS(writer.write_padded(bytes_of(description)));
    return writer;
}

base::Status BaseFileWriter::write_padded(Bytes bytes) {
    constexpr std::array<std::byte, 8> kZeros{};
    HONE_TRY_STATUS(file_.write(bytes));
    return file_.write(std::span(kZeros).first(padded(bytes.size()) - bytes.size()));
}

base::Status BaseFileWriter::append(Bytes chunk) {
    HONE_CHECK_GT(chunk.size(), size_t{0});
    const uint64_t size = chunk.size();
    const uint64_t checksum = base::checksum(chunk);
    HONE_TRY_STATUS(file_.write(std::as_bytes(std::span(&size, 1))));
    HONE_TRY_STATUS(write_padded(chunk));
    ++chunks_;
    return file_.write(std::as_bytes(std::span(&checksum, 1)));
}

base::Status BaseFileWriter::commit() {
    const std::array<uint64_t, 2> end = {0, chunks_};
    HONE_TRY_STATUS(file_.write(std::as_bytes(std::span(end))));
    return file_.commit_unsynced();
}

base::CacheDirectory runs_directory(const std::string& path, uint64_t bytes_max) {
    return {path, kExtension, bytes_max, base::is_checksum_name};
}

std::string BaseStore::path_of(std::string_view description) const {
    return fmt::format("{}/{}{}", directory, base::checksum_name(description), kExtension);
}

std::optional<BaseFile> BaseStore::find(std::string_view description, std::string& note) const {
    if (directory.empty()) return std::nullopt;
    const std::string path = path_of(description);
    auto file = BaseFile::open(path, description);
    if (file) {
        base::mark_used(path);
        return std::move(*file);
    }
    if (file.error().code != ErrorCode::not_found) {
        note = fmt::format("a stored run of the base is not used: {}", file.error().message);
        remove(description);
    }
    return std::nullopt;
}

base::Result<BaseFileWriter> BaseStore::create(std::string_view description, uint64_t bytes) const {
    HONE_TRY_STATUS(base::make_room(runs_directory(directory, bytes_max), bytes));
    return BaseFileWriter::create(path_of(description), description);
}

void BaseStore::remove(std::string_view description) const {
    std::error_code ignored;
    fs::remove(path_of(description), ignored);
}

}  // namespace hone::quality
