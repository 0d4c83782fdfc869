// What every subcommand gets, and how it registers itself. One file per subcommand: it declares its
// options on a CLI11 subcommand and runs with what they became. Errors travel as Result to main,
// which prints one line and exits with the code of base::exit_code.
#pragma once

#include <CLI/CLI.hpp>
#include <atomic>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/json_fwd.h"
#include "base/result.h"
#include "cli/terminal.h"
#include "machine/isa.h"

namespace hone::cli {

struct CommandContext {
    const base::Clock& clock;
    const Terminal& terminal;
    // Set by Ctrl-C; long work looks at it.
    const std::atomic<bool>& cancelled;
    // Nanoseconds on `clock` when the process began.
    int64_t process_start_ns = 0;
    std::string arguments;  // as given, model paths cut to base names
    // Of a command that did its work: 0, or what its result asks for.
    int& exit_code;
};

// The comparison found a regression, and the user asked to be told by the exit code; or the SLO
// that was asked for is not met.
inline constexpr int kExitRegressed = 1;
// What --price takes, EUR per hour.
inline constexpr double kPriceMin = 1e-6;
inline constexpr double kPriceMax = 1e6;
// What was asked could neither be shown nor refuted: more data would tell.
inline constexpr int kExitUnproved = 9;

using Action = std::function<base::Status(const CommandContext&)>;

// Each returns the action to run when its subcommand was chosen.
Action add_inspect(CLI::App& app);
Action add_run(CLI::App& app);
Action add_bench(CLI::App& app);
Action add_explain(CLI::App& app);
Action add_ab(CLI::App& app);
Action add_compare(CLI::App& app);
Action add_machine(CLI::App& app);
Action add_quality(CLI::App& app);
Action add_quantize(CLI::App& app);
Action add_synth(CLI::App& app);
Action add_tokenize(CLI::App& app);
Action add_embed(CLI::App& app);
Action add_completions(CLI::App& app);
Action add_optimize(CLI::App& app);
Action add_apply(CLI::App& app);
Action add_history(CLI::App& app);
Action add_cache(CLI::App& app);

// Version, compiler, build type: one line for --version and for records.
std::string build_text();

// Writes to stdout; unavailable when it cannot be written (a full disk, a closed pipe).
base::Status print(const std::string& text);
// Likewise what a command found: as JSON where the user asked for that, else as text.
base::Status show(const base::Json& json, const std::string& text, bool as_json);

}  // namespace hone::cli
