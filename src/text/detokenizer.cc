#include "text/detokenizer.h"

#include <utility>

#include "text/utf8.h"

namespace hone::text {

std::string StreamingDetokenizer::push(int32_t id) {
    std::string bytes = std::exchange(held_, {}) + tokenizer_.decode_piece(id, special_);
    const size_t whole = bytes.size() - incomplete_suffix_bytes(bytes);
    held_ = bytes.substr(whole);
    bytes.resize(whole);
    return sanitize_utf8(bytes);
}

std::string StreamingDetokenizer::flush() {
    return sanitize_utf8(std::exchange(held_, {}));
}

}  // namespace hone::text
