#include <fmt/format.h>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "cli/session_options.h"
#include "machine/facts.h"
#include "report/machine_report.h"
#include "report/machine_roofline.h"

namespace hone::cli {
namespace {

struct MachineOptions {
    bool json = false;
    bool refresh = false;
    bool facts_only = false;
    std::string svg;
};

base::Status run_machine(const MachineOptions& options, const CommandContext& context) {
    machine::MachineProfile profile;
    if (options.facts_only) {
        profile.facts = machine::read_machine_facts();
        profile.fingerprint = machine::machine_fingerprint(profile.facts);
    } else {
        HONE_TRY(profile, load_profile(context, options.refresh));
    }
    if (!options.svg.empty()) {
        if (!profile.has_ceilings()) {
            return base::fail(base::ErrorCode::invalid_argument,
                              "--svg draws measured ceilings, and --facts measures none");
        }
        HONE_TRY_STATUS(base::write_file(
            options.svg, report::render_roofline_svg(profile, context.terminal.style)));
    }
    return show(machine::to_json(profile), report::render_machine(profile, context.terminal.style),
                options.json);
}

}  // namespace

Action add_machine(Command program) {
    auto command = program.add_command("machine", "Facts and measured ceilings of this machine");
    auto options = std::make_shared<MachineOptions>();
    command.add_flag("--json", options->json, "Print JSON");
    command.add_flag("--refresh", options->refresh, "Measure again even if cached");
    command.add_flag("--facts", options->facts_only, "Facts only, measure nothing");
    command.add_option("--svg", options->svg, "Write the roofline as a picture to this file");
    return [options](const CommandContext& context) { return run_machine(*options, context); };
}

}  // namespace hone::cli
