// Tokenizes texts with the vocabulary of a GGUF file, which may hold no tensors at all.
//
// A development tool (docs/tokenizers.md), not a test. Usage: vocabulary_ids FILE, with a JSON list
// of texts as hexadecimal bytes on standard input; "special", "frame" as further arguments parse
// special tokens and add those that frame a text. Prints a list of lists of ids.
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>

#include "base/json.h"
#include "models/gguf_vocabulary.h"
#include "text/tokenizer.h"

namespace {

using namespace hone;
using base::Json;

std::string bytes_of(const std::string& hex) {
    std::string out;
    for (size_t i = 0; i + 1 < hex.size(); i += 2) {
        out.push_back(static_cast<char>(std::stoi(hex.substr(i, 2), nullptr, 16)));
    }
    return out;
}

base::Status run(const std::string& path, const text::EncodeOptions& options) {
    HONE_TRY(const auto file, formats::GgufFile::open(path));
    HONE_TRY(auto data, models::read_vocabulary(file));
    HONE_TRY(const auto tokenizer, text::Tokenizer::create(std::move(data)));
    const std::string input{std::istreambuf_iterator<char>(std::cin), {}};
    HONE_TRY(const auto texts, base::parse_json(input));
    Json out = Json::array();
    for (const Json& text : texts) {
        out.push_back(tokenizer.encode(bytes_of(text.get<std::string>()), options));
    }
    std::cout << base::dump_json(out, -1) << "\n";
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    text::EncodeOptions options{.parse_special = false, .add_bos = false};
    for (int i = 2; i < argc; ++i) {
        options.parse_special = options.parse_special || std::string_view(argv[i]) == "special";
        options.add_bos = options.add_bos || std::string_view(argv[i]) == "frame";
    }
    const auto done = run(argc > 1 ? argv[1] : "", options);
    if (!done) std::fprintf(stderr, "%s\n", done.error().message.c_str());
    return done ? 0 : 1;
}
