// The one binary: options, signals, exit codes. Everything else is in the rooms.
#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <vector>

#include "base/text.h"
#include "cli/command.h"

namespace {

using hone::cli::Action;
using hone::cli::Command;
using hone::cli::CommandContext;

std::atomic<bool> g_cancelled{false};  // a signal handler can reach nothing else

void on_interrupt(int) {
    // The second Ctrl-C ends the process at once.
    if (g_cancelled.exchange(true)) {
        std::signal(SIGINT, SIG_DFL);
        std::raise(SIGINT);
    }
}

// Without SA_RESTART a read that waits for the user ends at Ctrl-C instead of going on.
void install_signals() {
    struct sigaction action {};
    action.sa_handler = on_interrupt;
    sigemptyset(&action.sa_mask);
    sigaction(SIGINT, &action, nullptr);
    sigaction(SIGTERM, &action, nullptr);
    std::signal(SIGPIPE, SIG_IGN);  // a closed pipe is an error of print(), not a death
    std::signal(SIGXFSZ, SIG_IGN);  // a size limit is an error of write(), likewise
}

// When this process began, on the monotonic clock: cold start counts from there.
int64_t process_start_ns(const hone::base::Clock& clock) {
    // CLOCK_PROCESS_CPUTIME would miss waiting for the disk; /proc/self/stat has start ticks since
    // boot.
    const auto stat = hone::base::read_file("/proc/self/stat", 4096);
    timespec boot{};
    clock_gettime(CLOCK_BOOTTIME, &boot);
    const int64_t now_ns = clock.now_ns();
    if (!stat) return now_ns;
    const size_t after_name = stat->rfind(')');
    if (after_name == std::string::npos) return now_ns;
    const auto fields = hone::base::split(std::string_view(*stat).substr(after_name + 2), ' ');
    if (fields.size() < 20) return now_ns;
    const double start_s = std::atof(std::string(fields[19]).c_str()) / 100.0;  // USER_HZ
    const double boot_s =
        static_cast<double>(boot.tv_sec) + static_cast<double>(boot.tv_nsec) * 1e-9;
    const double age_s = boot_s - start_s;
    // Start ticks are 10 ms wide; a process cannot be older than it claims to be by more than that.
    return age_s > 0 && age_s < 3600 ? now_ns - static_cast<int64_t>(age_s * 1e9) : now_ns;
}

// The command line for records: no directory names in it.
std::string arguments_text(int argc, char** argv) {
    std::string out;
    for (int i = 1; i < argc; ++i) {
        const std::string_view argument = argv[i];
        const size_t slash = argument.rfind('/');
        out += out.empty() ? "" : " ";
        out += slash == std::string_view::npos ? argument : argument.substr(slash + 1);
    }
    return out;
}

int report(const hone::base::Error& error) {
    // One line, whatever the message contains.
    fmt::print(stderr, "hone: {}\n", error.message);
    return hone::base::exit_code(error.code);
}

}  // namespace

int main(int argc, char** argv) {
    const hone::base::SteadyClock clock;
    const hone::cli::Terminal terminal = hone::cli::read_terminal();
    int exit_code = 0;
    CommandContext context{
        clock,    terminal, g_cancelled, process_start_ns(clock), arguments_text(argc, argv),
        exit_code};

    hone::cli::CommandLine line(
        {.name = "hone",
         .summary = "Measures a model on this machine, explains where the time goes, and runs it.",
         .version = hone::cli::build_text() +
                    ", this CPU: " + hone::machine::isa_name(hone::machine::detect_isa()),
         .footer = "Exit codes: docs/exit-codes.md. More on one command: hone COMMAND --help"});
    Command program = line.root();
    program.require_command();
    using AddCommand = Action (*)(Command);
    const std::vector<AddCommand> commands = {
        hone::cli::add_inspect,  hone::cli::add_run,        hone::cli::add_bench,
        hone::cli::add_explain,  hone::cli::add_ab,         hone::cli::add_compare,
        hone::cli::add_quality,  hone::cli::add_quantize,   hone::cli::add_machine,
        hone::cli::add_synth,    hone::cli::add_tokenize,   hone::cli::add_embed,
        hone::cli::add_optimize, hone::cli::add_apply,      hone::cli::add_history,
        hone::cli::add_cache,    hone::cli::add_completions};
    std::vector<Action> actions;
    for (const AddCommand add : commands) actions.push_back(add(program));

    const auto parsed = line.parse(std::vector<std::string>(argv + std::min(argc, 1), argv + argc));
    if (!parsed) return report(parsed.error());
    if (!*parsed) return exit_code;
    install_signals();

    const auto declared = program.commands();
    for (size_t i = 0; i < actions.size(); ++i) {
        if (!declared[i].chosen()) continue;
        if (auto status = actions[i](context); !status) return report(status.error());
    }
    return exit_code;
}
