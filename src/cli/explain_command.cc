#include <memory>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "cli/session_options.h"
#include "diagnose/diagnosis.h"
#include "diagnose/scenario.h"
#include "diagnose/slo.h"
#include "measure/record.h"
#include "measure/trace.h"
#include "models/model.h"
#include "probe/prompt.h"
#include "probe/workload.h"
#include "report/explain_report.h"
#include "report/html_report.h"
#include "tune/observation.h"

namespace hone::cli {
namespace {

struct ExplainOptions {
    std::string model;
    SessionOptions session;
    std::string scenario = "realtime";
    std::string slo;
    std::optional<double> price;
    std::string prompts;
    std::optional<int> batch;
    bool trim_padding = false;
    std::string record;
    std::string from;
    double budget_s = 38;
    bool long_run = false;
    bool no_experiments = false;
    std::string html;
    std::string trace;
    std::string language = "en";
    bool json = false;
};

// Of the time budget: requests first, experiments with what is left.
constexpr double kRequestsShare = 0.45;

double requests_share(const ExplainOptions& options) {
    return options.no_experiments ? 1 : kRequestsShare;
}

// Positions that the workload needs at most: a text has no more tokens than bytes, and BOS and EOS.
base::Result<uint32_t> context_for(const ExplainOptions& options,
                                   const diagnose::Scenario& scenario,
                                   const std::vector<probe::Prompt>& prompts) {
    const auto beside = static_cast<uint32_t>(scenario.output_tokens) + kPositionsSlack;
    if (prompts.empty()) return static_cast<uint32_t>(scenario.prompt_tokens) + beside;
    size_t prompt_tokens = static_cast<size_t>(scenario.prompt_tokens);
    for (const probe::Prompt& prompt : prompts) {
        prompt_tokens = std::max({prompt_tokens, prompt.tokens.size(), prompt.text.size() + 2});
    }
    HONE_TRY(const auto model, models::Model::open(options.model));
    return static_cast<uint32_t>(
        std::min<size_t>(prompt_tokens + beside, model->config().context_max));
}

base::Result<measure::RunRecord> measure_model(const ExplainOptions& options,
                                               const diagnose::Scenario& scenario,
                                               const CommandContext& context,
                                               measure::TraceLog* trace) {
    const int64_t before_ns = context.clock.now_ns();
    HONE_TRY(const auto machine, load_profile(context, false));
    // Looking up (or first measuring) the ceilings is not part of the model's cold start.
    const int64_t profile_ns = context.clock.now_ns() - before_ns;
    runtime::EngineLimits limits;
    const int batch = options.batch.value_or(scenario.batch);
    limits.sequences_max = static_cast<uint32_t>(batch);
    HONE_TRY(auto prompts, read_prompts(options.prompts));
    HONE_TRY(limits.context, context_for(options, scenario, prompts));
    HONE_TRY(const auto load, load_options(options.session, limits, context));
    HONE_TRY(const auto session, open_session(options.model, options.session, load, context));
    probe::RunSetting setting{context.clock,     machine,     {},           build_text(),
                              context.arguments, options.slo, options.price};
    setting.cold_start_ms =
        static_cast<double>(context.clock.now_ns() - context.process_start_ns - profile_ns) * 1e-6;

    Progress progress(context.terminal.stderr_tty, context.clock);
    const probe::Conduct conduct = progress.conduct(context.cancelled);
    probe::ScenarioOptions run;
    run.name = scenario.id;
    run.primary_metric = diagnose::metric_at(scenario.primary_metric, scenario.primary_percentile);
    run.prompt_tokens = scenario.prompt_tokens;
    run.output_tokens = scenario.output_tokens;
    run.batch = batch;
    run.prompts = std::move(prompts);
    run.trim_padding = options.trim_padding || options.session.trim_padding;
    run.trace = trace;
    run.requests = options.long_run ? scenario.requests_long : scenario.requests;
    // --long means: as long as it takes to get the samples.
    run.budget_s = options.long_run ? 3600 : options.budget_s * requests_share(options);
    if (options.no_experiments) return probe::run_scenario(*session, run, setting, conduct);
    const tune::ObservationBudget budget{
        options.budget_s, options.long_run ? options.budget_s * (1 - kRequestsShare) : 0};
    return tune::observe(*session, run, budget, setting, conduct);
}

base::Status write_trace(const measure::TraceLog& trace, const measure::RunRecord& record,
                         const std::string& path) {
    return base::write_file(path, base::dump_json(measure::to_chrome_trace(trace, record), -1));
}

base::Status run_explain(const ExplainOptions& options, const CommandContext& context) {
    HONE_TRY(const diagnose::Scenario* scenario, diagnose::find_scenario(options.scenario));
    HONE_TRY_STATUS(diagnose::parse_slo(options.slo));
    if (!options.from.empty() && !options.prompts.empty()) {
        return base::fail(base::ErrorCode::invalid_argument,
                          "--prompts belongs to a run, not to a stored record");
    }
    if (!options.from.empty() && !options.trace.empty()) {
        return base::fail(base::ErrorCode::invalid_argument,
                          "--trace needs a run: a stored record has no single steps");
    }
    if (options.model.empty() == options.from.empty()) {
        return base::fail(base::ErrorCode::invalid_argument,
                          "explain takes either a model file or --from RECORD");
    }
    for (const std::string& path : {options.record, options.html, options.trace}) {
        HONE_TRY_STATUS(check_destination(path));
    }
    measure::RunRecord record;
    if (!options.from.empty()) {
        HONE_TRY(record, measure::read_record(options.from));
    } else {
        measure::TraceLog trace;
        const bool traced = !options.trace.empty();
        HONE_TRY(record, measure_model(options, *scenario, context, traced ? &trace : nullptr));
        if (traced) HONE_TRY_STATUS(write_trace(trace, record, options.trace));
    }
    if (!options.record.empty()) HONE_TRY_STATUS(measure::write_record(record, options.record));
    const diagnose::Diagnosis diagnosis = diagnose::diagnose(record);
    report::Style style = context.terminal.style;
    if (options.language == "zh") style.language = report::Language::chinese;
    if (!options.html.empty()) {
        HONE_TRY_STATUS(
            base::write_file(options.html, report::render_html(diagnosis, record, style)));
    }
    if (options.json) {
        return print(base::dump_json(report::explain_json(diagnosis, record, style)) + "\n");
    }
    return print(report::render_explain(diagnosis, record, style));
}

}  // namespace

Action add_explain(Command program) {
    auto command = program.add_command("explain", "Say where the time goes, why, and what to do");
    auto options = std::make_shared<ExplainOptions>();
    command.add_option("model", options->model, "Model file");
    add_session_options(command, options->session);
    command.add_option("--scenario", options->scenario, "realtime, batch or generative")
        .show_default();
    command.add_option("--slo", options->slo, "Limits, e.g. 'ttft_p95<200ms,itl_p95<40ms'");
    add_price_option(command, options->price);
    command.add_option("--budget", options->budget_s, "Seconds to measure for")
        .in_range(1.0, 3600.0)
        .show_default();
    command.add_option("--prompts", options->prompts,
                       "Requests of your own: a file with {\"text\": ...} or {\"tokens\": [...]} "
                       "on each line");
    command.add_option("--batch", options->batch, "Requests that start together").in_range(1, 64);
    command.add_flag("--trim-padding", options->trim_padding,
                     "Take padding tokens off the ends of the prompts");
    command.add_flag("--long", options->long_run, "Enough requests for P99");
    command.add_flag("--no-experiments", options->no_experiments,
                     "Requests only: what would help is then mostly unknown");
    command.add_option("--record", options->record, "Write the run record to this file");
    command.add_option("--from", options->from, "Explain a stored run record instead");
    command.add_option("--html", options->html, "Write the report as one web page to this file");
    command.add_option("--trace", options->trace,
                       "Write single steps and requests to this file, for Perfetto");
    command.add_option("--lang", options->language, "Language of the report: en or zh")
        .one_of({"en", "zh"})
        .show_default();
    command.add_flag("--json", options->json, "Print JSON");
    return [options](const CommandContext& context) { return run_explain(*options, context); };
}

}  // namespace hone::cli
