// ChatTemplate: a conversation to the one text a model was trained on, by the template in its file.
//
// The template is a Jinja program that came with the model, so it is run by an interpreter of our
// own: no access to anything but the values passed in, and a budget of steps, output and depth
// (TemplateLimits), over which it fails. Semantics are those of Jinja 3 as chat templates use it
// (trim_blocks, lstrip_blocks, loop controls, raise_exception, strftime_now). It does not tokenize.
// Immutable after parse; render is const and thread-safe.
#pragma once

#include <ctime>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"
#include "text/chat_template_context.h"

namespace hone::text {

struct ChatMessage {
    std::string role;  // "system", "user", "assistant", ...
    std::string content;
    // Further keys, such as tool_calls. With a "role" among them they are the whole message, in
    // their order, and the two texts above are not looked at: content may be a list, or missing.
    base::JsonBox fields = base::JsonBox::object();
};

struct ChatInput {
    std::vector<ChatMessage> messages;
    bool add_generation_prompt = true;  // end with the beginning of an assistant's turn
    std::string bos_token;
    std::string eos_token;
    // Further variables, such as tools or enable_thinking; not any of the names above.
    base::JsonBox extra = base::JsonBox::object();
    std::optional<std::tm> now;  // for strftime_now, which is undefined without it
};

class ChatTemplate {
  public:
    // invalid_argument: the source is not a template Hone understands, with the line.
    // exhausted: too large or nested too deep.
    static base::Result<ChatTemplate> parse(std::string_view source);

    // invalid_argument: the template refuses or fails; exhausted: over a limit.
    base::Result<std::string> render(const ChatInput& input, TemplateLimits limits = {}) const;

  private:
    struct Program;  // the syntax tree
    explicit ChatTemplate(std::shared_ptr<const Program> program) : program_(std::move(program)) {}

    std::shared_ptr<const Program> program_;
};

}  // namespace hone::text
