#include "models/checkpoint.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <filesystem>
#include <optional>
#include <set>

#include "base/json.h"
#include "base/json_members.h"
#include "base/text.h"
#include "formats/gguf_assembly.h"
#include "models/checkpoint_family.h"
#include "models/checkpoint_vocabulary.h"
#include "models/hyperparameters.h"
#include "tensor/codec.h"

namespace hone::models {
namespace {

using base::ErrorCode;
using base::fail;
using base::Status;
using formats::AssembledTensor;
using formats::GgufFile;
using formats::SafetensorsFile;
using formats::SafetensorsTensor;

// A tokenizer of 262,144 tokens takes some 33 MB.
constexpr size_t kTextBytesMax = 256u << 20;
constexpr base::JsonLimits kSettingsLimits = {1u << 20, 16, 4096};
// An index has a key for each tensor, which are not counted.
constexpr base::JsonLimits kIndexLimits = {32u << 20, 4, 64};
constexpr size_t kFilesMax = 1024;
constexpr const char* kWeights = "model.safetensors";
constexpr const char* kIndex = "model.safetensors.index.json";

// A name of a file that lies in the directory itself: it comes from another file.
bool is_plain_name(std::string_view name) {
    return !name.empty() && name.size() <= 255 && name.front() != '.' &&
           name.find_first_of(std::string_view("/\\\0", 3)) == std::string_view::npos;
}

// Rows of each head from (first halves, second halves) to pairs.
std::vector<std::byte> adjacent_pairs(const SafetensorsTensor& tensor, uint64_t heads) {
    std::vector<std::byte> out(tensor.bytes.size());
    const uint64_t rows = tensor.shape[0];
    const uint64_t half = rows / heads / 2;
    const size_t row_bytes = out.size() / rows;
    for (uint64_t row = 0; row < rows; ++row) {
        const uint64_t head = row / (2 * half);
        const uint64_t at = row % (2 * half);
        const uint64_t from = head * 2 * half + at % 2 * half + at / 2;
        std::memcpy(out.data() + row * row_bytes, tensor.bytes.data() + from * row_bytes,
                    row_bytes);
    }
    return out;
}

// The bytes of a tensor that cannot stay as they are stored.
Status convert(const SafetensorsTensor& stored, const TensorPlace& place, AssembledTensor& out) {
    // Refused by name when it is used, or for its shape.
    if (!stored.dtype || stored.bytes.empty()) return {};
    if (place.pair_heads > 0) {
        if (stored.shape.empty() || stored.shape[0] == 0 ||
            stored.shape[0] % (uint64_t{2} * place.pair_heads) != 0) {
            return fail(ErrorCode::corrupt, "tensor '{}': its rows are not those of {} heads",
                        base::printable(stored.name), place.pair_heads);
        }
        out.own = adjacent_pairs(stored, place.pair_heads);
        out.own_dtype = *stored.dtype;
    }
    // What is added or multiplied row by row: norms, biases, and the vectors of segments.
    const bool added = stored.shape.size() == 1 || place.name == "token_types.weight";
    if (added && *stored.dtype != tensor::DType::f32) {
        const std::span<const std::byte> bytes = out.own.empty() ? stored.bytes : out.own;
        const size_t count = bytes.size() / tensor::block_bytes(*stored.dtype);
        std::vector<std::byte> wide(count * sizeof(float));
        tensor::dequantize(*stored.dtype, bytes.data(), count,
                           reinterpret_cast<float*>(wide.data()));
        out.own = std::move(wide);
        out.own_dtype = tensor::DType::f32;
    }
    if (out.own.empty()) return {};  // stays where it is
    out.own_dims.assign(stored.shape.rbegin(), stored.shape.rend());
    out.stored = nullptr;
    return {};
}

base::Result<std::vector<AssembledTensor>> place_tensors(
    const CheckpointFamily& family, const CheckpointJson& config,
    const std::vector<SafetensorsFile>& weights) {
    std::vector<AssembledTensor> out;
    for (uint32_t file = 0; file < weights.size(); ++file) {
        for (const SafetensorsTensor& stored : weights[file].tensors()) {
            auto place = family.place(config, stored.name);
            if (!place) {
                return fail(ErrorCode::unsupported, "tensor '{}' has no place in a plain {}",
                            base::printable(stored.name), family.model_type);
            }
            if (place->name.empty()) continue;
            AssembledTensor tensor{.name = place->name, .file = file, .stored = &stored};
            HONE_TRY_STATUS(convert(stored, *place, tensor));
            out.push_back(std::move(tensor));
        }
    }
    HONE_TRY_STATUS(family.add_tensors(config, out));
    return out;
}

// Rows of the embedding.
base::Result<uint64_t> vocabulary_rows(const std::vector<AssembledTensor>& tensors) {
    for (const AssembledTensor& tensor : tensors) {
        if (tensor.name != "token_embd.weight" || tensor.stored == nullptr) continue;
        const std::vector<uint64_t>& shape = tensor.stored->shape;
        if (shape.size() == 2 && shape[0] <= kVocabMax && shape[1] > 0) return shape[0];
    }
    return fail(ErrorCode::corrupt, "no embedding of tokens, or one of another shape");
}

// GGUF's number of the pooling that the settings of sentence-transformers name.
base::Result<uint32_t> pooling_number(const CheckpointJson& settings) {
    constexpr const char* kOthers[] = {"pooling_mode_max_tokens",
                                       "pooling_mode_mean_sqrt_len_tokens",
                                       "pooling_mode_weightedmean_tokens"};
    for (const char* other : kOthers) HONE_TRY_STATUS(settings.expect_flag(other, false));
    HONE_TRY_STATUS(settings.expect("pooling_mode", "mean cls lasttoken"));
    const auto chosen = [&](const char* flag, const char* name) {
        return settings.get_bool_or(flag, settings.is("pooling_mode", name));
    };
    HONE_TRY(const bool mean, chosen("pooling_mode_mean_tokens", "mean"));
    HONE_TRY(const bool cls, chosen("pooling_mode_cls_token", "cls"));
    HONE_TRY(const bool last, chosen("pooling_mode_lasttoken", "lasttoken"));
    if (mean + cls + last != 1) {
        return fail(ErrorCode::unsupported, "{}: not one pooling of mean, cls and last token",
                    settings.where());
    }
    return mean ? 1 : cls ? 2 : 3;
}

// modules.json lists what sentence-transformers does to the tokens' values, one after the other.
Status write_pooling(const ReadText& read, formats::GgufWriter& out) {
    HONE_TRY(const auto text, read_if_there(read, "modules.json"));
    if (!text) return {};
    HONE_TRY(const base::Json modules, parse_file("modules.json", *text, kSettingsLimits));
    if (!modules.is_array()) return fail(ErrorCode::corrupt, "modules.json: not a list");
    std::optional<uint32_t> pooling;
    for (const base::Json& item : modules) {
        const CheckpointJson module(item, "modules.json");
        HONE_TRY(const std::string type, module.get_string("type"));
        const std::string kind = type.substr(type.rfind('.') + 1);
        if (kind == "Transformer" || kind == "Normalize") continue;
        if (kind != "Pooling") {
            return fail(ErrorCode::unsupported, "modules.json: '{}' is not supported",
                        base::printable(type));
        }
        HONE_TRY(const std::string path, module.get_string("path"));
        if (!is_plain_name(path)) {
            return fail(ErrorCode::corrupt, "modules.json: '{}' is not a folder beside it",
                        base::printable(path));
        }
        const std::string name = path + "/config.json";
        HONE_TRY(const std::string settings, read(name));
        HONE_TRY(const base::Json json, parse_file(name, settings, kSettingsLimits));
        HONE_TRY(const uint32_t number, pooling_number(CheckpointJson(json, name)));
        if (pooling) return fail(ErrorCode::unsupported, "modules.json: two poolings");
        pooling = number;
    }
    if (pooling) out.add_u32("bert.pooling_type", *pooling);
    return {};
}

base::Result<GgufFile> assemble(const std::string& name, const ReadText& read,
                                std::vector<SafetensorsFile> weights) {
    HONE_TRY(const std::string text, read("config.json"));
    HONE_TRY(const base::Json json, parse_file("config.json", text, kSettingsLimits));
    const CheckpointJson config(json, "config.json");
    HONE_TRY(const CheckpointFamily* family, find_checkpoint_family(config));
    formats::GgufWriter head;
    head.add_string("general.architecture", family->architecture);
    head.add_string("general.name", display_name(name));
    HONE_TRY_STATUS(family->write_keys(*family, config, head));
    HONE_TRY(auto tensors, place_tensors(*family, config, weights));
    HONE_TRY(const uint64_t rows, vocabulary_rows(tensors));
    if (family->encoder) {
        HONE_TRY_STATUS(write_pooling(read, head));
        HONE_TRY_STATUS(write_word_pieces(read, rows, head));
    } else {
        HONE_TRY_STATUS(write_byte_pairs(read, config, rows, head));
    }
    return formats::GgufAssembly::make(name, head, std::move(weights), std::move(tensors));
}

// The files that an index names, each once.
base::Result<std::set<std::string>> indexed_files(const std::string& text) {
    std::set<std::string> names;
    Status status;
    constexpr std::array<std::string_view, 1> kMap = {"weight_map"};
    const auto take = [&](std::string_view, const base::Json& value) {
        const std::string file = value.is_string() ? value.get<std::string>() : "";
        if (!status) return;
        if (!is_plain_name(file)) {
            status = fail(ErrorCode::corrupt, "{}: '{}' is not a file beside it", kIndex,
                          base::printable(file));
        } else if (names.insert(file); names.size() > kFilesMax) {
            status = fail(ErrorCode::exhausted, "{}: more than {} files", kIndex, kFilesMax);
        }
    };
    const auto index = base::parse_json_members(text, kIndexLimits, kMap, take);
    if (!index) return tl::unexpected(index.error().within(kIndex));
    HONE_TRY_STATUS(std::move(status));
    if (names.empty()) return fail(ErrorCode::corrupt, "{}: has no weight_map", kIndex);
    return names;
}

}  // namespace

base::Result<GgufFile> make_checkpoint(const std::string& name, const ReadText& read,
                                       std::vector<SafetensorsFile> weights) {
    auto file = assemble(name, read, std::move(weights));
    if (!file && !file.error().message.starts_with(name)) {
        return tl::unexpected(file.error().within(name));
    }
    return file;
}

base::Result<GgufFile> open_checkpoint(const std::string& directory) {
    const auto path_of = [&](const std::string& name) {
        return (std::filesystem::path(directory) / name).string();
    };
    const ReadText read = [&](const std::string& name) {
        return base::read_file(path_of(name), kTextBytesMax);
    };
    std::set<std::string> names = {kWeights};
    std::error_code ignored;
    if (!std::filesystem::exists(path_of(kWeights), ignored)) {
        HONE_TRY(const auto index, read_if_there(read, kIndex));
        if (!index) {
            return fail(ErrorCode::not_found, "{}: a directory without {} or {}", directory,
                        kWeights, kIndex);
        }
        auto found = indexed_files(*index);
        if (!found) return tl::unexpected(found.error().within(directory));
        names = std::move(*found);
    }
    std::vector<SafetensorsFile> weights;
    for (const std::string& name : names) {
        HONE_TRY(auto file, SafetensorsFile::open(path_of(name)));
        weights.push_back(std::move(file));
    }
    return make_checkpoint(directory, read, std::move(weights));
}

base::Result<GgufFile> open_model_file(const std::string& path) {
    std::error_code ignored;
    if (std::filesystem::is_directory(path, ignored)) return open_checkpoint(path);
    if (path.ends_with(".safetensors")) {
        return fail(ErrorCode::invalid_argument,
                    "{}: weights alone; open the directory that has them and config.json", path);
    }
    return GgufFile::open(path);
}

std::string display_name(const std::string& path) {
    const std::filesystem::path whole(path);
    return (whole.has_filename() ? whole : whole.parent_path()).filename().string();
}

}  // namespace hone::models
