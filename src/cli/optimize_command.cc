#include <fmt/format.h>

#include <ctime>
#include <filesystem>
#include <memory>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/ledger_options.h"
#include "cli/progress.h"
#include "cli/session_options.h"
#include "diagnose/scenario.h"
#include "diagnose/slo.h"
#include "ledger/loop_lock.h"
#include "report/optimize_report.h"
#include "tune/config_file.h"
#include "tune/optimizer.h"
#include "tune/recipe.h"

namespace hone::cli {
namespace {

struct OptimizeOptions {
    std::string model;
    std::string recipe;  // of `hone apply`
    SessionOptions session;
    std::string scenario = "realtime";
    std::string slo;
    std::string gate;
    std::string budget = "8m";
    double floor_percent = measure::kEffectFloorPercent;
    std::vector<std::string> kinds_to_try;
    std::string prompts;
    std::string text_file;
    uint64_t seed = 1;
    report::Economy economy;
    bool no_learning = false;
    std::string output;
    std::string ledger;
    bool resume = false;
    bool json = false;
};

// A kind that no action has would be waited for in vain.
base::Status check_kinds(const std::vector<std::string>& kinds) {
    for (const std::string& kind : kinds) {
        if (kind == "all" || tune::is_action_kind(kind)) continue;
        return base::fail(
            base::ErrorCode::invalid_argument,
            "--try '{}': no kind of change; a kind is what stands before the colon in "
            "threads:2, kv:q8, weights:Q4_0, ...; or all",
            base::printable(kind));
    }
    return {};
}

// Everything of the request that can be wrong without looking at the model.
base::Result<tune::OptimizeOptions> request_of(const OptimizeOptions& options) {
    tune::OptimizeOptions request;
    std::string scenario = options.scenario;
    std::string gate = options.gate;
    if (!options.recipe.empty()) {
        HONE_TRY(const std::string text, base::read_file(options.recipe, tune::kRecipeBytesMax));
        auto recipe = tune::parse_recipe(text);
        if (!recipe) return tl::unexpected<base::Error>(recipe.error().within(options.recipe));
        if (recipe->actions.empty()) {
            return base::fail(base::ErrorCode::invalid_argument, "{}: the recipe has no steps",
                              options.recipe);
        }
        request.recipe = std::move(recipe->actions);
        scenario = recipe->scenario;
        if (gate.empty()) gate = recipe->gate;
    }
    HONE_TRY(request.work.scenario, diagnose::find_scenario(scenario));
    HONE_TRY_STATUS(diagnose::parse_slo(options.slo));
    HONE_TRY(request.gate, tune::parse_gate(gate.empty() ? tune::kGateDefault : gate));
    HONE_TRY(request.budget_s, parse_duration_s(options.budget));
    HONE_TRY(request.work.prompts, read_prompts(options.prompts));
    if (!options.text_file.empty()) {
        HONE_TRY(request.work.text, base::read_file(options.text_file, kQualityTextBytesMax));
        request.work.text_name = file_name(options.text_file);
        if (request.work.text.empty()) {
            return base::fail(base::ErrorCode::invalid_argument, "{}: empty", options.text_file);
        }
    }
    HONE_TRY_STATUS(check_kinds(options.kinds_to_try));
    HONE_TRY_STATUS(base::Status(options.session.config));
    request.model = options.model;
    request.work.seed = options.seed;
    request.slo = options.slo;
    request.start = options.session;
    request.floor_percent = options.floor_percent;
    request.kinds_to_try = options.kinds_to_try;
    request.price_per_hour = options.economy.price_per_hour;
    request.learning = !options.no_learning;
    return request;
}

// The weights that were kept, where they are not the model's own: model.gguf. Without space wasted
// where the file system can name one file twice.
base::Result<bool> write_weights(const tune::Settings& best, const OptimizeOptions& options,
                                 const CommandContext& context) {
    HONE_TRY(const auto made, model_file(options.model, best, context));
    if (made == options.model) return false;
    const std::string path = options.output + "/model.gguf";
    const std::string partial = path + ".partial";
    std::error_code error;
    std::filesystem::remove(partial, error);
    std::filesystem::create_hard_link(made, partial, error);
    if (error) std::filesystem::copy_file(made, partial, error);
    if (!error) std::filesystem::rename(partial, path, error);
    if (error) return base::fail(base::ErrorCode::unavailable, "{}: {}", path, error.message());
    return true;
}

// hone.toml, recipe.json, report.html, model.gguf; each is whole or as it was before.
base::Status write_results(const ledger::Run& run, const tune::OptimizeOptions& request,
                           const OptimizeOptions& options, const CommandContext& context) {
    if (options.output.empty()) return {};
    const report::Style& style = context.terminal.style;
    HONE_TRY(const tune::Settings best, tune::changed(tune::Settings(), run.best));
    HONE_TRY(const bool own_weights, write_weights(best, options, context));
    const std::string head = fmt::format(
        "Found by hone optimize: {}, scenario {}, run {} of the ledger.\n"
        "hone run {} --config hone.toml",
        base::printable(run.subject.model), run.subject.scenario, run.id,
        own_weights ? "model.gguf" : "MODEL");
    HONE_TRY_STATUS(base::write_file(options.output + "/hone.toml", tune::config_text(best, head)));
    HONE_TRY_STATUS(base::write_file(options.output + "/recipe.json",
                                     tune::recipe_text(run, request.gate.text())));
    return base::write_file(options.output + "/report.html",
                            report::optimization_page(run, options.economy, style));
}

// Minutes before anything could be written there, not after them.
base::Status prepare_output(const OptimizeOptions& options) {
    if (options.output.empty()) return {};
    std::error_code error;
    std::filesystem::create_directories(options.output, error);
    if (error) {
        return base::fail(base::ErrorCode::unavailable, "{}: {}", options.output, error.message());
    }
    const std::string probe = options.output + "/.hone-writable";
    HONE_TRY_STATUS(base::write_file(probe, std::string(4096, ' ')));
    std::filesystem::remove(probe, error);
    return {};
}

base::Result<std::optional<ledger::Run>> left_run(const OptimizeOptions& options,
                                                  tune::OptimizeOptions& request,
                                                  const tune::OptimizeSetting& setting) {
    if (!options.resume) return std::optional<ledger::Run>();
    HONE_TRY(const auto subject, tune::subject_of(request, setting));
    HONE_TRY(auto left, setting.ledger.resumable(subject));
    if (!left) {
        return base::fail(base::ErrorCode::not_found,
                          "no unfinished optimization of {} in scenario '{}' to go on with",
                          subject.model, subject.scenario);
    }
    HONE_TRY_STATUS(tune::restore_request(left->request, request));
    return left;
}

base::Status finish(const ledger::Run& run, const tune::OptimizeOptions& request,
                    const OptimizeOptions& options, const CommandContext& context) {
    const report::Style& style = context.terminal.style;
    // First what cannot fail: the minutes are spent.
    HONE_TRY_STATUS(show(report::optimization_json(run, options.economy, style),
                         report::render_optimization(run, options.economy, style), options.json));
    HONE_TRY_STATUS(write_results(run, request, options, context));
    if (run.status == ledger::RunStatus::cancelled) {
        return base::fail(base::ErrorCode::cancelled, "stopped on request; go on with --resume");
    }
    if (tune::slo_missed(run)) {
        fmt::print(stderr, "hone: the SLO is not met: {}\n", request.slo);
        context.exit_code = kExitRegressed;
    }
    return {};
}

base::Status run_optimize(const OptimizeOptions& options, const CommandContext& context) {
    HONE_TRY(tune::OptimizeOptions request, request_of(options));
    HONE_TRY_STATUS(prepare_output(options));
    HONE_TRY(const std::string path, ledger_path(options.ledger, context));
    HONE_TRY(auto ledger, ledger::Ledger::open(path, ledger::Access::read_write));
    HONE_TRY(const auto lock, ledger::LoopLock::acquire(path + ".lock"));
    HONE_TRY(const auto machine, load_profile(context, false));
    Progress progress(context.terminal.stderr_tty, context.clock);
    std::string current;  // the action that is tested
    const int64_t begin_ns = context.clock.now_ns();
    const probe::Conduct conduct{
        [&](std::string_view what, double) {
            const double spent_s = static_cast<double>(context.clock.now_ns() - begin_ns) * 1e-9;
            progress.show(
                current.empty() ? std::string(what) : fmt::format("{}: {}", current, what),
                spent_s / request.budget_s);
        },
        &context.cancelled};
    // On a terminal each trial is told as it is settled: minutes pass before the report.
    const auto told = [&](const ledger::Trial& trial) {
        const bool begins = trial.status == ledger::TrialStatus::promised;
        current = begins ? trial.action : "";
        if (begins || !context.terminal.stderr_tty) return;
        progress.clear();
        fmt::print(stderr, "{}\n", report::trial_line(trial, context.terminal.style));
    };
    const tune::OptimizeSetting setting{context.clock,
                                        machine,
                                        ledger,
                                        std::time(nullptr),
                                        build_text(),
                                        context.arguments,
                                        context.terminal.cache_folder("weights"),
                                        told};
    HONE_TRY(auto left, left_run(options, request, setting));
    HONE_TRY(const auto run, tune::optimize(request, setting, std::move(left), conduct));
    progress.clear();
    return finish(run, request, options, context);
}

void add_common_options(Command command, OptimizeOptions& options) {
    command.add_option("--slo", options.slo,
                       "Limits, e.g. 'ttft_p95<200ms'; exit code 1 if missed");
    command.add_option("--gate", options.gate,
                       "What quality may cost, against the start: ppl:+2%, kl:0.05 (default: "
                       "ppl:+1%)");
    command.add_option("--budget", options.budget, "Time for everything, e.g. 90s or 8m")
        .show_default();
    command.add_option("--floor", options.floor_percent, "Percent of change that counts")
        .in_range(0.0, 100.0)
        .show_default();
    command.add_option("--prompts", options.prompts,
                       "Requests of your own, as in explain; every other one is held out");
    command.add_option("--text", options.text_file, "Judge quality on this text, half held out");
    command.add_option("--seed", options.seed, "Seed of the requests and of the order of pairs")
        .show_default();
    command.add_flag("--no-learning", options.no_learning,
                     "Predict from the model and machine alone, not from earlier results too");
    add_price_option(command, options.economy.price_per_hour);
    command
        .add_option("--load", options.economy.tokens_per_month,
                    "Output tokens per month, for the saving; e.g. 50M")
        .metric_suffix()
        .in_range(1.0, 1e15);
    command.add_option(
        "-o,--output", options.output,
        "Folder for hone.toml, recipe.json, report.html and, with new weights, model.gguf");
    command.add_flag("--resume", options.resume,
                     "Go on with the unfinished optimization of this model and scenario");
    add_ledger_option(command, options.ledger);
    command.add_flag("--json", options.json, "Print JSON");
}

}  // namespace

Action add_optimize(Command program) {
    auto command = program.add_command(
        "optimize", "Predict, apply and measure changes; keep what pays, undo the rest");
    auto options = std::make_shared<OptimizeOptions>();
    command.add_option("model", options->model, "Model file").required();
    command.add_option("--scenario", options->scenario, "realtime, batch or generative")
        .show_default();
    add_session_options(command, options->session);
    command
        .add_option("--context", options->session.context, "Positions of a sequence to start with")
        .in_range(1u, tune::kContextMax);
    command
        .add_option("--try", options->kinds_to_try,
                    "Kinds of change to try whatever is expected of them, e.g. kv,threads; or "
                    "all")
        .comma_separated();
    add_common_options(command, *options);
    return [options](const CommandContext& context) { return run_optimize(*options, context); };
}

Action add_apply(Command program) {
    auto command = program.add_command(
        "apply", "Try the changes of a recipe here: measured afresh, kept where they pay");
    auto options = std::make_shared<OptimizeOptions>();
    command.add_option("recipe", options->recipe, "recipe.json of hone optimize").required();
    command.add_option("model", options->model, "Model file").required();
    add_session_options(command, options->session);
    add_common_options(command, *options);
    return [options](const CommandContext& context) { return run_optimize(*options, context); };
}

}  // namespace hone::cli
