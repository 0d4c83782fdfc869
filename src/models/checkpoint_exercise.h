// What a test does with bytes that claim to be a checkpoint: make a model file of them and go as
// far as a caller could. Shared by the fuzzer, its corpus test and the tests; not for production
// code.
//
// The bytes are the small files, each ended by a NUL, in the order of kCheckpointTexts; an empty
// one is not there. What follows is the safetensors file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "models/architecture.h"
#include "models/checkpoint.h"
#include "models/gguf_vocabulary.h"
#include "text/tokenizer.h"

namespace hone::models {

inline constexpr std::string_view kCheckpointTexts[] = {
    "config.json",  "tokenizer.json", "tokenizer_config.json", "vocab.txt",
    "modules.json", "1/config.json",  "chat_template.jinja"};

inline base::Result<formats::GgufFile> parse_checkpoint(std::span<const std::byte> bytes) {
    std::vector<std::string> texts;
    size_t at = 0;
    for (size_t i = 0; i < std::size(kCheckpointTexts); ++i) {
        const size_t begin = at;
        while (at < bytes.size() && bytes[at] != std::byte{0}) ++at;
        texts.emplace_back(reinterpret_cast<const char*>(bytes.data()) + begin, at - begin);
        if (at < bytes.size()) ++at;
    }
    const ReadText read = [&](const std::string& name) -> base::Result<std::string> {
        for (size_t i = 0; i < texts.size(); ++i) {
            if (kCheckpointTexts[i] == name && !texts[i].empty()) return texts[i];
        }
        return base::fail(base::ErrorCode::not_found, "{}: no such file", name);
    };
    HONE_TRY(auto weights, formats::SafetensorsFile::parse(bytes.subspan(at), "weights"));
    std::vector<formats::SafetensorsFile> files;
    files.push_back(std::move(weights));
    return make_checkpoint("dir", read, std::move(files));
}

// What opening a model asks of its file.
inline base::Status use_model_file(const formats::GgufFile& file) {
    HONE_TRY(const auto name, file.get_string("general.architecture"));
    HONE_TRY(const Architecture* architecture, find_architecture(name));
    HONE_TRY(const ModelConfig config, architecture->read_config(file));
    HONE_TRY_STATUS(check_tensors(file, config, architecture->tensors(config)));
    HONE_TRY(auto data, read_vocabulary(file));
    HONE_TRY(const auto tokenizer, text::Tokenizer::create(std::move(data)));
    tokenizer.encode("The quick brown fox, 12 it's\n");
    return {};
}

// Answers what went wrong, if anything.
inline base::Status exercise_checkpoint(std::span<const std::byte> bytes) {
    HONE_TRY(const auto file, parse_checkpoint(bytes));
    return use_model_file(file);
}

}  // namespace hone::models
