#include <cstdio>
#include <memory>

#include "base/json.h"
#include "cli/command.h"
#include "cli/input.h"
#include "models/model.h"
#include "runtime/session.h"

namespace hone::cli {
namespace {

struct TokenizeOptions {
    std::string model;
    bool special = false;
};

base::Status run_tokenize(const TokenizeOptions& options, const CommandContext&) {
    HONE_TRY(const auto model, models::Model::open(options.model));
    HONE_TRY(const auto tokenizer, runtime::open_tokenizer(*model));
    HONE_TRY(const std::string input, read_standard_input(text::Tokenizer::kTextBytesMax));
    text::EncodeOptions encode;
    encode.parse_special = options.special;
    return print(base::dump_json(base::Json(tokenizer.encode(input, encode)), -1) + "\n");
}

}  // namespace

Action add_tokenize(Command program) {
    auto command = program.add_command("tokenize", "Token ids of standard input, as a JSON array");
    auto options = std::make_shared<TokenizeOptions>();
    command.add_option("model", options->model, "Model file or directory").required();
    command.add_flag("--special", options->special, "Texts of special tokens become those tokens");
    return [options](const CommandContext& context) { return run_tokenize(*options, context); };
}

}  // namespace hone::cli
