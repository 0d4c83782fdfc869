// Where the ledger lies: by option, or in the user's state directory.
#pragma once

#include <string>

#include "base/result.h"
#include "cli/command.h"

namespace hone::cli {

void add_ledger_option(Command command, std::string& path);
// unavailable without a home directory.
base::Result<std::string> ledger_path(const std::string& option, const CommandContext& context);

}  // namespace hone::cli
