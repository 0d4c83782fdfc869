#include <fmt/format.h>

#include <memory>
#include <vector>

#include "cli/command.h"

namespace hone::cli {
namespace {

struct Completion {
    std::string command;
    std::vector<std::string> options;
};

// The words come from the declared options themselves, so that they cannot go stale.
std::vector<Completion> completions(const CLI::App& root) {
    std::vector<Completion> out;
    for (const CLI::App* command : root.get_subcommands([](const CLI::App*) { return true; })) {
        Completion completion{command->get_name(), {}};
        for (const CLI::Option* option : command->get_options()) {
            for (const std::string& name : option->get_lnames()) {
                completion.options.push_back("--" + name);
            }
            for (const std::string& name : option->get_snames()) {
                completion.options.push_back("-" + name);
            }
        }
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
        "    local options=\"\"\n"
        "    case \"${{COMP_WORDS[1]}}\" in\n",
        commands_text(all));
    for (const Completion& completion : all) {
        out += fmt::format("        {}) options=\"{}\" ;;\n", completion.command,
                           fmt::join(completion.options, " "));
    }
    out +=
        "    esac\n"
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
        "    if [[ $words[CURRENT] != -* ]]; then _files; return; fi\n"
        "    case $words[2] in\n",
        commands_text(all));
    for (const Completion& completion : all) {
        out += fmt::format("        {}) compadd -- {} ;;\n", completion.command,
                           fmt::join(completion.options, " "));
    }
    out += "    esac\n}\n_hone \"$@\"\n";
    return out;
}

}  // namespace

Action add_completions(CLI::App& app) {
    auto* command = app.add_subcommand("completions", "Shell completion script: bash or zsh");
    auto shell = std::make_shared<std::string>();
    command->add_option("shell", *shell, "bash or zsh")
        ->required()
        ->check(CLI::IsMember({"bash", "zsh"}));
    return [shell, &app](const CommandContext&) {
        const auto all = completions(app);
        return print(*shell == "bash" ? bash_script(all) : zsh_script(all));
    };
}

}  // namespace hone::cli
