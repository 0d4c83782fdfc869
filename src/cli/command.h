// What every command gets, and how it registers itself. One file per command: it declares its
// options on a Command and runs with what they became. Errors travel as Result to main, which
// prints one line and exits with the code of base::exit_code.
#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "base/clock.h"
#include "base/json_fwd.h"
#include "base/result.h"
#include "cli/command_line.h"
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
// What was asked could neither be shown nor refuted: more data would tell.
inline constexpr int kExitUnproved = 9;

using Action = std::function<base::Status(const CommandContext&)>;

// Each returns the action to run when its command was chosen.
Action add_inspect(Command program);
Action add_run(Command program);
Action add_bench(Command program);
Action add_explain(Command program);
Action add_ab(Command program);
Action add_compare(Command program);
Action add_machine(Command program);
Action add_quality(Command program);
Action add_quantize(Command program);
Action add_synth(Command program);
Action add_tokenize(Command program);
Action add_embed(Command program);
Action add_completions(Command program);
Action add_optimize(Command program);
Action add_apply(Command program);
Action add_history(Command program);
Action add_cache(Command program);

// Version, compiler, build type: one line for --version and for records.
std::string build_text();

// Writes to stdout; unavailable when it cannot be written (a full disk, a closed pipe).
base::Status print(const std::string& text);
// Likewise what a command found: as JSON where the user asked for that, else as text.
base::Status show(const base::Json& json, const std::string& text, bool as_json);

}  // namespace hone::cli
