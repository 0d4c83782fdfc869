#include "runtime/packed_file.h"

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <optional>
#include <vector>

#include "base/check.h"
#include "base/checked.h"
#include "base/checksum.h"

namespace hone::runtime {
namespace {

using base::ErrorCode;

static_assert(std::endian::native == std::endian::little, "packed files are little endian");

constexpr std::string_view kMagic = "HonePack";

struct Footer {
    std::array<char, 8> magic;
    uint32_t version;
    uint32_t zero;
    uint64_t payload_bytes;
    uint64_t description_bytes;
    std::array<uint64_t, 3> zeros;
    uint64_t tail_checksum;
};
static_assert(sizeof(Footer) == kPackedFooterBytes);

size_t pieces_of(uint64_t payload_bytes) {
    return payload_bytes / kPackedPieceBytes + (payload_bytes % kPackedPieceBytes != 0 ? 1 : 0);
}

template <class T>
std::span<const std::byte> bytes_of(const T& values) {
    return std::as_bytes(std::span(values.data(), values.size()));
}

// Its size, if the numbers of a footer were true; nullopt when they wrap.
std::optional<uint64_t> size_by(const Footer& footer) {
    if (footer.description_bytes > kPackedDescriptionBytesMax) return std::nullopt;
    const uint64_t rest = pieces_of(footer.payload_bytes) * sizeof(uint64_t) +
                          footer.description_bytes + kPackedFooterBytes;
    return base::checked_add<uint64_t>(footer.payload_bytes, rest);
}

}  // namespace

std::span<const std::byte> PackedFileView::piece(size_t index) const {
    HONE_CHECK_LT(index, pieces());
    const size_t begin = index * kPackedPieceBytes;
    return payload.subspan(begin, std::min(kPackedPieceBytes, payload.size() - begin));
}

bool PackedFileView::check(size_t index) const {
    uint64_t expected = 0;
    std::memcpy(&expected, checksums.data() + index * sizeof expected, sizeof expected);
    return base::checksum(piece(index)) == expected;
}

base::Result<PackedFileView> parse_packed_file(std::span<const std::byte> bytes) {
    Footer footer;
    if (bytes.size() < sizeof footer) {
        return base::fail(ErrorCode::corrupt, "{} bytes are too short", bytes.size());
    }
    std::memcpy(&footer, bytes.data() + bytes.size() - sizeof footer, sizeof footer);
    if (std::string_view(footer.magic.data(), footer.magic.size()) != kMagic) {
        return base::fail(ErrorCode::corrupt, "does not end as a file of packed weights");
    }
    if (footer.version != kPackedFileVersion) {
        return base::fail(ErrorCode::unsupported, "version {}; this build reads {}", footer.version,
                          kPackedFileVersion);
    }
    const auto size = size_by(footer);
    if (!size || *size != bytes.size() || footer.payload_bytes == 0) {
        return base::fail(ErrorCode::corrupt, "{} bytes for a payload of {} and a text of {}",
                          bytes.size(), footer.payload_bytes, footer.description_bytes);
    }
    const std::span<const std::byte> tail = bytes.subspan(footer.payload_bytes);
    if (base::checksum(tail.first(tail.size() - sizeof footer.tail_checksum)) !=
        footer.tail_checksum) {
        return base::fail(ErrorCode::corrupt, "the table at its end is damaged");
    }
    PackedFileView view;
    view.payload = bytes.first(footer.payload_bytes);
    view.checksums = tail.first(pieces_of(footer.payload_bytes) * sizeof(uint64_t));
    view.description = {reinterpret_cast<const char*>(tail.data() + view.checksums.size()),
                        footer.description_bytes};
    return view;
}

uint64_t packed_file_bytes(uint64_t payload_bytes, uint64_t description_bytes) {
    return payload_bytes + pieces_of(payload_bytes) * sizeof(uint64_t) + description_bytes +
           kPackedFooterBytes;
}

base::Status write_packed_file(std::span<const std::byte> payload, std::string_view description,
                               const std::function<base::Status(std::span<const std::byte>)>& write,
                               const std::function<void(size_t offset, size_t bytes)>& written) {
    HONE_CHECK(!payload.empty());
    std::vector<std::byte> tail;
    const auto append = [&](std::span<const std::byte> bytes) {
        tail.insert(tail.end(), bytes.begin(), bytes.end());
    };
    for (size_t begin = 0; begin < payload.size(); begin += kPackedPieceBytes) {
        const auto piece =
            payload.subspan(begin, std::min(kPackedPieceBytes, payload.size() - begin));
        append(bytes_of(std::array{base::checksum(piece)}));
        HONE_TRY_STATUS(write(piece));
        written(begin, piece.size());
    }
    append(bytes_of(description));
    Footer footer{};
    std::copy(kMagic.begin(), kMagic.end(), footer.magic.begin());
    footer.version = kPackedFileVersion;
    footer.payload_bytes = payload.size();
    footer.description_bytes = description.size();
    const auto footer_bytes = std::as_bytes(std::span(&footer, 1));
    append(footer_bytes.first(kPackedFooterBytes - sizeof footer.tail_checksum));
    append(bytes_of(std::array{base::checksum(tail)}));
    return write(tail);
}

}  // namespace hone::runtime
