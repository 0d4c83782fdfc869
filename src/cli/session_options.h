// Options that every command with a model shares, and what they become.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/command.h"
#include "machine/profile.h"
#include "runtime/session.h"
#include "tune/settings.h"

namespace hone::cli {

// Positions to spare beside a test's own tokens: what a chat template or BOS may add.
inline constexpr uint32_t kPositionsSlack = 64;

// From --config first, then from the flags, which win.
struct SessionOptions : tune::Settings {
    base::Status config = {};  // of reading --config
};

void add_session_options(Command command, SessionOptions& options);
// EUR per hour of this machine, for commands that tell costs.
void add_price_option(Command command, std::optional<double>& price_per_hour);

// invalid_argument, or unsupported when this CPU lacks the ISA.
base::Result<runtime::LoadOptions> load_options(const SessionOptions& options,
                                                runtime::EngineLimits limits,
                                                const CommandContext& context);

// `model` in the weights that the settings ask for (tune/weight_files.h, made with progress on a
// terminal), opened; what there is to say about its caches is said on stderr.
base::Result<std::unique_ptr<runtime::Session>> open_session(const std::string& model,
                                                             const tune::Settings& settings,
                                                             const runtime::LoadOptions& load,
                                                             const CommandContext& context);

// The file to open for `model`: its own, or what --weights makes of it.
base::Result<std::string> model_file(const std::string& model, const tune::Settings& settings,
                                     const CommandContext& context);

// Facts and ceilings of this machine, from the cache or measured (with progress on a terminal).
base::Result<machine::MachineProfile> load_profile(const CommandContext& context, bool refresh);

}  // namespace hone::cli
