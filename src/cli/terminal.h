// What the process is connected to: terminal or pipe, width, colours, UTF-8. Read once in main.
//
// Only cli looks at the environment and at file descriptors; everything below gets values.
#pragma once

#include <string>

#include "report/style.h"

namespace hone::cli {

struct Terminal {
    bool stdin_tty = false;
    bool stdout_tty = false;
    bool stderr_tty = false;
    report::Style style;          // for stdout
    std::string cache_directory;  // $XDG_CACHE_HOME/hone or ~/.cache/hone, "" without a home
    // A folder in it, "" without one.
    std::string cache_folder(const std::string& name) const {
        return cache_directory.empty() ? std::string() : cache_directory + "/" + name;
    }
    std::string state_directory;  // $XDG_STATE_HOME/hone or ~/.local/state/hone, likewise
};

Terminal read_terminal();

}  // namespace hone::cli
