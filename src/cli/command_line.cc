#include "cli/command_line.h"

#include <CLI/CLI.hpp>
#include <algorithm>
#include <map>
#include <optional>

namespace hone::cli {
namespace {

// As the parser wants them, last first: an option that is given an empty value with "=" would
// otherwise take the next argument for its value.
std::vector<std::string> arguments_for_parser(const std::vector<std::string>& arguments) {
    std::vector<std::string> out;
    for (const std::string& argument : arguments) {
        const size_t equals = argument.find('=');
        const bool empty_value = argument.starts_with("--") && equals + 1 == argument.size();
        out.emplace_back(empty_value ? argument.substr(0, equals) : argument);
        if (empty_value) out.emplace_back();
    }
    std::reverse(out.begin(), out.end());
    return out;
}

template <class Arguments>
base::Result<bool> parse_with(CLI::App& app, Arguments arguments) {
    try {
        app.parse(std::move(arguments));
    } catch (const CLI::CallForHelp& e) {
        app.exit(e);
        return false;
    } catch (const CLI::CallForVersion& e) {
        app.exit(e);
        return false;
    } catch (const CLI::ParseError& e) {
        return base::fail(base::ErrorCode::invalid_argument, "{}", e.what());
    }
    return true;
}

}  // namespace

Option Option::required() {
    return Option(option_->required());
}

template <class Number>
Option Option::in_range(Number lowest, Number highest) {
    return Option(option_->check(CLI::Range(lowest, highest)));
}

template Option Option::in_range(int, int);
template Option Option::in_range(uint32_t, uint32_t);
template Option Option::in_range(int64_t, int64_t);
template Option Option::in_range(double, double);

Option Option::one_of(const std::vector<std::string>& words) {
    return Option(option_->check(CLI::IsMember(words)));
}

Option Option::metric_suffix() {
    const std::map<std::string, double> units = {{"K", 1e3}, {"M", 1e6}, {"G", 1e9}};
    return Option(
        option_->transform(CLI::AsNumberWithUnit(units, CLI::AsNumberWithUnit::CASE_INSENSITIVE)));
}

Option Option::show_default() {
    return Option(option_->capture_default_str());
}

Option Option::comma_separated() {
    return Option(option_->delimiter(','));
}

Option Option::one_argument() {
    return Option(option_->allow_extra_args(false));
}

Option Option::value_optional() {
    return Option(option_->expected(0, 1));
}

Option Option::needs(Option other) {
    return Option(option_->needs(other.option_));
}

bool Option::given() const {
    return option_->count() > 0;
}

Command Command::add_command(std::string name, std::string help) {
    return Command(app_->add_subcommand(std::move(name), std::move(help)));
}

void Command::require_command() {
    app_->require_subcommand(1);
}

template <class Value>
Option Command::add_option(std::string names, Value& value, std::string help) {
    return Option(app_->add_option(std::move(names), value, std::move(help)));
}

template Option Command::add_option(std::string, std::string&, std::string);
template Option Command::add_option(std::string, int&, std::string);
template Option Command::add_option(std::string, uint32_t&, std::string);
template Option Command::add_option(std::string, int64_t&, std::string);
template Option Command::add_option(std::string, uint64_t&, std::string);
template Option Command::add_option(std::string, float&, std::string);
template Option Command::add_option(std::string, double&, std::string);
template Option Command::add_option(std::string, std::optional<int>&, std::string);
template Option Command::add_option(std::string, std::optional<uint64_t>&, std::string);
template Option Command::add_option(std::string, std::optional<double>&, std::string);
template Option Command::add_option(std::string, std::vector<std::string>&, std::string);
template Option Command::add_option(std::string, std::vector<int>&, std::string);

Option Command::add_option(std::string names, std::function<void(const std::string&)> take,
                           std::string help) {
    return Option(app_->add_option_function(std::move(names), std::move(take), std::move(help)));
}

Option Command::add_option(std::string names,
                           std::function<void(const std::vector<uint32_t>&)> take,
                           std::string help) {
    return Option(app_->add_option_function(std::move(names), std::move(take), std::move(help)));
}

Option Command::add_flag(std::string names, bool& value, std::string help) {
    return Option(app_->add_flag(std::move(names), value, std::move(help)));
}

std::string Command::name() const {
    return app_->get_name();
}

bool Command::chosen() const {
    return app_->parsed();
}

std::vector<Command> Command::commands() const {
    std::vector<Command> out;
    for (CLI::App* app : app_->get_subcommands({})) out.emplace_back(app);
    return out;
}

std::vector<std::string> Command::option_names() const {
    std::vector<std::string> out;
    for (const CLI::Option* option : app_->get_options()) {
        for (const std::string& name : option->get_lnames()) out.push_back("--" + name);
        for (const std::string& name : option->get_snames()) out.push_back("-" + name);
    }
    return out;
}

CommandLine::CommandLine() : app_(std::make_unique<CLI::App>()) {
    app_->set_help_flag();
}

CommandLine::CommandLine(const Program& program)
    : app_(std::make_unique<CLI::App>(program.summary, program.name)) {
    app_->set_version_flag("--version", program.version);
    app_->footer(program.footer);
}

CommandLine::~CommandLine() = default;

Command CommandLine::root() {
    return Command(app_.get());
}

base::Result<bool> CommandLine::parse(const std::vector<std::string>& arguments) {
    return parse_with(*app_, arguments_for_parser(arguments));
}

base::Result<bool> CommandLine::parse(const std::string& text) {
    return parse_with(*app_, text);
}

}  // namespace hone::cli
