#include "cli/terminal.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <string_view>

namespace hone::cli {
namespace {

constexpr int kWidthDefault = 100;
constexpr int kWidthMin = 60;
constexpr int kWidthMax = 160;

std::string variable(const char* name) {
    const char* value = std::getenv(name);
    return value == nullptr ? std::string() : std::string(value);
}

int columns() {
    winsize size{};
    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
        return std::clamp<int>(size.ws_col, kWidthMin, kWidthMax);
    }
    return kWidthDefault;
}

bool utf8_locale() {
    for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
        const std::string value = variable(name);
        if (value.empty()) continue;
        return value.find("UTF-8") != std::string::npos || value.find("utf8") != std::string::npos;
    }
    return false;
}

// XDG Base Directory Specification: a relative path there is to be ignored.
std::string xdg_directory(const char* name, const char* below_home) {
    const std::string xdg = variable(name);
    if (!xdg.empty() && xdg.front() == '/') return xdg + "/hone";
    const std::string home = variable("HOME");
    return home.empty() ? std::string() : home + below_home;
}

}  // namespace

Terminal read_terminal() {
    Terminal terminal;
    terminal.stdin_tty = isatty(STDIN_FILENO) == 1;
    terminal.stdout_tty = isatty(STDOUT_FILENO) == 1;
    terminal.stderr_tty = isatty(STDERR_FILENO) == 1;
    terminal.style.width = terminal.stdout_tty ? columns() : kWidthDefault;
    // https://no-color.org: any non-empty value switches colours off.
    terminal.style.colour =
        terminal.stdout_tty && variable("NO_COLOR").empty() && variable("TERM") != "dumb";
    terminal.style.unicode = utf8_locale();
    terminal.cache_directory = xdg_directory("XDG_CACHE_HOME", "/.cache/hone");
    terminal.state_directory = xdg_directory("XDG_STATE_HOME", "/.local/state/hone");
    return terminal;
}

}  // namespace hone::cli
