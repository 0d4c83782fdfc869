#include "models/gguf_vocabulary.h"

namespace hone::models {
namespace {

// Ids that a kind of tokenizer means where the file names none; -1: none.
struct DefaultIds {
    std::string_view model;
    int32_t bos = -1;
    int32_t eos = -1;
    int32_t unk = -1;
    int32_t sep = -1;
    int32_t pad = -1;
};

constexpr DefaultIds kDefaultIds[] = {
    {"llama", 1, 2, 0, -1, -1},
    {"t5", -1, 1, 2, -1, 0},
    {"bert", 101, -1, 100, 102, 0},
};

// A token id from the metadata; the default when absent or outside the vocabulary, -1 when that is
// outside too.
int32_t token_id(const formats::GgufFile& file, const char* key, size_t vocab, int32_t otherwise) {
    const auto id = file.get_u64(key);
    if (id && *id < vocab) return static_cast<int32_t>(*id);
    return otherwise >= 0 && static_cast<size_t>(otherwise) < vocab ? otherwise : -1;
}

std::optional<bool> flag(const formats::GgufFile& file, const char* key) {
    const auto value = file.get_bool(key);
    return value ? std::optional<bool>(*value) : std::nullopt;
}

base::Result<std::vector<std::string>> strings(const formats::GgufFile& file, const char* key) {
    HONE_TRY(const std::vector<std::string_view> views, file.get_strings(key));
    return std::vector<std::string>(views.begin(), views.end());
}

void read_ids(const formats::GgufFile& file, text::VocabularyData& data) {
    DefaultIds defaults;
    for (const DefaultIds& known : kDefaultIds) {
        if (known.model == data.model) defaults = known;
    }
    const size_t vocab = data.tokens.size();
    // Of WordPiece, the first token is the one for classification.
    if (data.model == "bert") {
        defaults.bos = token_id(file, "tokenizer.ggml.cls_token_id", vocab, defaults.bos);
    }
    data.bos_id = token_id(file, "tokenizer.ggml.bos_token_id", vocab, defaults.bos);
    data.eos_id = token_id(file, "tokenizer.ggml.eos_token_id", vocab, defaults.eos);
    data.eot_id = token_id(file, "tokenizer.ggml.eot_token_id", vocab, -1);
    data.unk_id = token_id(file, "tokenizer.ggml.unknown_token_id", vocab, defaults.unk);
    data.pad_id = token_id(file, "tokenizer.ggml.padding_token_id", vocab, defaults.pad);
    // Misspelled in the format itself.
    data.sep_id = token_id(file, "tokenizer.ggml.seperator_token_id", vocab, defaults.sep);
}

void read_flags(const formats::GgufFile& file, text::VocabularyData& data) {
    data.add_bos = flag(file, "tokenizer.ggml.add_bos_token");
    data.add_eos = flag(file, "tokenizer.ggml.add_eos_token");
    data.add_space_prefix = flag(file, "tokenizer.ggml.add_space_prefix");
    data.remove_extra_spaces = flag(file, "tokenizer.ggml.remove_extra_whitespaces");
    data.lowercase = flag(file, "tokenizer.ggml.normalizer.lowercase");
    data.strip_accents = flag(file, "tokenizer.ggml.normalizer.strip_accents");
}

}  // namespace

base::Result<text::VocabularyData> read_vocabulary(const formats::GgufFile& file) {
    text::VocabularyData data;
    HONE_TRY(data.model, file.get_string("tokenizer.ggml.model"));
    HONE_TRY(data.pre, file.get_string_or("tokenizer.ggml.pre", "default"));
    HONE_TRY(data.name, file.get_string_or("general.name", ""));
    HONE_TRY(data.architecture, file.get_string_or("general.architecture", ""));
    HONE_TRY(data.tokens, strings(file, "tokenizer.ggml.tokens"));
    if (file.find("tokenizer.ggml.scores") != nullptr) {
        HONE_TRY(data.scores, file.get_f32s("tokenizer.ggml.scores"));
    }
    if (file.find("tokenizer.ggml.token_type") != nullptr) {
        HONE_TRY(const std::vector<int64_t> types, file.get_i64s("tokenizer.ggml.token_type"));
        data.types.assign(types.begin(), types.end());
    }
    if (file.find("tokenizer.ggml.merges") != nullptr) {
        HONE_TRY(data.merges, strings(file, "tokenizer.ggml.merges"));
    }
    constexpr const char* kCharsmap = "tokenizer.ggml.precompiled_charsmap";
    if (file.find(kCharsmap) != nullptr) {
        HONE_TRY(const std::vector<int64_t> bytes, file.get_i64s(kCharsmap));
        for (const int64_t byte : bytes) data.charsmap.push_back(static_cast<char>(byte));
    }
    read_ids(file, data);
    read_flags(file, data);
    HONE_TRY(data.chat_template, file.get_string_or("tokenizer.chat_template", ""));
    return data;
}

}  // namespace hone::models
