#include <fmt/format.h>

#include "base/json.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/session_options.h"
#include "machine/facts.h"
#include "report/machine_report.h"

namespace hone::cli {
namespace {

struct Options {
    bool json = false;
    bool refresh = false;
    bool facts_only = false;
};

base::Status run(const Options& options, const CommandContext& context) {
    machine::MachineProfile profile;
    if (options.facts_only) {
        profile.facts = machine::read_machine_facts();
        profile.fingerprint = machine::machine_fingerprint(profile.facts);
    } else {
        HONE_TRY(profile, load_profile(context, options.refresh));
    }
    if (options.json) return print(base::dump_json(machine::to_json(profile)) + "\n");
    return print(report::render_machine(profile, context.terminal.style));
}

}  // namespace

Action add_machine(CLI::App& app) {
    auto* command = app.add_subcommand("machine", "Facts and measured ceilings of this machine");
    auto options = std::make_shared<Options>();
    command->add_flag("--json", options->json, "Print JSON");
    command->add_flag("--refresh", options->refresh, "Measure again even if cached");
    command->add_flag("--facts", options->facts_only, "Facts only, measure nothing");
    return [options](const CommandContext& context) { return run(*options, context); };
}

}  // namespace hone::cli
