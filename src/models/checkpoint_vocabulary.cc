#include "models/checkpoint_vocabulary.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <set>
#include <vector>

#include "base/json.h"
#include "base/json_members.h"
#include "base/text.h"
#include "text/vocabulary.h"

namespace hone::models {
namespace {

using base::ErrorCode;
using base::fail;
using base::Json;
using base::Status;
using formats::GgufWriter;
using text::TokenType;

constexpr const char* kTokenizer = "tokenizer.json";
constexpr const char* kTokenizerConfig = "tokenizer_config.json";
constexpr base::JsonLimits kTokenizerLimits = {256u << 20, 16, 16384};
constexpr base::JsonLimits kTokenizerConfigLimits = {16u << 20, 16, 16384};
constexpr std::string_view kSpaceMark = "\xE2\x96\x81";

// tokenizer.json with its vocabulary apart.
struct TokenizerFile {
    Json json;
    std::vector<std::string> tokens;  // by id
    std::vector<int32_t> types;       // of each
    std::map<std::string, uint32_t, std::less<>> added;

    CheckpointJson part(const char* name) const {
        return CheckpointJson(json, kTokenizer).child(name);
    }
    std::optional<uint32_t> find(std::string_view token) const {
        if (const auto special = added.find(token); special != added.end()) return special->second;
        const auto at = std::find(tokens.begin(), tokens.end(), token);
        if (at == tokens.end()) return std::nullopt;
        return static_cast<uint32_t>(at - tokens.begin());
    }
};

// Puts a token at its id; ids may come in any order, each once.
class IdFiller {
  public:
    Status put(uint64_t id, std::string_view token, bool again) {
        if (id >= text::kTokenCountMax) {
            return fail(ErrorCode::exhausted, "{}: token id {}, over the limit of {}", kTokenizer,
                        id, text::kTokenCountMax);
        }
        if (tokens_.size() <= id) {
            tokens_.resize(id + 1);
            taken_.resize(id + 1);
        }
        if (taken_[id] && (!again || tokens_[id] != token)) {
            return fail(ErrorCode::corrupt, "{}: two tokens have id {}", kTokenizer, id);
        }
        taken_[id] = true;
        tokens_[id] = token;
        return {};
    }
    base::Result<std::vector<std::string>> take() {
        const auto hole = std::find(taken_.begin(), taken_.end(), false);
        if (hole == taken_.end()) return std::move(tokens_);
        return fail(ErrorCode::corrupt, "{}: no token has id {}", kTokenizer,
                    hole - taken_.begin());
    }

  private:
    std::vector<std::string> tokens_;
    std::vector<bool> taken_;
};

// Tokens beside the model's own: special ones, or texts that stay whole.
Status read_added(TokenizerFile& file, IdFiller& ids, std::map<uint32_t, TokenType>& types) {
    const Json* list = CheckpointJson(file.json, kTokenizer).find("added_tokens");
    if (list == nullptr) return {};
    for (const Json& item : *list) {
        const CheckpointJson token(item, std::string(kTokenizer) + ": added_tokens");
        HONE_TRY(const uint32_t id, token.get_u32("id"));
        HONE_TRY(const std::string content, token.get_string("content"));
        HONE_TRY(const bool special, token.get_bool_or("special", false));
        HONE_TRY_STATUS(ids.put(id, content, true));
        types[id] = special ? TokenType::control : TokenType::user_defined;
        file.added[content] = id;
    }
    return {};
}

base::Result<TokenizerFile> parse_tokenizer(const std::string& text) {
    TokenizerFile file;
    IdFiller ids;
    Status status;
    constexpr std::array<std::string_view, 2> kVocabulary = {"model", "vocab"};
    auto json = base::parse_json_members(
        text, kTokenizerLimits, kVocabulary, [&](std::string_view token, const Json& id) {
            if (!status) return;
            if (id.is_number_unsigned()) {
                status = ids.put(id.get<uint64_t>(), token, false);
            } else {
                status = fail(ErrorCode::corrupt, "{}: the id of '{}' is not a number", kTokenizer,
                              base::printable(token));
            }
        });
    if (!json) return tl::unexpected(json.error().within(kTokenizer));
    HONE_TRY_STATUS(std::move(status));
    file.json = std::move(*json);
    std::map<uint32_t, TokenType> types;
    HONE_TRY_STATUS(read_added(file, ids, types));
    HONE_TRY(file.tokens, ids.take());
    file.types.assign(file.tokens.size(), static_cast<int32_t>(TokenType::normal));
    for (const auto& [id, type] : types) file.types[id] = static_cast<int32_t>(type);
    return file;
}

// Rows of an embedding are often rounded up.
void pad(uint64_t rows, std::vector<std::string>& tokens, std::vector<int32_t>& types) {
    while (tokens.size() < rows) {
        tokens.push_back(fmt::format("[PAD{}]", tokens.size()));
        types.push_back(static_cast<int32_t>(TokenType::unused));
    }
}

void write_tokens(const char* model, const std::vector<std::string>& tokens,
                  const std::vector<int32_t>& types, GgufWriter& out) {
    out.add_string("tokenizer.ggml.model", model);
    out.add_strings("tokenizer.ggml.tokens", tokens);
    out.add_i32s("tokenizer.ggml.token_type", types);
}

// A special token is named as a string, or as an object that has it as "content".
std::string special_token(const CheckpointJson& settings, const char* field,
                          const std::string& otherwise) {
    const Json* value = settings.find(field);
    if (value == nullptr) return otherwise;
    if (value->is_string()) return value->get<std::string>();
    return CheckpointJson(*value, settings.where()).get_string("content").value_or(otherwise);
}

base::Result<Json> read_settings(const ReadText& read) {
    HONE_TRY(const auto text, read_if_there(read, kTokenizerConfig));
    if (!text) return Json::object();
    return parse_file(kTokenizerConfig, *text, kTokenizerConfigLimits);
}

// --- WordPiece

struct WordPieces {
    std::vector<std::string> tokens;
    std::vector<int32_t> types;
    bool lowercase = true;
    std::optional<bool> strip_accents;
    // The five by their names; those that a vocabulary lacks have no id.
    std::string unknown, first, separator, padding, mask;
};

constexpr size_t kFrame = 2;  // one token before a text and one behind it

// The tokens that stand before and behind one text.
base::Result<std::array<std::string, kFrame>> frame_of(const CheckpointJson& processor) {
    const auto odd = [&] {
        return fail(ErrorCode::unsupported, "{}: not one token before a text and one behind it",
                    processor.where());
    };
    HONE_TRY(const std::string type, processor.get_string("type"));
    std::array<std::string, kFrame> frame;
    if (type == "BertProcessing") {
        const Json* cls = processor.find("cls");
        const Json* sep = processor.find("sep");
        for (const auto& [pair, to] : {std::pair(cls, &frame[0]), {sep, &frame[1]}}) {
            if (pair == nullptr || !pair->is_array() || pair->empty() || !(*pair)[0].is_string()) {
                return odd();
            }
            *to = (*pair)[0].get<std::string>();
        }
        return frame;
    }
    const Json* single = processor.find("single");
    if (type != "TemplateProcessing" || single == nullptr || !single->is_array() ||
        single->size() != kFrame + 1) {
        return odd();
    }
    for (size_t i = 0; i <= kFrame; ++i) {
        const CheckpointJson item((*single)[i], processor.where());
        if (i == 1) {
            if (!item.has("Sequence")) return odd();
            continue;
        }
        const auto id = item.child("SpecialToken").get_string("id");
        if (!id) return odd();
        frame[i / kFrame] = *id;
    }
    return frame;
}

base::Result<WordPieces> word_pieces_of(TokenizerFile file) {
    WordPieces words;
    const CheckpointJson model = file.part("model");
    HONE_TRY_STATUS(model.expect("type", "WordPiece"));
    HONE_TRY_STATUS(model.expect("continuing_subword_prefix", "##"));
    const CheckpointJson normalizer = file.part("normalizer");
    HONE_TRY_STATUS(normalizer.require("type", "BertNormalizer"));
    HONE_TRY_STATUS(normalizer.expect_flag("clean_text", true));
    HONE_TRY_STATUS(normalizer.expect_flag("handle_chinese_chars", true));
    HONE_TRY(words.lowercase, normalizer.get_bool_or("lowercase", true));
    if (normalizer.has("strip_accents")) {
        HONE_TRY(words.strip_accents, normalizer.get_bool_or("strip_accents", true));
    }
    HONE_TRY_STATUS(file.part("pre_tokenizer").require("type", "BertPreTokenizer"));
    HONE_TRY(const auto frame, frame_of(file.part("post_processor")));
    words.first = frame[0];
    words.separator = frame[1];
    HONE_TRY(words.unknown, model.get_string_or("unk_token", "[UNK]"));
    words.tokens = std::move(file.tokens);
    words.types = std::move(file.types);
    return words;
}

base::Result<WordPieces> word_pieces_of(const std::string& list, const CheckpointJson& settings) {
    WordPieces words;
    for (std::string_view line : base::split(list, '\n')) {
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        words.tokens.emplace_back(line);
    }
    // The end of the last line begins no other.
    if (!words.tokens.empty() && words.tokens.back().empty()) words.tokens.pop_back();
    HONE_TRY_STATUS(settings.expect_flag("tokenize_chinese_chars", true));
    HONE_TRY(words.lowercase, settings.get_bool_or("do_lower_case", true));
    if (settings.has("strip_accents")) {
        HONE_TRY(words.strip_accents, settings.get_bool_or("strip_accents", true));
    }
    words.unknown = special_token(settings, "unk_token", "[UNK]");
    words.first = special_token(settings, "cls_token", "[CLS]");
    words.separator = special_token(settings, "sep_token", "[SEP]");
    const std::set<std::string> special = {words.unknown, words.first, words.separator,
                                           special_token(settings, "pad_token", "[PAD]"),
                                           special_token(settings, "mask_token", "[MASK]")};
    for (const std::string& token : words.tokens) {
        const TokenType type = special.contains(token) ? TokenType::control : TokenType::normal;
        words.types.push_back(static_cast<int32_t>(type));
    }
    return words;
}

// --- Byte-level BPE

// The patterns by which published tokenizers cut a text before they merge, and the names that GGUF
// has for the pre-tokenizers of these families; another where whole words are merged too.
struct SplitPattern {
    std::string_view pattern;
    const char* name;
    const char* name_without_whole_words;
};
constexpr std::string_view kContractions = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
constexpr SplitPattern kSplitPatterns[] = {
    {R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     "llama-bpe", "smaug-bpe"},
    {R"(|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)",
     nullptr, "qwen2"},
};

tl::unexpected<base::Error> other_cut(const CheckpointJson& pre_tokenizer) {
    return fail(ErrorCode::unsupported,
                "{}: does not cut texts as GPT-2, SmolLM, Llama 3 or Qwen 2 do",
                pre_tokenizer.where());
}

base::Result<std::string> split_name(const CheckpointJson& stage, bool whole_words) {
    HONE_TRY_STATUS(stage.expect("behavior", "Isolated"));
    HONE_TRY_STATUS(stage.expect_flag("invert", false));
    const auto pattern = stage.child("pattern").get_string("Regex");
    for (const SplitPattern& known : kSplitPatterns) {
        if (!pattern || *pattern != std::string(kContractions) + std::string(known.pattern)) {
            continue;
        }
        const char* name = whole_words ? known.name : known.name_without_whole_words;
        if (name != nullptr) return std::string(name);
    }
    return other_cut(stage);
}

// tokenizer.ggml.pre of the stages that cut a text.
base::Result<std::string> pre_tokenizer_name(const TokenizerFile& file) {
    HONE_TRY(const bool whole_words, file.part("model").get_bool_or("ignore_merges", false));
    const CheckpointJson all = file.part("pre_tokenizer");
    const Json* list = all.find("pretokenizers");
    std::vector<CheckpointJson> stages;
    if (list != nullptr && list->is_array()) {
        for (const Json& stage : *list) stages.emplace_back(stage, all.where());
    } else {
        stages.push_back(all);
    }
    if (stages.empty() || stages.size() > 2) return other_cut(all);
    const CheckpointJson& last = stages.back();
    HONE_TRY(const std::string last_type, last.get_string("type"));
    if (last_type != "ByteLevel") return other_cut(all);
    HONE_TRY_STATUS(last.expect_flag("add_prefix_space", false));
    HONE_TRY(const bool words, last.get_bool_or("use_regex", true));
    if (stages.size() == 1) {
        return words && !whole_words ? base::Result<std::string>("gpt-2") : other_cut(all);
    }
    const CheckpointJson& first = stages.front();
    HONE_TRY(const std::string type, first.get_string("type"));
    if (type == "Split" && !words) return split_name(first, whole_words);
    HONE_TRY(const bool single, first.get_bool_or("individual_digits", false));
    if (type == "Digits" && single && words && !whole_words) return std::string("smollm");
    return other_cut(all);
}

// Each merge is "left right", or since transformers 4.45 [left, right].
base::Result<std::vector<std::string>> merges_of(const CheckpointJson& model) {
    std::vector<std::string> out;
    const Json* merges = model.find("merges");
    if (merges == nullptr || !merges->is_array()) {
        return fail(ErrorCode::corrupt, "{}: has no list of merges", model.where());
    }
    for (const Json& merge : *merges) {
        if (merge.is_string()) {
            out.push_back(merge.get<std::string>());
        } else if (merge.is_array() && merge.size() == 2 && merge[0].is_string() &&
                   merge[1].is_string()) {
            out.push_back(merge[0].get<std::string>() + " " + merge[1].get<std::string>());
        } else {
            return fail(ErrorCode::corrupt, "{}: merge {} is not a pair", model.where(),
                        out.size());
        }
    }
    return out;
}

// Whether every text begins with the token of this id.
bool begins_with(const TokenizerFile& file, uint32_t id) {
    CheckpointJson processor = file.part("post_processor");
    const Json* single = processor.find("single");
    if (const Json* list = processor.find("processors"); list != nullptr && list->is_array()) {
        for (const Json& item : *list) {
            const Json* found = CheckpointJson(item, "").find("single");
            if (found != nullptr) single = found;
        }
    }
    if (single == nullptr || !single->is_array() || single->empty()) return false;
    const auto token = CheckpointJson((*single)[0], "").child("SpecialToken").get_string("id");
    return token && file.find(*token) == id;
}

// config.json names an id, or a list of which the first counts.
std::optional<uint32_t> id_of(const CheckpointJson& config, const char* field) {
    const Json* value = config.find(field);
    if (value != nullptr && value->is_array() && !value->empty()) value = &(*value)[0];
    if (value == nullptr || !value->is_number_unsigned()) return std::nullopt;
    return static_cast<uint32_t>(std::min<uint64_t>(value->get<uint64_t>(), UINT32_MAX));
}

Status write_chat_template(const ReadText& read, const CheckpointJson& settings, GgufWriter& out) {
    HONE_TRY(const auto file, read_if_there(read, "chat_template.jinja"));
    HONE_TRY(const std::string own, settings.get_string_or("chat_template", ""));
    const std::string& text = file ? *file : own;
    if (!text.empty()) out.add_string("tokenizer.chat_template", text);
    return {};
}

// Ids of the tokens that begin and end a text: by name in the tokenizer's settings, or by number in
// the model's.
void write_ends(const TokenizerFile& file, const CheckpointJson& settings,
                const CheckpointJson& config, GgufWriter& out) {
    const auto id = [&](const char* token_field, const char* id_field) {
        const auto named = file.find(special_token(settings, token_field, ""));
        return named ? named : id_of(config, id_field);
    };
    const auto bos = id("bos_token", "bos_token_id");
    const auto eos = id("eos_token", "eos_token_id");
    if (bos) out.add_u32("tokenizer.ggml.bos_token_id", *bos);
    if (eos) out.add_u32("tokenizer.ggml.eos_token_id", *eos);
    // What ends a chat's turn where it is another token than what ends a text.
    const auto turn = id_of(config, "eos_token_id");
    if (turn && eos && *turn != *eos) out.add_u32("tokenizer.ggml.eot_token_id", *turn);
    if (const auto padding = file.find(special_token(settings, "pad_token", ""))) {
        out.add_u32("tokenizer.ggml.padding_token_id", *padding);
    }
    out.add_bool("tokenizer.ggml.add_bos_token", bos && begins_with(file, *bos));
}

}  // namespace

Status write_word_pieces(const ReadText& read, uint64_t rows, GgufWriter& out) {
    HONE_TRY(const Json json, read_settings(read));
    const CheckpointJson settings(json, kTokenizerConfig);
    WordPieces words;
    HONE_TRY(const auto text, read_if_there(read, kTokenizer));
    if (text) {
        HONE_TRY(auto file, parse_tokenizer(*text));
        HONE_TRY(words, word_pieces_of(std::move(file)));
    } else {
        HONE_TRY(const std::string list, read("vocab.txt"));
        HONE_TRY(words, word_pieces_of(list, settings));
    }
    words.padding = special_token(settings, "pad_token", "[PAD]");
    words.mask = special_token(settings, "mask_token", "[MASK]");
    const std::pair<const char*, const std::string*> ids[] = {
        {"unknown", &words.unknown},     {"bos", &words.first},       {"cls", &words.first},
        {"seperator", &words.separator}, {"padding", &words.padding}, {"mask", &words.mask}};
    for (const auto& [name, token] : ids) {
        const auto at = std::find(words.tokens.begin(), words.tokens.end(), *token);
        if (at != words.tokens.end()) {
            out.add_u32(fmt::format("tokenizer.ggml.{}_token_id", name),
                        static_cast<uint32_t>(at - words.tokens.begin()));
        } else if (token == &words.first || token == &words.separator) {
            return fail(ErrorCode::corrupt, "the token '{}' is not in the vocabulary",
                        base::printable(*token));
        }
    }
    for (size_t id = 0; id < words.tokens.size(); ++id) {
        std::string& token = words.tokens[id];
        if (words.types[id] == static_cast<int32_t>(TokenType::control)) continue;
        token = token.starts_with("##") ? token.substr(2) : std::string(kSpaceMark) + token;
    }
    pad(rows, words.tokens, words.types);
    write_tokens("bert", words.tokens, words.types, out);
    out.add_bool("tokenizer.ggml.normalizer.lowercase", words.lowercase);
    if (words.strip_accents) {
        out.add_bool("tokenizer.ggml.normalizer.strip_accents", *words.strip_accents);
    }
    return {};
}

Status write_byte_pairs(const ReadText& read, const CheckpointJson& config, uint64_t rows,
                        GgufWriter& out) {
    HONE_TRY(const Json json, read_settings(read));
    const CheckpointJson settings(json, kTokenizerConfig);
    HONE_TRY(const std::string text, read(kTokenizer));
    HONE_TRY(TokenizerFile file, parse_tokenizer(text));
    const CheckpointJson model = file.part("model");
    HONE_TRY_STATUS(model.expect("type", "BPE"));
    HONE_TRY_STATUS(model.expect_flag("byte_fallback", false));
    // Qwen's composes characters; files of its models do without, and so does this.
    HONE_TRY_STATUS(file.part("normalizer").expect("type", "NFC"));
    HONE_TRY(const std::string pre, pre_tokenizer_name(file));
    HONE_TRY(const std::vector<std::string> merges, merges_of(model));
    out.add_string("tokenizer.ggml.pre", pre);
    out.add_strings("tokenizer.ggml.merges", merges);
    write_ends(file, settings, config, out);
    HONE_TRY_STATUS(write_chat_template(read, settings, out));
    pad(rows, file.tokens, file.types);
    write_tokens("gpt2", file.tokens, file.types, out);
    return {};
}

}  // namespace hone::models
