#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "cli/session_options.h"
#include "machine/facts.h"
#include "probe/ab.h"
#include "probe/forecast.h"
#include "report/comparison_report.h"
#include "runtime/text_reader.h"

namespace hone::cli {
namespace {

// What one side's FLAGS say.
struct Side {
    SessionOptions session;
    int batch = 1;
    int depth = 0;
    double delay_percent = 0;
};

struct AbOptions {
    std::string model;
    std::string model_b;
    std::string flags_a;
    std::string flags_b;
    probe::AbOptions ab;
    std::string text_file;
    bool no_quality = false;
    bool predict = false;
    std::optional<double> price;
    bool fail_on_regression = false;
    bool json = false;
};

// The flags of a side are those of every command with a model, and what ab adds.
base::Result<Side> parse_side(const char* name, const std::string& flags) {
    Side side;
    CommandLine line;
    Command command = line.root();
    add_session_options(command, side.session);
    command.add_option("--batch", side.batch, "Sequences side by side").in_range(1, 64);
    command.add_option("--depth", side.depth, "Tokens in the cache before decode steps")
        .in_range(0, 1 << 20);
    command.add_option("--delay", side.delay_percent, "Lengthen every step by this many percent")
        .in_range(0.0, 1000.0);
    if (const auto parsed = line.parse(flags); !parsed) {
        return base::fail(parsed.error().code, "{} '{}': {}", name, flags, parsed.error().message);
    }
    return side;
}

// `positions` of the longer side: equal rooms, and a profile of A may look as deep as B goes.
base::Result<std::unique_ptr<runtime::Session>> open_side(const char* name, const Side& side,
                                                          const std::string& model,
                                                          uint32_t positions,
                                                          const CommandContext& context) {
    runtime::EngineLimits limits;
    limits.sequences_max = static_cast<uint32_t>(side.batch);
    limits.context = positions + kPositionsSlack;
    limits.logit_rows = runtime::kReaderRows;  // for quality
    auto load = load_options(side.session, limits, context);
    if (!load) return tl::unexpected<base::Error>(load.error().within(name));
    auto session = open_session(model, side.session, *load, context);
    if (!session) return tl::unexpected<base::Error>(session.error().within(name));
    return std::move(*session);
}

base::Json signature_of(const runtime::Session& session, const std::string& flags, const Side& side,
                        const probe::AbOptions& ab) {
    const runtime::LoadOptions& load = session.options();
    return {{"model", file_name(session.model().path())},
            {"flags", std::string(base::trim(flags))},
            {"threads", load.threads},
            {"isa", machine::isa_name(*load.isa)},
            {"batch", side.batch},
            {"depth", side.depth},
            {"delay_percent", side.delay_percent},
            {"step_tokens", load.limits.step_tokens_max},
            {"prompt_tokens", ab.prompt_tokens},
            {"output_tokens", ab.output_tokens},
            {"shared_tokens", ab.shared_tokens},
            {"seed", ab.seed},
            {"warm", true},
            {"clock", "monotonic"},
            {"machine", machine::machine_fingerprint(machine::read_machine_facts())},
            {"build", build_text()}};
}

// What the cost room says of the change, before side B has run once.
base::Result<probe::Forecasts> predict(runtime::Session& a, const Side& side_a,
                                       const runtime::Session& b, const Side& side_b,
                                       const probe::AbOptions& ab, const CommandContext& context,
                                       const probe::Conduct& conduct) {
    HONE_TRY(const auto machine, load_profile(context, false));
    probe::ForecastOptions options;
    options.prompt_tokens = ab.prompt_tokens;
    options.output_tokens = ab.output_tokens;
    options.seed = ab.seed;
    probe::SideSettings from{a.options(), side_a.batch, side_a.depth};
    probe::SideSettings to{b.options(), side_b.batch, side_b.depth};
    if (side_a.session.weights != side_b.session.weights) {
        from.weight_format = probe::main_weight_format(a);
        to.weight_format = probe::main_weight_format(b);
        // Other mixtures of one format: which tensors differ is more than a forecast knows.
        if (from.weight_format == to.weight_format) {
            return base::fail(base::ErrorCode::unsupported,
                              "--predict: most weights of both sides are in the same format");
        }
    }
    return probe::forecast(a, from, to, machine, options, context.clock, conduct);
}

void add_predictions(const probe::Forecasts& forecasts, measure::Comparison& comparison) {
    for (measure::MetricComparison& metric : comparison.metrics) {
        for (const probe::Forecast& forecast : forecasts.metrics) {
            if (forecast.metric != metric.name) continue;
            metric.predicted = measure::PredictedChange{forecast.change_percent,
                                                        forecast.ci95,
                                                        cost::provenance_name(forecast.tier),
                                                        {},
                                                        {}};
        }
        for (const probe::Forecast& forecast : forecasts.simulated) {
            if (forecast.metric != metric.name || !metric.predicted) continue;
            metric.predicted->simulated_percent = forecast.change_percent;
            metric.predicted->simulated_ci95 = forecast.ci95;
        }
    }
}

base::Status finish(const measure::Comparison& comparison, const AbOptions& options,
                    const CommandContext& context) {
    if (options.json) {
        HONE_TRY_STATUS(print(base::dump_json(report::comparison_json(comparison)) + "\n"));
    } else {
        HONE_TRY_STATUS(print(report::render_comparison(comparison, context.terminal.style)));
    }
    if (comparison.ended == "cancelled") {
        return base::fail(base::ErrorCode::cancelled, "stopped on request");
    }
    if (options.fail_on_regression && comparison.regressed()) {
        fmt::print(stderr, "hone: regressed: {}\n", report::regressions_text(comparison));
        context.exit_code = kExitRegressed;
    }
    return {};
}

base::Status run_ab(AbOptions options, const CommandContext& context) {
    HONE_TRY(const Side side_a, parse_side("--a", options.flags_a));
    HONE_TRY(const Side side_b, parse_side("--b", options.flags_b));
    if (!options.text_file.empty()) {
        HONE_TRY(options.ab.text, base::read_file(options.text_file, kQualityTextBytesMax));
        options.ab.text_name = file_name(options.text_file);
        if (options.ab.text.empty()) {
            return base::fail(base::ErrorCode::invalid_argument, "{}: empty", options.text_file);
        }
    }
    if (options.no_quality) options.ab.quality_positions = 0;
    const std::string& model_b = options.model_b.empty() ? options.model : options.model_b;
    Progress progress(context.terminal.stderr_tty, context.clock);
    progress.show("opening A", 0);
    const uint32_t positions =
        probe::ab_positions(std::max(side_a.depth, side_b.depth), options.ab);
    HONE_TRY(const auto a, open_side("--a", side_a, options.model, positions, context));
    progress.show("opening B", 0);
    HONE_TRY(const auto b, open_side("--b", side_b, model_b, positions, context));
    const probe::Conduct conduct = progress.conduct(context.cancelled);
    probe::Forecasts forecasts;
    if (options.predict) {
        if (!options.model_b.empty() || side_a.delay_percent > 0 || side_b.delay_percent > 0) {
            return base::fail(base::ErrorCode::invalid_argument,
                              "--predict knows changes of settings, not of --model-b or --delay");
        }
        HONE_TRY(forecasts, predict(*a, side_a, *b, side_b, options.ab, context, conduct));
    }
    HONE_TRY(auto comparison,
             probe::run_ab({*a, side_a.batch, side_a.depth, side_a.delay_percent / 100},
                           {*b, side_b.batch, side_b.depth, side_b.delay_percent / 100}, options.ab,
                           context.clock, conduct));
    progress.clear();
    comparison.signature_a = signature_of(*a, options.flags_a, side_a, options.ab);
    comparison.signature_b = signature_of(*b, options.flags_b, side_b, options.ab);
    add_predictions(forecasts, comparison);
    comparison.price_a = comparison.price_b = options.price;
    return finish(comparison, options, context);
}

}  // namespace

Action add_ab(Command program) {
    auto command = program.add_command("ab", "Compare two ways of running a model, taking turns");
    auto options = std::make_shared<AbOptions>();
    probe::AbOptions& ab = options->ab;
    command.add_option("model", options->model, "Model file").required();
    command.add_option("--a", options->flags_a,
                       "Flags of the baseline, e.g. \"--threads 1\": those of bench, and --depth, "
                       "--batch of one size");
    command.add_option("--b", options->flags_b, "Flags of the candidate");
    command.add_option("--model-b", options->model_b, "Another model file for the candidate");
    command.add_option("--prompt-tokens", ab.prompt_tokens, "Tokens of a prompt")
        .in_range(1, 1 << 20)
        .show_default();
    command.add_option("--output-tokens", ab.output_tokens, "Decode steps, tokens of a request")
        .in_range(1, 1 << 20)
        .show_default();
    command
        .add_option("--shared-tokens", ab.shared_tokens,
                    "Tokens that the prompts of all requests begin with: what a prefix cache "
                    "keeps (in ttft_ms)")
        .in_range(0, 1 << 20)
        .show_default();
    command
        .add_option("--metrics", ab.metrics,
                    "Of prefill_tokens_per_s,decode_tokens_per_s,ttft_ms,itl_ms: fewer are "
                    "decided sooner")
        .comma_separated();
    command.add_option("--budget", ab.budget_s, "Seconds to measure for, at most")
        .in_range(0.1, 86400.0)
        .show_default();
    command.add_option("--floor", ab.floor_percent, "Percent of change that counts")
        .in_range(0.0, 100.0)
        .show_default();
    command.add_option("--seed", ab.seed, "Seed of ids, prompts and the order of the pairs")
        .show_default();
    command.add_option("--text", options->text_file, "Compare the logits on this text");
    command.add_option("--positions", ab.quality_positions, "Positions of it to compare")
        .in_range(1, 100'000)
        .show_default();
    command.add_flag("--no-quality", options->no_quality, "Do not compare logits");
    command.add_flag("--predict", options->predict,
                     "Say beforehand what the change would do: simulated from a profile of A, "
                     "and by a short experiment where there is one");
    add_price_option(command, options->price);
    command.add_flag("--fail-on-regression", options->fail_on_regression,
                     "Exit with 1 when a metric regressed");
    command.add_flag("--json", options->json, "Print JSON");
    return [options](const CommandContext& context) { return run_ab(*options, context); };
}

}  // namespace hone::cli
