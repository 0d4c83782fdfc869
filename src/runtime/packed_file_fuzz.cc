// libFuzzer entry for files of packed weights. A wrong checksum would end nearly every input at the
// same line, so each input is also tried with the checksum that its tail should have.
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <vector>

#include "base/checksum.h"
#include "runtime/packed_file_exercise.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    const auto bytes = std::as_bytes(std::span(data, size));
    hone::runtime::exercise_packed_file(bytes);
    constexpr size_t kPayloadBytesAt = 16, kChecksumBytes = 8;
    if (size < hone::runtime::kPackedFooterBytes) return 0;
    std::vector<std::byte> mended(bytes.begin(), bytes.end());
    std::byte* footer = mended.data() + size - hone::runtime::kPackedFooterBytes;
    uint64_t payload_bytes = 0;
    std::memcpy(&payload_bytes, footer + kPayloadBytesAt, sizeof payload_bytes);
    if (payload_bytes > size - kChecksumBytes) return 0;
    const uint64_t checksum = hone::base::checksum(
        std::span(mended).subspan(payload_bytes, size - kChecksumBytes - payload_bytes));
    std::memcpy(mended.data() + size - kChecksumBytes, &checksum, sizeof checksum);
    hone::runtime::exercise_packed_file(mended);
    return 0;
}
