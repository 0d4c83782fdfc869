// The command line: commands, their options, the variables these write into, help and parsing.
//
// CLI11 does the work, and command_line.cc alone includes it: each file that does takes some
// seconds longer to compile. What it throws ends there. Option and Command are handles, to be
// copied, into the CommandLine that they come from; neither it nor the variables may move or end
// before it is parsed. Not for several threads.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace hone::cli {

class Option {
  public:
    explicit Option(CLI::Option* option) : option_(option) {}

    Option required();
    // What the value must be: help and errors tell the limits, in the type that they are given in.
    template <class Number>
    Option in_range(Number lowest, Number highest);
    Option one_of(const std::vector<std::string>& words);
    // The number may end in K, M or G, for thousands of it.
    Option metric_suffix();
    // Help tells the value that the variable has now.
    Option show_default();

    // Several values are otherwise arguments of their own, as many as follow.
    Option comma_separated();
    Option one_argument();
    Option value_optional();

    Option needs(Option other);
    // Whether it was on the command line.
    bool given() const;

  private:
    CLI::Option* option_;
};

class Command {
  public:
    explicit Command(CLI::App* app) : app_(app) {}

    Command add_command(std::string name, std::string help);
    // One of its commands must follow.
    void require_command();

    // Names as in "-p,--prompt"; without dashes it is an argument by its place. They are taken in
    // the order of their definition, not in that of the command line.
    // command_line.cc lists the types of values, as it lists those of limits.
    template <class Value>
    Option add_option(std::string names, Value& value, std::string help);
    Option add_option(std::string names, std::function<void(const std::string&)> take,
                      std::string help);
    Option add_option(std::string names, std::function<void(const std::vector<uint32_t>&)> take,
                      std::string help);
    // A name after "!" switches it off.
    Option add_flag(std::string names, bool& value, std::string help);

    std::string name() const;
    // Whether it was on the command line.
    bool chosen() const;
    // In the order of their definition.
    std::vector<Command> commands() const;
    // Of its own options, each with its dashes.
    std::vector<std::string> option_names() const;

  private:
    CLI::App* app_;
};

struct Program {
    std::string name;
    std::string summary;
    std::string version;
    std::string footer;  // of the help of every command
};

class CommandLine {
  public:
    // Options alone, without help: what stands inside an argument of another command line.
    CommandLine();
    explicit CommandLine(const Program& program);
    ~CommandLine();
    CommandLine(const CommandLine&) = delete;
    CommandLine& operator=(const CommandLine&) = delete;

    Command root();

    // False: help or version was asked for, and is printed. Errors: invalid_argument. The text is
    // split at blanks outside of quotes.
    base::Result<bool> parse(const std::vector<std::string>& arguments);
    base::Result<bool> parse(const std::string& text);

  private:
    std::unique_ptr<CLI::App> app_;
};

}  // namespace hone::cli
