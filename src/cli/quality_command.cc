#include <algorithm>
#include <filesystem>
#include <memory>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/session_options.h"
#include "quality/scores.h"
#include "quality/text_scorer.h"
#include "report/messages.h"
#include "report/table.h"
#include "runtime/text_reader.h"

namespace hone::cli {
namespace {

struct Options {
    std::string model;
    std::string against;
    std::string text;
    std::vector<std::string> metrics;
    std::string window = "llama";
    quality::WindowOptions windows;
    SessionOptions session;
    bool json = false;
};

constexpr size_t kTextBytesMax = 256u << 20;

base::Result<std::unique_ptr<runtime::Session>> open(const std::string& model,
                                                     const SessionOptions& session, uint32_t window,
                                                     const CommandContext& context) {
    HONE_TRY(const auto load, load_options(session, runtime::reader_limits(window), context));
    return open_session(model, session, load, context);
}

base::Json scores_json(const std::vector<quality::Score>& scores) {
    base::Json out = base::Json::array();
    for (const quality::Score& score : scores) {
        base::Json interval = nullptr;
        if (score.ci95) interval = base::Json::array({score.ci95->low, score.ci95->high});
        out.push_back(
            {{"name", score.name}, {"value", score.value}, {"ci95", interval}, {"n", score.n}});
    }
    return out;
}

std::string scores_table(const std::vector<quality::Score>& scores, const report::Style& style) {
    report::Table table({{report::say(style, "head_metric")},
                         {report::say(style, "head_value"), true},
                         {report::say(style, "head_interval"), true},
                         {report::say(style, "head_n"), true}});
    for (const quality::Score& score : scores) {
        const std::string interval =
            score.ci95 ? fmt::format("[{:.6g}, {:.6g}]", score.ci95->low, score.ci95->high) : "-";
        table.add(
            {score.name, fmt::format("{:.6g}", score.value), interval, fmt::format("{}", score.n)});
    }
    return table.render(style.width);
}

base::Json signature_json(const Options& options, const runtime::Session& session, size_t tokens,
                          size_t windows) {
    base::Json signature = {{"text", std::filesystem::path(options.text).filename().string()},
                            {"text_tokens", tokens},
                            {"window", options.window},
                            {"context", options.windows.context},
                            {"windows", windows},
                            {"isa", machine::isa_name(*session.options().isa)},
                            {"kv", options.session.kv},
                            {"without", options.session.without},
                            {"build", build_text()}};
    if (!options.against.empty()) {
        signature["against"] = std::filesystem::path(options.against).filename().string();
    }
    return signature;
}

// Only what was asked for; a name that cannot be had here is an error.
base::Result<std::vector<quality::Score>> chosen(std::vector<quality::Score> scores,
                                                 const Options& options) {
    if (options.metrics.empty()) return scores;
    std::vector<quality::Score> out;
    for (const std::string& name : options.metrics) {
        const auto found = std::find_if(scores.begin(), scores.end(),
                                        [&](const auto& score) { return score.name == name; });
        if (found == scores.end()) {
            return base::fail(base::ErrorCode::invalid_argument,
                              "--metric {}: perplexity, and with --against BASE also "
                              "reference_perplexity, kl, top1_agreement",
                              base::printable(name));
        }
        out.push_back(*found);
    }
    return out;
}

base::Status run(Options& options, const CommandContext& context) {
    options.windows.window =
        options.window == "sliding" ? quality::Window::sliding : quality::Window::llama;
    const bool has_reference = !options.against.empty();
    // Wrong names are found before minutes are spent: the metrics of any window will do.
    const quality::ScoredWindow any{.n = 1};
    HONE_TRY_STATUS(chosen(quality::scores_of({&any, 1}, has_reference), options));
    HONE_TRY(const std::string text, base::read_file(options.text, kTextBytesMax));
    const uint32_t window = options.windows.context;
    HONE_TRY(const auto session, open(options.model, options.session, window, context));
    std::unique_ptr<runtime::Session> reference;
    if (has_reference) {
        // With the defaults: what flags do to the model is part of its quality.
        SessionOptions plain;
        plain.threads = options.session.threads;
        plain.pin = options.session.pin;
        HONE_TRY(reference, open(options.against, plain, window, context));
    }
    const std::vector<int32_t> tokens = session->tokenizer().encode(text);
    Progress progress(context.terminal.stderr_tty, context.clock);
    const auto go_on = [&](double share) {
        progress.show("scoring", share);
        return !context.cancelled.load();
    };
    HONE_TRY(const auto windows,
             quality::score_text(*session, reference.get(), tokens, options.windows, go_on));
    HONE_TRY(const auto scores, chosen(quality::scores_of(windows, has_reference), options));
    if (!options.json) return print(scores_table(scores, context.terminal.style));
    const base::Json json = {
        {"schema", 1},
        {"model", std::filesystem::path(options.model).filename().string()},
        {"signature", signature_json(options, *session, tokens.size(), windows.size())},
        {"metrics", scores_json(scores)}};
    return print(base::dump_json(json) + "\n");
}

}  // namespace

Action add_quality(CLI::App& app) {
    auto* command = app.add_subcommand("quality",
                                       "How well a model predicts a text, and how far it "
                                       "is from another one");
    auto options = std::make_shared<Options>();
    command->add_option("model", options->model, "Model file")->required();
    command->add_option("--text", options->text, "Text to predict, a file")->required();
    command->add_option(
        "--against", options->against,
        "Reference model, run with the defaults: adds its perplexity, KL divergence "
        "and top-1 agreement");
    command->add_option("--metric", options->metrics, "Only these (repeatable)");
    command
        ->add_option("--window", options->window,
                     "llama: side by side, second halves; sliding: every token once")
        ->check(CLI::IsMember({"llama", "sliding"}))
        ->capture_default_str();
    command->add_option("--context", options->windows.context, "Tokens of a window")
        ->check(CLI::Range(8u, 1u << 20))
        ->capture_default_str();
    command->add_option("--windows", options->windows.windows_max, "At most so many windows");
    add_session_options(*command, options->session);
    command->add_flag("--json", options->json, "Print JSON");
    return [options](const CommandContext& context) { return run(*options, context); };
}

}  // namespace hone::cli
