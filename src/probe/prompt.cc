#include "probe/prompt.h"

#include <algorithm>

#include "base/json.h"
#include "base/lines.h"
#include "base/text.h"
#include "kernels/kv_view.h"

namespace hone::probe {
namespace {

using base::ErrorCode;
using base::fail;

base::Result<Prompt> parse_line(std::string_view line) {
    HONE_TRY(const base::Json json, base::parse_json(line, {.depth_max = 8}));
    Prompt prompt;
    const auto text = json.is_object() ? json.find("text") : json.end();
    const auto tokens = json.is_object() ? json.find("tokens") : json.end();
    if (json.is_object() && text != json.end() && text->is_string()) {
        prompt.text = text->get<std::string>();
        return prompt;
    }
    if (!json.is_object() || tokens == json.end() || !tokens->is_array() || tokens->empty()) {
        return fail(ErrorCode::corrupt, R"(neither {{"text": "..."}} nor {{"tokens": [...]}})");
    }
    if (tokens->size() > kPromptTokensMax) {
        return fail(ErrorCode::exhausted, "{} tokens; at most {}", tokens->size(),
                    kPromptTokensMax);
    }
    for (const base::Json& token : *tokens) {
        if (!token.is_number_integer() || token < 0 || token > INT32_MAX) {
            return fail(ErrorCode::corrupt, "{} is no token id",
                        base::printable(base::dump_json(token, -1)));
        }
        prompt.tokens.push_back(token.get<int32_t>());
    }
    return prompt;
}

template <class Iterator>
size_t run_length(Iterator begin, Iterator end, int32_t pad) {
    const auto other = [pad](int32_t token) { return token != pad; };
    return static_cast<size_t>(std::find_if(begin, end, other) - begin);
}

// The hash of every whole page, chained, until `visit` returns false.
template <class Visit>
void each_page(std::span<const int32_t> tokens, Visit visit) {
    uint64_t hash = 0xcbf29ce484222325;  // FNV-1a over 32-bit ids
    for (size_t i = 0; i < tokens.size(); ++i) {
        hash = (hash ^ static_cast<uint32_t>(tokens[i])) * 0x100000001b3;
        if ((i + 1) % kernels::kPageTokens == 0 && !visit(hash)) return;
    }
}

}  // namespace

base::Result<std::vector<Prompt>> parse_prompts(std::string_view jsonl) {
    std::vector<Prompt> prompts;
    base::LineReader lines(jsonl);
    while (const auto line = lines.next()) {
        if (prompts.size() == kPromptsMax) {
            return fail(ErrorCode::exhausted, "more than {} prompts", kPromptsMax);
        }
        auto prompt = parse_line(line->text);
        if (!prompt)
            return tl::unexpected(prompt.error().within(fmt::format("line {}", line->number)));
        prompts.push_back(std::move(*prompt));
    }
    if (prompts.empty()) return fail(ErrorCode::invalid_argument, "there are no prompts in it");
    return prompts;
}

Padding find_padding(const text::Tokenizer& tokenizer, std::span<const int32_t> tokens) {
    Padding padding;
    const int32_t pad = tokenizer.pad() >= 0 ? tokenizer.pad() : tokenizer.eos();
    if (pad < 0 || tokens.empty()) return padding;
    const bool has_other_use = pad == tokenizer.eos() || pad == tokenizer.bos();
    const size_t run_min = has_other_use ? 2 : 1;
    padding.first = tokens.front() == tokenizer.bos() && tokens.front() != pad ? 1 : 0;
    const std::span<const int32_t> rest = tokens.subspan(padding.first);
    const size_t leading = run_length(rest.begin(), rest.end(), pad);
    if (leading >= run_min) padding.leading = leading;
    if (leading == rest.size()) {
        padding.leading = tokens.size() - std::max<size_t>(padding.first, 1);
        return padding;
    }
    const size_t trailing = run_length(rest.rbegin(), rest.rend(), pad);
    if (trailing >= run_min) padding.trailing = trailing;
    return padding;
}

void trim_padding(const Padding& padding, std::vector<int32_t>& tokens) {
    tokens.resize(tokens.size() - padding.trailing);
    const auto begin = tokens.begin() + static_cast<std::ptrdiff_t>(padding.first);
    tokens.erase(begin, begin + static_cast<std::ptrdiff_t>(padding.leading));
}

std::vector<int32_t> prompt_ids(const text::Tokenizer& tokenizer, const Prompt& prompt,
                                bool without_padding) {
    std::vector<int32_t> tokens =
        prompt.tokens.empty() ? tokenizer.encode(prompt.text) : prompt.tokens;
    if (without_padding) trim_padding(find_padding(tokenizer, tokens), tokens);
    return tokens;
}

size_t PrefixHistory::repeated(std::span<const int32_t> tokens) const {
    if (tokens.empty()) return 0;
    size_t pages = 0;
    each_page(tokens.first(tokens.size() - 1), [&](uint64_t hash) {
        const bool known = pages_.contains(hash);
        pages += known ? 1 : 0;
        return known;
    });
    return pages * kernels::kPageTokens;
}

void PrefixHistory::add(std::span<const int32_t> tokens) {
    each_page(tokens, [&](uint64_t hash) {
        if (pages_.size() < kPagesMax) pages_.insert(hash);
        return true;
    });
}

}  // namespace hone::probe
