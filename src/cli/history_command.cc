#include <memory>

#include "base/json.h"
#include "cli/command.h"
#include "cli/ledger_options.h"
#include "ledger/ledger.h"
#include "report/optimize_report.h"

namespace hone::cli {
namespace {

struct HistoryOptions {
    std::string ledger;
    int64_t run = 0;
    int count = 20;
    bool accuracy = false;
    bool json = false;
};

base::Status run_history(const HistoryOptions& options, const CommandContext& context) {
    const report::Style& style = context.terminal.style;
    HONE_TRY(const std::string path, ledger_path(options.ledger, context));
    HONE_TRY(auto ledger, ledger::Ledger::open(path, ledger::Access::read_only));
    if (options.accuracy) {
        HONE_TRY(const auto promises, ledger.first_promises());
        const auto groups = ledger::accuracy_by_kind(promises);
        return show(report::accuracy_json(groups, promises), report::render_accuracy(groups, style),
                    options.json);
    }
    if (options.run > 0) {
        HONE_TRY(const auto run, ledger.run(options.run));
        return show(report::optimization_json(run, {}, style),
                    report::render_optimization(run, {}, style), options.json);
    }
    HONE_TRY(const auto runs, ledger.runs(static_cast<size_t>(options.count)));
    return show(report::history_json(runs), report::render_history(runs, style), options.json);
}

}  // namespace

void add_ledger_option(Command command, std::string& path) {
    command.add_option("--ledger", path,
                       "Ledger file (default: ledger.db in the user's state directory)");
}

base::Result<std::string> ledger_path(const std::string& option, const CommandContext& context) {
    if (!option.empty()) return option;
    if (!context.terminal.state_directory.empty()) {
        return context.terminal.state_directory + "/ledger.db";
    }
    return base::fail(base::ErrorCode::unavailable,
                      "no home directory for the ledger; set XDG_STATE_HOME or give --ledger");
}

Action add_history(Command program) {
    auto command =
        program.add_command("history", "What was optimized here, and how good the promises were");
    auto options = std::make_shared<HistoryOptions>();
    command.add_option("--run", options->run, "Everything of one run, by its number")
        .in_range(int64_t{1}, int64_t{1} << 40);
    command.add_option("--count", options->count, "Runs to list, newest first")
        .in_range(1, 10'000)
        .show_default();
    command.add_flag("--accuracy", options->accuracy,
                     "Promises against results: only the first tested one of each action, model "
                     "and machine counts");
    add_ledger_option(command, options->ledger);
    command.add_flag("--json", options->json, "Print JSON");
    return [options](const CommandContext& context) { return run_history(*options, context); };
}

}  // namespace hone::cli
