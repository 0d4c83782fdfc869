#include "text/special_tokens.h"

#include <algorithm>
#include <array>
#include <initializer_list>

namespace hone::text {

namespace {

using base::ErrorCode;

constexpr uint8_t kNormal = 1;
constexpr uint8_t kUnknown = 2;
constexpr uint8_t kControl = 4;
constexpr uint8_t kUserDefined = 8;
constexpr uint8_t kByte = 16;
constexpr uint8_t kEnd = 32;
constexpr uint8_t kStripLeft = 64;
constexpr uint8_t kStripRight = 128;

// Texts that end a generation in the model families that use them.
constexpr std::array<std::string_view, 22> kEndTexts = {
    "<|eot_id|>",
    "<|im_end|>",
    "<|end|>",
    "<|return|>",
    "<|call|>",
    "<|flush|>",
    "<|calls|>",
    "<end_of_turn>",
    "<|endoftext|>",
    "</s>",
    "<|eom_id|>",
    "<EOT>",
    "_<EOT>",
    "[EOT]",
    "[EOS]",
    "<|end_of_text|>",
    "<end_of_utterance>",
    "<eos>",
    "<turn|>",
    "<|tool_response>",
    "<\xEF\xBD\x9C"
    "end\xE2\x96\x81of\xE2\x96\x81sentence\xEF\xBD\x9C>",
    "[e~["};

// Fill-in-the-middle texts that also end a generation: padding, repository name, file separator.
// Of each group the first token found counts.
constexpr std::array<std::string_view, 5> kFillPadTexts = {"<|fim_pad|>", "<fim-pad>", "<fim_pad>",
                                                           "<PAD>", "[PAD]"};
constexpr std::array<std::string_view, 5> kFillRepositoryTexts = {
    "<|fim_repo|>", "<|repo_name|>", "<fim-repo>", "<REPO>", "<reponame>"};
constexpr std::array<std::string_view, 1> kFillSeparatorTexts = {"<|file_sep|>"};

// Fill-in-the-middle texts that are control tokens whatever the file says.
constexpr std::array<std::string_view, 8> kFillPrefixTexts = {"<|fim_prefix|>",
                                                              "<fim-prefix>",
                                                              "<fim_prefix>",
                                                              "<\xEF\xBD\x9C"
                                                              "fim\xE2\x96\x81"
                                                              "begin\xEF\xBD\x9C>",
                                                              "<PRE>",
                                                              "\xE2\x96\x81<PRE>",
                                                              "<|code_prefix|>",
                                                              "<|prefix|>"};
constexpr std::array<std::string_view, 8> kFillSuffixTexts = {"<|fim_suffix|>",
                                                              "<fim-suffix>",
                                                              "<fim_suffix>",
                                                              "<\xEF\xBD\x9C"
                                                              "fim\xE2\x96\x81hole\xEF\xBD\x9C>",
                                                              "<SUF>",
                                                              "\xE2\x96\x81<SUF>",
                                                              "<|code_suffix|>",
                                                              "<|suffix|>"};
constexpr std::array<std::string_view, 8> kFillMiddleTexts = {"<|fim_middle|>",
                                                              "<fim-middle>",
                                                              "<fim_middle>",
                                                              "<\xEF\xBD\x9C"
                                                              "fim\xE2\x96\x81"
                                                              "end\xEF\xBD\x9C>",
                                                              "<MID>",
                                                              "\xE2\x96\x81<MID>",
                                                              "<|code_middle|>",
                                                              "<|middle|>"};

// Markers of the harmony format that must stay visible.
constexpr std::array<std::string_view, 4> kVisibleTexts = {"<|channel|>", "<|message|>",
                                                           "<|start|>", "<|constrain|>"};

template <size_t n>
bool contains(const std::array<std::string_view, n>& texts, std::string_view text) {
    return std::find(texts.begin(), texts.end(), text) != texts.end();
}

template <size_t n>
int32_t find_first(const std::vector<std::string>& tokens,
                   const std::array<std::string_view, n>& texts) {
    for (size_t id = 0; id < tokens.size(); ++id) {
        if (contains(texts, tokens[id])) return static_cast<int32_t>(id);
    }
    return -1;
}

bool is_space(char c) {
    return c == ' ' || (c >= '\t' && c <= '\r');
}

bool contains_any(std::string_view text, std::initializer_list<std::string_view> parts) {
    return std::any_of(parts.begin(), parts.end(), [&](std::string_view part) {
        return text.find(part) != std::string_view::npos;
    });
}

uint8_t flags_of_type(int32_t type) {
    switch (static_cast<TokenType>(type)) {
        case TokenType::normal:
            return kNormal;
        case TokenType::unknown:
            return kUnknown;
        case TokenType::control:
            return kControl;
        case TokenType::user_defined:
            return kUserDefined;
        case TokenType::byte:
            return kByte;
        case TokenType::undefined:
        case TokenType::unused:
            break;
    }
    return 0;
}

}  // namespace

base::Result<SpecialTokens> SpecialTokens::create(const VocabularyData& data) {
    SpecialTokens out;
    out.mark_types(data);
    out.mark_by_text(data);
    out.mark_ends(data);
    out.apply_exceptions(data);
    for (size_t id = 0; id < out.flags_.size(); ++id) {
        if ((out.flags_[id] & (kControl | kUserDefined | kUnknown)) != 0) {
            out.cutting_.push_back(static_cast<int32_t>(id));
        }
    }
    if (out.cutting_.size() > kSpecialCountMax) {
        return base::fail(ErrorCode::exhausted, "{} special tokens, at most {} are supported",
                          out.cutting_.size(), kSpecialCountMax);
    }
    // The unstable sort on purpose: among texts of one length the order of other engines, which
    // sort the same list with the same library, decides which of two overlapping tokens wins.
    std::sort(out.cutting_.begin(), out.cutting_.end(), [&](int32_t a, int32_t b) {
        return data.tokens[static_cast<size_t>(a)].size() >
               data.tokens[static_cast<size_t>(b)].size();
    });
    out.cutting_index_ = PrefixIndex(data.tokens, out.cutting_);
    out.mark_strips(data);
    return out;
}

void SpecialTokens::mark_types(const VocabularyData& data) {
    flags_.assign(data.tokens.size(), kNormal);
    for (size_t id = 0; id < data.types.size(); ++id) flags_[id] = flags_of_type(data.types[id]);
}

void SpecialTokens::mark_by_text(const VocabularyData& data) {
    const auto mark = [&](int32_t id, uint8_t flags) {
        if (id >= 0) flags_[static_cast<size_t>(id)] |= flags;
    };
    mark(find_first(data.tokens, kFillPrefixTexts), kControl);
    mark(find_first(data.tokens, kFillSuffixTexts), kControl);
    mark(find_first(data.tokens, kFillMiddleTexts), kControl);
    mark(find_first(data.tokens, kFillPadTexts), kControl | kEnd);
    mark(find_first(data.tokens, kFillRepositoryTexts), kControl | kEnd);
    mark(find_first(data.tokens, kFillSeparatorTexts), kControl | kEnd);
}

void SpecialTokens::mark_ends(const VocabularyData& data) {
    for (size_t id = 0; id < data.tokens.size(); ++id) {
        if (contains(kEndTexts, data.tokens[id])) flags_[id] |= kControl | kEnd;
    }
    for (const int32_t id : {data.eos_id, data.eot_id}) {
        if (id >= 0) flags_[static_cast<size_t>(id)] |= kEnd;
    }
}

// Families in which a text of kEndTexts is not an end, known by other tokens they have.
void SpecialTokens::apply_exceptions(const VocabularyData& data) {
    const auto find = [&](std::string_view text) -> int32_t {
        for (size_t id = 0; id < data.tokens.size(); ++id) {
            if (data.tokens[id] == text) return static_cast<int32_t>(id);
        }
        return -1;
    };
    for (size_t id = 0; id < data.tokens.size(); ++id) {
        if (contains(kVisibleTexts, data.tokens[id])) {
            flags_[id] = static_cast<uint8_t>(kUserDefined | (flags_[id] & kEnd));
        }
    }
    const int32_t end = find("<|end|>");
    const bool has_call = find("<|call|>") >= 0 || find("<|calls|>") >= 0;
    const bool has_close = find("<|return|>") >= 0 || find("<|flush|>") >= 0;
    if (end >= 0 && has_call && has_close) flags_[static_cast<size_t>(end)] = kUserDefined;
    const int32_t slash_s = find("</s>");
    const bool plain_slash_s =
        find("<|tool_response>") >= 0 || is_end_of_generation(find("<|plamo:eos|>"));
    if (slash_s >= 0 && plain_slash_s) flags_[static_cast<size_t>(slash_s)] = kNormal;
}

// Model files cannot say which tokens take the white space beside them, so the families in which
// some do are known by name, as llama.cpp knows them.
void SpecialTokens::mark_strips(const VocabularyData& data) {
    const auto mark = [&](std::string_view text, uint8_t flag) {
        for (size_t id = 0; id < data.tokens.size(); ++id) {
            if (data.tokens[id] == text) flags_[id] |= flag;
        }
    };
    std::string name = data.name;
    for (char& c : name) {
        if (c >= 'A' && c <= 'Z') c = static_cast<char>(c | 0x20);
    }
    const bool masked =
        contains_any(data.pre, {"jina-v2-de", "jina-v2-es", "jina-v2-code", "mmbert"}) ||
        contains_any(data.architecture, {"nomic-bert-moe", "jina-bert-v3"});
    if (masked) {
        mark("<mask>", kStripLeft);
    } else if (contains_any(name, {"phi-3", "phi3"})) {
        mark("</s>", kStripRight);
        for (const int32_t id : cutting_) {
            const std::string& text = data.tokens[static_cast<size_t>(id)];
            const bool keeps = text == "<unk>" || text == "<s>" || text == "<|endoftext|>";
            if (!keeps) flags_[static_cast<size_t>(id)] |= kStripRight;
        }
    } else if (contains_any(name, {"modern-bert"})) {
        mark("[MASK]", kStripLeft);
    }
}

// By id: the special tokens whose text is somewhere in this one.
std::vector<bool> SpecialTokens::present(std::string_view text,
                                         const std::vector<std::string>& tokens) const {
    std::vector<bool> out(flags_.size());
    for (size_t at = 0; at < text.size(); ++at) {
        cutting_index_.for_each_match(tokens, text.substr(at), [&](int32_t id, size_t) {
            out[static_cast<size_t>(id)] = true;
        });
    }
    return out;
}

// Appends the fragments of a text between occurrences of one token, and the token for each.
void SpecialTokens::cut_at(int32_t id, std::string_view special, std::string_view text,
                           std::vector<Fragment>& out) const {
    for (size_t at = text.find(special); at != std::string_view::npos; at = text.find(special)) {
        std::string_view left = text.substr(0, at);
        while (has(id, kStripLeft) && !left.empty() && is_space(left.back())) left.remove_suffix(1);
        if (!left.empty()) out.push_back({left, -1});
        out.push_back({{}, id});
        text.remove_prefix(at + special.size());
        while (has(id, kStripRight) && !text.empty() && is_space(text[0])) text.remove_prefix(1);
    }
    if (!text.empty()) out.push_back({text, -1});
}

std::vector<Fragment> SpecialTokens::cut(std::string_view text, bool parse_special,
                                         const std::vector<std::string>& tokens) const {
    std::vector<Fragment> fragments;
    if (text.empty()) return fragments;
    fragments.push_back({text, -1});
    std::vector<Fragment> next;
    const std::vector<bool> in_text = present(text, tokens);
    for (const int32_t id : cutting_) {
        if (!in_text[static_cast<size_t>(id)] || (!parse_special && is_control(id))) continue;
        next.clear();
        for (const Fragment& fragment : fragments) {
            if (fragment.token >= 0) {
                next.push_back(fragment);
            } else {
                cut_at(id, tokens[static_cast<size_t>(id)], fragment.bytes, next);
            }
        }
        fragments.swap(next);
    }
    return fragments;
}

bool SpecialTokens::has(int32_t id, uint8_t flag) const {
    return id >= 0 && static_cast<size_t>(id) < flags_.size() &&
           (flags_[static_cast<size_t>(id)] & flag) != 0;
}

bool SpecialTokens::is_control(int32_t id) const {
    return has(id, kControl | kUnknown);
}
bool SpecialTokens::is_verbatim(int32_t id) const {
    return has(id, kControl | kUnknown | kUserDefined);
}
bool SpecialTokens::is_normal(int32_t id) const {
    return has(id, kNormal);
}
bool SpecialTokens::is_byte(int32_t id) const {
    return has(id, kByte);
}
bool SpecialTokens::is_end_of_generation(int32_t id) const {
    return has(id, kEnd);
}

}  // namespace hone::text
