#include <fmt/format.h>

#include <memory>

#include "base/json.h"
#include "cli/command.h"
#include "machine/json_fields.h"
#include "measure/comparison.h"
#include "report/comparison_report.h"

namespace hone::cli {
namespace {

struct CompareOptions {
    std::string a;
    std::vector<std::string> b;
    double floor_percent = measure::kEffectFloorPercent;
    bool fail_on_regression = false;
    bool json = false;
};

// What `hone bench --json` prints is a record whose settings stand under "signature".
base::Status adopt_signature(measure::RunRecord& record, const std::string& path) {
    const auto found = record.unknown->find("signature");
    if (found == record.unknown->end()) return {};
    base::Status status;
    machine::JsonFields fields(*found, "$.signature", status);
    fields.optional("build", record.build);
    fields.optional("isa", record.isa);
    fields.optional("command", record.context.command);
    fields.optional("threads", record.context.threads);
    fields.optional("prompt_tokens", record.context.prompt_tokens);
    fields.optional("output_tokens", record.context.output_tokens);
    fields.optional("batch", record.context.batch);
    fields.optional("warm", record.context.warm);
    if (!status) return tl::unexpected<base::Error>(status.error().within(path));
    return {};
}

base::Result<measure::RunRecord> read_side(const std::string& path) {
    HONE_TRY(auto record, measure::read_record(path));
    HONE_TRY_STATUS(adopt_signature(record, path));
    if (record.metrics.empty()) {
        return base::fail(base::ErrorCode::invalid_argument, "{}: a record without metrics", path);
    }
    return record;
}

base::Status run_compare(const CompareOptions& options, const CommandContext& context) {
    HONE_TRY(const auto baseline, read_side(options.a));
    std::vector<measure::Comparison> comparisons;
    for (const std::string& path : options.b) {
        HONE_TRY(const auto candidate, read_side(path));
        comparisons.push_back(measure::compare_records(baseline, candidate, options.floor_percent));
    }
    base::Json all = base::Json::array();
    std::string regressions;
    for (size_t i = 0; i < comparisons.size(); ++i) {
        const measure::Comparison& comparison = comparisons[i];
        if (options.json) {
            all.push_back(report::comparison_json(comparison));
        } else {
            const std::string text = report::render_comparison(comparison, context.terminal.style);
            HONE_TRY_STATUS(print((i > 0 ? "\n" : "") + text));
        }
        if (!comparison.regressed()) continue;
        regressions += (regressions.empty() ? "" : "; ") + options.b[i] + ": " +
                       report::regressions_text(comparison);
    }
    if (options.json) {
        HONE_TRY_STATUS(print(base::dump_json(all.size() == 1 ? all[0] : all) + "\n"));
    }
    if (options.fail_on_regression && !regressions.empty()) {
        fmt::print(stderr, "hone: regressed: {}\n", regressions);
        context.exit_code = kExitRegressed;
    }
    return {};
}

}  // namespace

Action add_compare(Command program) {
    auto command = program.add_command("compare", "Compare stored run records");
    auto options = std::make_shared<CompareOptions>();
    command.add_option("a", options->a, "Record of the baseline (--record, or bench --json)")
        .required();
    command.add_option("b", options->b, "Records of the candidates").required();
    command.add_option("--floor", options->floor_percent, "Percent of change that counts")
        .in_range(0.0, 100.0)
        .show_default();
    command.add_flag("--fail-on-regression", options->fail_on_regression,
                     "Exit with 1 when a metric regressed");
    command.add_flag("--json", options->json, "Print JSON (an array for several candidates)");
    return [options](const CommandContext& context) { return run_compare(*options, context); };
}

}  // namespace hone::cli
