#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <vector>

#include "cli/command.h"

namespace hone::cli {
namespace {

struct Completion {
    std::string command;
    std::vector<std::string> options;
    std::vector<std::string> parts;  // "ls" of "cache ls"
};

// The words come from the declared options themselves, so that they cannot go stale.
std::vector<Completion> completions(const Command& root) {
    std::vector<Completion> out;
    for (const Command& command : root.commands()) {
        Completion completion{command.name(), command.option_names(), {}};
        for (const Command& part : command.commands()) {
            completion.parts.push_back(part.name());
            const auto names = part.option_names();
            completion.options.insert(completion.options.end(), names.begin(), names.end());
        }
        std::sort(completion.options.begin(), completion.options.end());
        completion.options.erase(std::unique(completion.options.begin(), completion.options.end()),
                                 completion.options.end());
        out.push_back(std::move(completion));
    }
    return out;
}

std::string commands_text(const std::vector<Completion>& all) {
    std::vector<std::string> names;
    for (const Completion& completion : all) names.push_back(completion.command);
    return fmt::format("{}", fmt::join(names, " "));
}

std::string bash_script(const std::vector<Completion>& all) {
    std::string out = fmt::format(
        "_hone() {{\n"
        "    local word=\"${{COMP_WORDS[COMP_CWORD]}}\"\n"
        "    if [ \"$COMP_CWORD\" -eq 1 ]; then\n"
        "        COMPREPLY=($(compgen -W \"{} --help --version\" -- \"$word\")); return\n"
        "    fi\n"
        "    local options=\"\" parts=\"\"\n"
        "    case \"${{COMP_WORDS[1]}}\" in\n",
        commands_text(all));
    for (const Completion& completion : all) {
        out += fmt::format("        {}) options=\"{}\" parts=\"{}\" ;;\n", completion.command,
                           fmt::join(completion.options, " "), fmt::join(completion.parts, " "));
    }
    out +=
        "    esac\n"
        "    if [ -n \"$parts\" ] && [ \"$COMP_CWORD\" -eq 2 ]; then\n"
        "        COMPREPLY=($(compgen -W \"$parts\" -- \"$word\")); return\n"
        "    fi\n"
        "    case \"$word\" in\n"
        "        -*) COMPREPLY=($(compgen -W \"$options\" -- \"$word\")) ;;\n"
        "        *) COMPREPLY=($(compgen -f -- \"$word\")) ;;\n"
        "    esac\n"
        "}\n"
        "complete -o filenames -F _hone hone\n";
    return out;
}

std::string zsh_script(const std::vector<Completion>& all) {
    std::string out = fmt::format(
        "#compdef hone\n"
        "_hone() {{\n"
        "    if (( CURRENT == 2 )); then compadd -- {} --help --version; return; fi\n"
        "    if (( CURRENT == 3 )); then case $words[2] in\n",
        commands_text(all));
    for (const Completion& completion : all) {
        if (completion.parts.empty()) continue;
        out += fmt::format("        {}) compadd -- {}; return ;;\n", completion.command,
                           fmt::join(completion.parts, " "));
    }
    out +=
        "    esac; fi\n"
        "    if [[ $words[CURRENT] != -* ]]; then _files; return; fi\n"
        "    case $words[2] in\n";
    for (const Completion& completion : all) {
        out += fmt::format("        {}) compadd -- {} ;;\n", completion.command,
                           fmt::join(completion.options, " "));
    }
    out += "    esac\n}\n_hone \"$@\"\n";
    return out;
}

}  // namespace

Action add_completions(Command program) {
    auto command = program.add_command("completions", "Shell completion script: bash or zsh");
    auto shell = std::make_shared<std::string>();
    command.add_option("shell", *shell, "bash or zsh").required().one_of({"bash", "zsh"});
    return [shell, program](const CommandContext&) {
        const auto all = completions(program);
        return print(*shell == "bash" ? bash_script(all) : zsh_script(all));
    };
}

}  // namespace hone::cli
