// Directories of transformers (tests/golden/make_checkpoints.py): what they become, and each file
// of them made wrong. Whether logits and embeddings are right is for room runtime.
#include "models/checkpoint.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <tuple>

#include "base/fuzz_corpus.h"
#include "base/json.h"
#include "base/text.h"
#include "formats/safetensors_bytes.h"
#include "models/checkpoint_exercise.h"
#include "models/model.h"
#include "models/model_key.h"

namespace hone::models {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using testing::HasSubstr;

const std::string kGoldens = HONE_SOURCE_DIR "/tests/golden/checkpoints";
const fs::path kCorpus = HONE_SOURCE_DIR "/src/models/corpus/checkpoint_fuzz";

std::string content(const fs::path& path) {
    std::ifstream stream(path, std::ios::binary);
    return {std::istreambuf_iterator<char>(stream), {}};
}

TEST(Checkpoint, TokensEqualThoseOfTheLibraryThatWroteIt) {
    const auto golden = base::parse_json(content(kGoldens + ".json"));
    ASSERT_TRUE(golden) << golden.error().message;
    ASSERT_EQ(golden->size(), size_t{3});
    for (const auto& item : golden->items()) {
        SCOPED_TRACE(item.key());
        const auto model = Model::open(kGoldens + "/" + item.key());
        ASSERT_TRUE(model) << model.error().message;
        auto vocabulary = (*model)->vocabulary();
        ASSERT_TRUE(vocabulary) << vocabulary.error().message;
        EXPECT_EQ(vocabulary->name, item.key());
        EXPECT_EQ(vocabulary->chat_template.empty(), item.key() == "bert");
        const auto tokenizer = text::Tokenizer::create(std::move(*vocabulary));
        ASSERT_TRUE(tokenizer) << tokenizer.error().message;
        for (const base::Json& line : item.value()) {
            const auto text = line["text"].get<std::string>();
            EXPECT_EQ(tokenizer->encode(text, {.parse_special = true}),
                      line["tokens"].get<std::vector<int32_t>>())
                << text;
        }
    }
}

TEST(Checkpoint, IsAModelFileLikeAnyOther) {
    const auto file = open_model_file(kGoldens + "/llama3/");
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(*file->get_string("general.name"), "llama3");
    EXPECT_EQ(*file->get_u64("llama.block_count"), 2u);
    EXPECT_EQ(file->maps().size(), size_t{4});
    // The same weights as a converter writes them, rows of q and k in pairs included.
    const auto converted = formats::GgufFile::open(kGoldens + "/../architectures/llama3.gguf");
    ASSERT_TRUE(converted) << converted.error().message;
    ASSERT_EQ(file->tensors().size(), converted->tensors().size());
    for (const formats::GgufTensor& tensor : converted->tensors()) {
        const auto view = file->tensor(tensor.name);
        ASSERT_TRUE(view) << view.error().message;
        EXPECT_EQ(view->dims, tensor.view.dims) << tensor.name;
        ASSERT_EQ(view->dtype, tensor.view.dtype) << tensor.name;
        if (tensor.name == "rope_freqs.weight") {
            const auto* ours = reinterpret_cast<const float*>(view->data);
            const auto* theirs = reinterpret_cast<const float*>(tensor.view.data);
            for (size_t i = 0; i < view->columns(); ++i) EXPECT_NEAR(ours[i], theirs[i], 1e-5f);
            continue;
        }
        EXPECT_TRUE(std::equal(view->span().begin(), view->span().end(), tensor.view.span().begin(),
                               tensor.view.span().end()))
            << tensor.name;
    }
}

TEST(Checkpoint, IsKnownByAllThatAModelTakesFromIt) {
    const fs::path directory = fs::path(testing::TempDir()) / "checkpoint_key";
    fs::remove_all(directory);
    fs::copy(kGoldens + "/bert", directory, fs::copy_options::recursive);
    const auto key = model_key(directory.string());
    ASSERT_TRUE(key) << key.error().message;
    EXPECT_EQ(model_key(directory.string() + "/").value_or(""), *key);
    EXPECT_NE(model_key(kGoldens + "/qwen2").value_or(*key), *key);
    const auto identity_of = [&] {
        const auto model = Model::open(directory.string());
        EXPECT_TRUE(model) << model.error().message;
        return model ? (*model)->identity() : "";
    };
    const std::string identity = identity_of();
    std::string config = content(directory / "config.json");
    const size_t epsilon = config.find("1e-12");
    ASSERT_NE(epsilon, std::string::npos);
    std::ofstream(directory / "config.json") << config.replace(epsilon, 5, "1e-10");
    EXPECT_NE(model_key(directory.string()).value_or(*key), *key);
    EXPECT_NE(identity_of(), identity);
    fs::remove_all(directory);
}

TEST(Checkpoint, WordsMayComeFromAListAlone) {
    const fs::path directory = fs::path(testing::TempDir()) / "checkpoint_words";
    fs::remove_all(directory);
    fs::copy(kGoldens + "/bert", directory, fs::copy_options::recursive);
    auto model = Model::open(directory.string());
    ASSERT_TRUE(model) << model.error().message;
    const auto whole = (*model)->vocabulary();
    fs::remove(directory / "tokenizer.json");
    model = Model::open(directory.string());
    ASSERT_TRUE(model) << model.error().message;
    const auto list = (*model)->vocabulary();
    ASSERT_TRUE(whole && list);
    EXPECT_EQ(list->tokens, whole->tokens);
    EXPECT_EQ(list->types, whole->types);
    EXPECT_EQ(list->bos_id, whole->bos_id);
    EXPECT_EQ(list->sep_id, whole->sep_id);
    EXPECT_EQ(list->lowercase, whole->lowercase);
    fs::remove_all(directory);
}

// The small files of a golden directory, with the weights behind them.
struct Pieces {
    std::map<std::string, std::string> texts;
    std::string weights;

    static Pieces of(const std::string& name) {
        Pieces out;
        for (const std::string_view text : kCheckpointTexts) {
            const fs::path path =
                kGoldens + "/" + name + "/" +
                (text == "1/config.json" ? "1_Pooling/config.json" : std::string(text));
            if (fs::exists(path)) out.texts[std::string(text)] = content(path);
        }
        const size_t at = out.texts["modules.json"].find("1_Pooling");
        if (at != std::string::npos) out.texts["modules.json"].replace(at, 9, "1");
        out.weights = content(kGoldens + "/" + name + "/model.safetensors");
        return out;
    }
    // `text` of a small file becomes `other`.
    Pieces& with(const std::string& file, const std::string& text, const std::string& other) {
        const size_t at = texts[file].find(text);
        EXPECT_NE(at, std::string::npos) << file << ": " << text;
        if (at != std::string::npos) texts[file].replace(at, text.size(), other);
        return *this;
    }
    std::string bytes() const {
        std::string out;
        for (const std::string_view text : kCheckpointTexts) {
            const auto found = texts.find(std::string(text));
            out += (found == texts.end() ? "" : found->second) + '\0';
        }
        return out + weights;
    }
};

struct Broken {
    const char* model;
    const char* file;
    const char* text;
    const char* other;
    ErrorCode code;
    const char* fragment;
};

constexpr ErrorCode kCorrupt = ErrorCode::corrupt;
constexpr ErrorCode kNotFound = ErrorCode::not_found;
constexpr ErrorCode kUnsupported = ErrorCode::unsupported;

void check(const std::vector<Broken>& table) {
    for (const Broken& broken : table) {
        const std::string bytes =
            Pieces::of(broken.model).with(broken.file, broken.text, broken.other).bytes();
        const auto status = exercise_checkpoint(formats::as_span(bytes));
        const std::string name = std::string(broken.text) + " -> " + broken.other;
        ASSERT_FALSE(status) << name << ": was accepted";
        EXPECT_EQ(status.error().code, broken.code) << name << ": " << status.error().message;
        EXPECT_THAT(status.error().message, HasSubstr(broken.fragment)) << name;
        EXPECT_EQ(status.error().message.substr(0, 5), "dir: ") << name;
        EXPECT_EQ(status.error().message.find('\n'), std::string::npos) << name;
    }
}

TEST(BrokenCheckpoint, GoodOnesAreAccepted) {
    for (const char* name : {"bert", "qwen2"}) {
        const std::string bytes = Pieces::of(name).bytes();
        const auto status = exercise_checkpoint(formats::as_span(bytes));
        EXPECT_TRUE(status) << name << ": " << status.error().message;
    }
}

TEST(BrokenCheckpoint, Config) {
    const char* c = "config.json";
    check({
        {"bert", c, "{", "", kCorrupt, "config.json: not valid JSON"},
        {"bert", c, "{", "{\"x\":[[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]],", ErrorCode::exhausted,
         "nested deeper"},
        {"bert", c, "\"bert\"", "7", kCorrupt, "'model_type' is number, expected a string"},
        {"bert", c, "\"bert\"", "\"t5\"", kUnsupported,
         "model_type 't5' is not supported in a directory; supported: bert, llama"},
        {"bert", c, "\"gelu\"", "\"relu\"", kUnsupported, "'hidden_act' is 'relu'"},
        {"bert", c, "\"absolute\"", "\"relative_key\"", kUnsupported, "position_embedding_type"},
        {"bert", c, "\"hidden_size\": 32", "\"hidden_size\": 64", kCorrupt, "token_embd.weight"},
        {"bert", c, "\"hidden_size\": 32", "\"hidden_size\": -32", kCorrupt, "a whole number"},
        {"bert", c, "\"hidden_size\": 32", "\"hidden_size\": 32.5", kCorrupt, "a whole number"},
        {"bert", c, "\"hidden_size\": 32", "\"hidden_size\": 4294967328", kCorrupt, "below 2^32"},
        {"bert", c, "\"hidden_size\": 32", "\"hidden_size\": null", kCorrupt, "is missing"},
        {"bert", c, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3", kCorrupt,
         "'blk.2.attn_q.weight' is missing"},
        {"bert", c, "\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1", kUnsupported,
         "has no place"},
        {"bert", c, "\"num_attention_heads\": 2", "\"num_attention_heads\": 0", kCorrupt,
         "outside [1, 1024]"},
        {"bert", c, "\"num_attention_heads\": 2", "\"num_attention_heads\": 3", kUnsupported,
         "head dims"},
        {"bert", c, "1e-12", "1e400", kCorrupt, "config.json"},
        {"bert", c, "1e-12", "\"small\"", kCorrupt, "'layer_norm_eps' is string"},
        {"qwen2", c, "\"silu\"", "\"gelu\"", kUnsupported, "'hidden_act' is 'gelu'"},
        {"qwen2", c, "\"use_sliding_window\": false", "\"use_sliding_window\": true", kUnsupported,
         "'use_sliding_window' is true; only false"},
        {"qwen2", c, "\"rope_scaling\": null", "\"rope_scaling\": {\"rope_type\": \"dynamic\"}",
         kUnsupported, "'rope_type' is 'dynamic'"},
    });
}

TEST(BrokenCheckpoint, Tokenizer) {
    const char* t = "tokenizer.json";
    check({
        {"bert", t, "{", "[", kCorrupt, "tokenizer.json: not valid JSON"},
        {"bert", t, "\"model\": {\n    \"type\": \"WordPiece\"", "\"model\": {\"type\": \"BPE\"",
         kUnsupported, "'type' is 'BPE'"},
        {"bert", t, "\"clean_text\": true", "\"clean_text\": false", kUnsupported, "clean_text"},
        {"bert", t, "\"handle_chinese_chars\": true", "\"handle_chinese_chars\": 1", kCorrupt,
         "'handle_chinese_chars' is number"},
        {"bert", t, "\"BertNormalizer\"", "\"Lowercase\"", kUnsupported, "'type' is 'Lowercase'"},
        {"bert", t, "\"BertPreTokenizer\"", "\"Whitespace\"", kUnsupported, "'Whitespace'"},
        {"bert", t, "\"TemplateProcessing\"", "\"RobertaProcessing\"", kUnsupported,
         "not one token before a text"},
        {"bert", t, "\"single\": [", "\"single\": {\"a\": 1, \"b\": 2, \"c\": 3}, \"pairs\": [",
         kUnsupported, "not one token before a text"},
        {"bert", t, "\"continuing_subword_prefix\": \"##\"",
         "\"continuing_subword_prefix\": \"@@\"", kUnsupported, "'@@'"},
        {"bert", t, "\"[UNK]\": 1", "\"[UNK]\": 2", kCorrupt, "two tokens have id 2"},
        {"bert", t, "\"[UNK]\": 1", "\"[UNK]\": 4000000000", ErrorCode::exhausted,
         "token id 4000000000"},
        {"bert", t, "\"[UNK]\": 1", "\"[UNK]\": \"1\"", kCorrupt, "the id of '[UNK]'"},
        {"bert", t, "\"[UNK]\": 1", "\"[UNK]\": -1", kCorrupt, "the id of '[UNK]'"},
        {"bert", t, "\"[UNK]\": 1", "\"[UNK]\": 99", kCorrupt, "no token has id"},
        {"bert", t, "\"id\": 1,", "\"id\": 7,", kCorrupt, "two tokens have id 7"},
        {"bert", t, "\"id\": 1,", "\"id\": true,", kCorrupt, "'id' is boolean"},
        {"qwen2", t, "\"BPE\"", "\"Unigram\"", kUnsupported, "'type' is 'Unigram'"},
        {"qwen2", t, "\"byte_fallback\": false", "\"byte_fallback\": true", kUnsupported,
         "byte_fallback"},
        {"qwen2", t, "\"NFC\"", "\"NFKC\"", kUnsupported, "'NFKC'"},
        {"qwen2", t, "\"Isolated\"", "\"Removed\"", kUnsupported, "'Removed'"},
        {"qwen2", t, "(?i:", "(?x:", kUnsupported, "does not cut texts as"},
        {"qwen2", t, "\"ignore_merges\": false", "\"ignore_merges\": true", kUnsupported,
         "does not cut texts as"},
        {"qwen2", t, "\"Split\"", "\"Punctuation\"", kUnsupported, "does not cut texts as"},
        {"qwen2", t, "\"merges\": [", "\"merges\": [7, ", kCorrupt, "merge 0 is not a pair"},
        {"qwen2", t, "\"merges\": [", "\"merge\": [", kCorrupt, "has no list of merges"},
    });
}

TEST(BrokenCheckpoint, Pooling) {
    const char* mean = "\"pooling_mode_mean_tokens\": true";
    check({
        {"bert", "modules.json", "models.Normalize", "models.Dense", kUnsupported,
         "Dense' is not supported"},
        {"bert", "modules.json", "models.Normalize", "models.Pooling", kNotFound, "2_Normalize"},
        {"bert", "modules.json", "models.Pooling", "models.WordWeights", kUnsupported,
         "WordWeights' is not supported"},
        {"bert", "modules.json", "\"path\": \"1\"", "\"path\": \"../x\"", kCorrupt,
         "is not a folder beside it"},
        {"bert", "modules.json", "\"path\": \"1\"", "\"path\": \"/etc\"", kCorrupt,
         "is not a folder beside it"},
        {"bert", "modules.json", "\"path\": \"1\"", "\"path\": \"2\"", kNotFound, "2/config.json"},
        {"bert", "modules.json", "[", "{", kCorrupt, "modules.json: not valid JSON"},
        {"bert", "1/config.json", mean, "\"pooling_mode_mean_tokens\": false", kUnsupported,
         "not one pooling"},
        {"bert", "1/config.json", mean, "\"pooling_mode_max_tokens\": true", kUnsupported,
         "pooling_mode_max_tokens"},
        {"bert", "1/config.json", mean, "\"pooling_mode\": \"max\"", kUnsupported, "'max'"},
    });
}

// The weights' header with one thing replaced by as many bytes.
base::Status renamed(const std::string& text, const std::string& other) {
    Pieces pieces = Pieces::of("bert");
    EXPECT_EQ(text.size(), other.size());
    const size_t at = pieces.weights.find(text);
    EXPECT_NE(at, std::string::npos);
    pieces.weights.replace(at, text.size(), other);
    const std::string bytes = pieces.bytes();
    return exercise_checkpoint(formats::as_span(bytes));
}

TEST(BrokenCheckpoint, Weights) {
    auto status = renamed("embeddings.word_embeddings", "embeddings.word_embeddinks");
    ASSERT_FALSE(status);
    EXPECT_EQ(status.error().code, kUnsupported);
    EXPECT_THAT(status.error().message, HasSubstr("has no place in a plain bert"));
    status = renamed("encoder.layer.0.attention.self.key.bias",
                     "encoder.layer.1.attention.self.key.bias");
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("appears twice"));
    status = renamed("encoder.layer.0.output.dense.bias", "encoder.layer.x.output.dense.bias");
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("has no place"));
    // Rows without a byte, more than can be walked.
    Pieces rows = Pieces::of("llama3");
    formats::SafetensorsBytes empty;
    empty.header = R"({"model.layers.0.self_attn.q_proj.weight":)"
                   R"({"dtype":"F32","shape":[144115188075855872,0],"data_offsets":[0,0]}})";
    empty.data.clear();
    rows.weights = empty.build();
    const std::string endless = rows.bytes();
    status = exercise_checkpoint(formats::as_span(endless));
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("no embedding of tokens"));
    // Not what an encoder needs: a name as bad as gone.
    status = renamed("embeddings.word_embeddings.weight", "cls.dings.word_embeddings.weight2");
    ASSERT_FALSE(status);
    EXPECT_THAT(status.error().message, HasSubstr("no embedding of tokens"));
}

TEST(BrokenCheckpoint, Directories) {
    const auto code_of = [](const std::string& path) {
        const auto file = open_model_file(path);
        return file ? ErrorCode::internal : file.error().code;
    };
    EXPECT_EQ(code_of(kGoldens), ErrorCode::not_found);
    EXPECT_EQ(code_of(kGoldens + "/bert/model.safetensors"), ErrorCode::invalid_argument);
    const fs::path directory = fs::path(testing::TempDir()) / "checkpoint_broken";
    const auto index = [&](const std::string& text) {
        fs::remove_all(directory);
        fs::copy(kGoldens + "/llama3", directory, fs::copy_options::recursive);
        if (!text.empty()) std::ofstream(directory / "model.safetensors.index.json") << text;
        return code_of(directory.string());
    };
    EXPECT_EQ(index(""), ErrorCode::internal);  // is good
    EXPECT_EQ(index("{}"), kCorrupt);
    EXPECT_EQ(index("{\"weight_map\": 1}"), kCorrupt);
    EXPECT_EQ(index("{\"weight_map\": {\"x\": 1}}"), kCorrupt);
    EXPECT_EQ(index("{\"weight_map\": {\"x\": \"../x.safetensors\"}}"), kCorrupt);
    EXPECT_EQ(index("{\"weight_map\": {\"x\": \"/dev/null\"}}"), kCorrupt);
    EXPECT_EQ(index("{\"weight_map\": {\"x\": \"\"}}"), kCorrupt);
    EXPECT_EQ(index("{\"weight_map\": {\"x\": \"gone.safetensors\"}}"), ErrorCode::not_found);
    EXPECT_EQ(index("{\"weight_map\": {\"x\": \"model-00002-of-00004.safetensors\"}}"), kCorrupt);
    for (const char* name : {"config.json", "tokenizer.json"}) {
        index("");
        fs::remove(directory / name);
        EXPECT_EQ(code_of(directory.string()), ErrorCode::not_found) << name;
    }
    fs::remove_all(directory);
}

TEST(CheckpointCorpus, EveryFileIsHandled) {
    const base::CorpusCounts counts = base::run_corpus(kCorpus, [](std::string_view bytes) {
        return exercise_checkpoint(std::as_bytes(std::span(bytes))).has_value();
    });
    EXPECT_GE(counts.files, 3u);
    EXPECT_GE(counts.accepted, 1u);
}

// The smallest encoder there is, so that a fuzzer has few bytes to spend on weights.
std::string smallest_weights() {
    std::vector<std::pair<std::string, std::vector<int>>> tensors = {
        {"embeddings.word_embeddings.weight", {7, 16}},
        {"embeddings.position_embeddings.weight", {8, 16}},
        {"embeddings.LayerNorm.weight", {16}},
        {"embeddings.LayerNorm.bias", {16}}};
    const std::string layer = "encoder.layer.0.";
    for (const auto& [name, rows, columns] : {std::tuple("attention.self.query", 16, 16),
                                              {"attention.self.key", 16, 16},
                                              {"attention.self.value", 16, 16},
                                              {"attention.output.dense", 16, 16},
                                              {"intermediate.dense", 2, 16},
                                              {"output.dense", 16, 2}}) {
        tensors.push_back({layer + name + ".weight", {rows, columns}});
        tensors.push_back({layer + name + ".bias", {rows}});
    }
    for (const char* name : {"attention.output.LayerNorm", "output.LayerNorm"}) {
        tensors.push_back({layer + name + ".gamma", {16}});
        tensors.push_back({layer + name + ".beta", {16}});
    }
    formats::SafetensorsBytes out;
    base::Json header;
    int at = 0;
    for (const auto& [name, shape] : tensors) {
        const int bytes = 2 * shape[0] * (shape.size() > 1 ? shape[1] : 1);
        header[name] = {{"dtype", "BF16"}, {"shape", shape}, {"data_offsets", {at, at + bytes}}};
        at += bytes;
    }
    out.header = header.dump();
    out.data = std::string(static_cast<size_t>(at), '\1');
    return out.build();
}

Pieces smallest() {
    Pieces out = Pieces::of("bert");
    for (const auto& [from, to] :
         {std::pair("\"hidden_size\": 32", "\"hidden_size\": 16"),
          {"\"intermediate_size\": 64", "\"intermediate_size\": 2"},
          {"\"max_position_embeddings\": 128", "\"max_position_embeddings\": 8"},
          {"\"num_attention_heads\": 2", "\"num_attention_heads\": 1"},
          {"\"num_hidden_layers\": 2", "\"num_hidden_layers\": 1"}}) {
        out.with("config.json", from, to);
    }
    out.texts["tokenizer.json"] = out.texts["tokenizer_config.json"] = "";
    out.texts["vocab.txt"] = "[PAD]\n[UNK]\n[CLS]\n[SEP]\nthe\n##e\nx\n";
    out.weights = smallest_weights();
    return out;
}

TEST(Checkpoint, EarlyNamesOfNormsAndBf16AreRead) {
    const std::string bytes = smallest().bytes();
    const auto file = parse_checkpoint(formats::as_span(bytes));
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->tensor("blk.0.attn_q.weight")->dtype, tensor::DType::bf16);
    EXPECT_EQ(file->tensor("blk.0.attn_output_norm.bias")->dtype, tensor::DType::f32);
    const auto status = use_model_file(*file);
    EXPECT_TRUE(status) << status.error().message;
}

TEST(CheckpointCorpus, DISABLED_WriteSeeds) {
    fs::create_directories(kCorpus);
    Pieces whole = Pieces::of("bert");
    Pieces byte_pairs = Pieces::of("qwen2");
    // Whole tokenizers with weights that end the work soon.
    whole.weights = byte_pairs.weights = smallest_weights();
    const std::pair<const char*, std::string> seeds[] = {{"seed_smallest", smallest().bytes()},
                                                         {"seed_bert", whole.bytes()},
                                                         {"seed_qwen2", byte_pairs.bytes()}};
    for (const auto& [name, bytes] : seeds) {
        std::ofstream(kCorpus / name, std::ios::binary) << bytes;
    }
}

}  // namespace
}  // namespace hone::models
