// What the commands `tokenize` and `run` do to a model file, without the rest of the program: the
// sanitized build needs neither the command line nor the reports to try broken files.
//
//   open_model tokenize MODEL     encodes a word
//   open_model run MODEL          generates one token
//
// Errors end with the line and the exit code that the program has for them.
#include <fmt/format.h>

#include <cstdio>
#include <string_view>

#include "base/clock.h"
#include "models/model.h"
#include "runtime/generation.h"
#include "runtime/session.h"

namespace {

using namespace hone;

base::Status tokenize(const std::string& path) {
    HONE_TRY(const auto model, models::Model::open(path));
    HONE_TRY(const auto tokenizer, runtime::open_tokenizer(*model));
    fmt::print("{} tokens\n", tokenizer.encode("x").size());
    return {};
}

base::Status run(const std::string& path) {
    const base::SteadyClock clock;
    HONE_TRY(const auto session, runtime::open_session(path, runtime::LoadOptions(), clock));
    runtime::TextGenerator generator(session->engine(), session->tokenizer(), clock);
    runtime::GenerationRequest request;
    request.prompt = "x";
    request.output_tokens_max = 1;
    HONE_TRY(const auto outcome, generator.generate(request));
    fmt::print("{}\n", outcome.text);
    return {};
}

}  // namespace

int main(int argc, char** argv) {
    const std::string_view command = argc > 2 ? argv[1] : "";
    if (command != "tokenize" && command != "run") {
        fmt::print(stderr, "usage: open_model tokenize|run MODEL\n");
        return 2;
    }
    const base::Status status = command == "run" ? run(argv[2]) : tokenize(argv[2]);
    if (status) return 0;
    fmt::print(stderr, "hone: {}\n", status.error().message);
    return base::exit_code(status.error().code);
}
