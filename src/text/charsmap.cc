#include "text/charsmap.h"

namespace hone::text {

namespace {

using base::ErrorCode;
using base::fail;

constexpr uint32_t kValueFlag = 0x80000000;

uint32_t read_u32(std::string_view bytes) {
    uint32_t out = 0;
    for (size_t i = 0; i < 4; ++i) {
        out |= static_cast<uint32_t>(static_cast<unsigned char>(bytes[i])) << (8 * i);
    }
    return out;
}

// A unit of the trie. Nodes: bits 0..7 label, bit 8 "a key ends here", bit 9 "the offset is in
// units of 256", bits 10..30 offset, to be xor-ed with the node's index. Values: bit 31 and 31
// bits.
uint32_t offset_of(uint32_t unit) {
    return (unit >> 10) << ((unit & 0x200) >> 6);
}
uint32_t label_of(uint32_t unit) {
    return unit & (kValueFlag | 0xFF);
}
bool ends_key(uint32_t unit) {
    return (unit & 0x100) != 0;
}

base::Status check_pool(const std::string& pool) {
    if (pool.empty() || pool.back() != '\0') {
        return fail(ErrorCode::corrupt, "the last replacement of the normalizer has no end");
    }
    size_t run = 0;
    for (const char c : pool) {
        run = c == '\0' ? 0 : run + 1;
        if (run > Charsmap::kReplacementBytesMax) {
            return fail(ErrorCode::exhausted,
                        "a replacement of the normalizer has more than {} bytes",
                        Charsmap::kReplacementBytesMax);
        }
    }
    return {};
}

}  // namespace

base::Result<Charsmap> Charsmap::create(std::string_view bytes) {
    Charsmap out;
    if (bytes.empty()) return out;
    if (bytes.size() > kBytesMax) {
        return fail(ErrorCode::exhausted, "a normalizer of {} bytes, at most {} are supported",
                    bytes.size(), kBytesMax);
    }
    if (bytes.size() < 4) {
        return fail(ErrorCode::corrupt, "a normalizer of {} bytes", bytes.size());
    }
    const uint32_t trie_bytes = read_u32(bytes);
    bytes.remove_prefix(4);
    if (trie_bytes % 4 != 0 || trie_bytes == 0 || trie_bytes >= bytes.size()) {
        return fail(ErrorCode::corrupt, "the normalizer's trie of {} bytes is not in its {} bytes",
                    trie_bytes, bytes.size());
    }
    out.pool_ = bytes.substr(trie_bytes);
    HONE_TRY_STATUS(check_pool(out.pool_));
    for (size_t at = 0; at < trie_bytes; at += 4) {
        const uint32_t unit = read_u32(bytes.substr(at));
        if ((unit & kValueFlag) != 0 && (unit & ~kValueFlag) >= out.pool_.size()) {
            return fail(ErrorCode::corrupt, "a replacement at {} of the normalizer's {} bytes",
                        unit & ~kValueFlag, out.pool_.size());
        }
        out.units_.push_back(unit);
    }
    return out;
}

Charsmap::Rule Charsmap::longest(std::string_view text) const {
    Rule rule;
    if (units_.empty()) return rule;
    size_t node = offset_of(units_[0]);
    for (size_t i = 0; i < text.size() && text[i] != '\0'; ++i) {
        const uint32_t byte = static_cast<unsigned char>(text[i]);
        node ^= byte;
        if (node >= units_.size() || label_of(units_[node]) != byte) break;
        const bool whole = ends_key(units_[node]);
        node ^= offset_of(units_[node]);
        if (!whole) continue;
        // A file may point at any unit; only a value says where a replacement is.
        if (node >= units_.size() || (units_[node] & kValueFlag) == 0) break;
        const size_t offset = units_[node] & ~kValueFlag;
        rule.replacement = std::string_view(pool_.c_str() + offset);
        rule.consumed = i + 1;
    }
    return rule;
}

}  // namespace hone::text
