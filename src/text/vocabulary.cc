#include "text/vocabulary.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>

#include "base/text.h"

namespace hone::text {

namespace {

using base::ErrorCode;
using base::fail;

constexpr std::array<std::string_view, 5> kModels = {"gpt2", "gemma4", "llama", "t5", "bert"};

base::Status check_sizes(const VocabularyData& data) {
    if (std::find(kModels.begin(), kModels.end(), data.model) == kModels.end()) {
        return fail(ErrorCode::unsupported, "tokenizer model '{}' is not supported; {} are",
                    base::printable(data.model), fmt::join(kModels, ", "));
    }
    if (data.tokens.empty()) return fail(ErrorCode::corrupt, "the vocabulary is empty");
    if (data.tokens.size() > kTokenCountMax) {
        return fail(ErrorCode::exhausted, "{} tokens, at most {} are supported", data.tokens.size(),
                    kTokenCountMax);
    }
    if (data.merges.size() > kMergeCountMax) {
        return fail(ErrorCode::exhausted, "{} merges, at most {} are supported", data.merges.size(),
                    kMergeCountMax);
    }
    if (!data.types.empty() && data.types.size() != data.tokens.size()) {
        return fail(ErrorCode::corrupt, "{} token types for {} tokens", data.types.size(),
                    data.tokens.size());
    }
    if (!data.scores.empty() && data.scores.size() != data.tokens.size()) {
        return fail(ErrorCode::corrupt, "{} token scores for {} tokens", data.scores.size(),
                    data.tokens.size());
    }
    return {};
}

base::Status check_id(const char* name, int32_t id, size_t count) {
    if (id < -1 || (id >= 0 && static_cast<size_t>(id) >= count)) {
        return fail(ErrorCode::corrupt, "the {} token is {}, but there are {} tokens", name, id,
                    count);
    }
    return {};
}

base::Status check_ids(const VocabularyData& data) {
    const size_t count = data.tokens.size();
    HONE_TRY_STATUS(check_id("BOS", data.bos_id, count));
    HONE_TRY_STATUS(check_id("EOS", data.eos_id, count));
    HONE_TRY_STATUS(check_id("EOT", data.eot_id, count));
    HONE_TRY_STATUS(check_id("unknown", data.unk_id, count));
    HONE_TRY_STATUS(check_id("padding", data.pad_id, count));
    HONE_TRY_STATUS(check_id("separator", data.sep_id, count));
    if (data.add_bos.value_or(false) && data.bos_id < 0) {
        return fail(ErrorCode::corrupt, "the file asks for a BOS token but names none");
    }
    if (data.add_eos.value_or(false) && data.eos_id < 0) {
        return fail(ErrorCode::corrupt, "the file asks for an EOS token but names none");
    }
    return {};
}

base::Status check_merges(const std::vector<std::string>& merges) {
    for (size_t rank = 0; rank < merges.size(); ++rank) {
        if (merges[rank].size() > 2 * kTokenBytesMax) {
            return fail(ErrorCode::exhausted, "merge {} has {} bytes", rank, merges[rank].size());
        }
    }
    return {};
}

}  // namespace

std::optional<int> parse_byte_token(std::string_view text) {
    if (text.size() != 6 || text.substr(0, 3) != "<0x" || text.back() != '>') return std::nullopt;
    int value = 0;
    for (const char c : text.substr(3, 2)) {
        const bool digit = c >= '0' && c <= '9';
        const char letter = static_cast<char>(c | 0x20);
        if (!digit && (letter < 'a' || letter > 'f')) return std::nullopt;
        value = value * 16 + (digit ? c - '0' : letter - 'a' + 10);
    }
    return value;
}

base::Status check_vocabulary(const VocabularyData& data) {
    HONE_TRY_STATUS(check_sizes(data));
    HONE_TRY_STATUS(check_ids(data));
    return check_merges(data.merges);
}

}  // namespace hone::text
