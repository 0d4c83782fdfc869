#include <algorithm>
#include <memory>

#include "base/json.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/session_options.h"
#include "measure/record.h"
#include "probe/workload.h"
#include "report/bench_report.h"

namespace hone::cli {
namespace {

struct BenchOptions {
    std::vector<std::string> models;
    SessionOptions session;
    probe::BenchOptions bench;
    std::optional<double> price;
    std::string record;
    bool json = false;
};

runtime::EngineLimits limits_for(const BenchOptions& options) {
    runtime::EngineLimits limits;
    const auto& bench = options.bench;
    limits.context =
        static_cast<uint32_t>(std::max(bench.prompt_tokens, bench.depth) + bench.output_tokens) +
        kPositionsSlack;
    for (const int batch : bench.batches) {
        limits.sequences_max = std::max(limits.sequences_max, static_cast<uint32_t>(batch));
    }
    return limits;
}

base::Result<measure::RunRecord> bench_model(const std::string& model, const BenchOptions& options,
                                             const machine::MachineProfile& machine,
                                             const CommandContext& context, bool first) {
    const int64_t start_ns = first ? context.process_start_ns : context.clock.now_ns();
    HONE_TRY(const auto load, load_options(options.session, limits_for(options), context));
    HONE_TRY(const auto session, open_session(model, options.session, load, context));
    probe::RunSetting setting{context.clock,     machine, {},           build_text(),
                              context.arguments, {},      options.price};
    setting.cold_start_ms = static_cast<double>(context.clock.now_ns() - start_ns) * 1e-6;
    Progress progress(context.terminal.stderr_tty, context.clock);
    const probe::Conduct conduct = progress.conduct(context.cancelled);
    return probe::run_bench(*session, options.bench, setting, conduct);
}

base::Status run_bench(const BenchOptions& options, const CommandContext& context) {
    if (!options.record.empty() && options.models.size() > 1) {
        return base::fail(base::ErrorCode::invalid_argument, "--record takes one model at a time");
    }
    // Ceilings are measured first, and that must not count as the model's cold start.
    const int64_t before_ns = context.clock.now_ns();
    HONE_TRY(const auto machine, load_profile(context, false));
    CommandContext shifted = context;
    shifted.process_start_ns += context.clock.now_ns() - before_ns;
    base::Json all = base::Json::array();
    for (size_t i = 0; i < options.models.size(); ++i) {
        HONE_TRY(const auto record,
                 bench_model(options.models[i], options, machine, shifted, i == 0));
        if (!options.record.empty()) {
            HONE_TRY_STATUS(measure::write_record(record, options.record));
        }
        if (options.json) {
            all.push_back(report::bench_json(record));
        } else {
            HONE_TRY_STATUS(print(report::render_bench(record, context.terminal.style)));
        }
    }
    if (!options.json) return {};
    return print(base::dump_json(all.size() == 1 ? all[0] : all) + "\n");
}

}  // namespace

Action add_bench(Command program) {
    auto command =
        program.add_command("bench", "Measure prefill, decode, latency, memory and cost");
    auto options = std::make_shared<BenchOptions>();
    probe::BenchOptions& bench = options->bench;
    command.add_option("models", options->models, "Model files").required();
    add_session_options(command, options->session);
    command.add_option("--prompt-tokens", bench.prompt_tokens, "Tokens of a prefill test")
        .in_range(1, 1 << 20)
        .show_default();
    command.add_option("--output-tokens", bench.output_tokens, "Steps of a decode test")
        .in_range(1, 1 << 20)
        .show_default();
    command.add_option("--depth", bench.depth, "Tokens in the cache before a decode test")
        .in_range(0, 1 << 20);
    command.add_option("--repeat", bench.repeats, "Measured rounds")
        .in_range(1, 1000)
        .show_default();
    command.add_option("--warm-up", bench.warm_ups, "Rounds before them")
        .in_range(0, 100)
        .show_default();
    command.add_option("--batch", bench.batches, "Sizes of static batches, e.g. 1,2,4,8")
        .comma_separated()
        .in_range(1, 64);
    command.add_option("--seed", bench.seed, "Seed of the random ids").show_default();
    add_price_option(command, options->price);
    command.add_option("--record", options->record, "Write the run record to this file");
    command.add_flag("--json", options->json, "Print JSON");
    return [options](const CommandContext& context) { return run_bench(*options, context); };
}

}  // namespace hone::cli
