#include "text/chat_prompt.h"

#include <utility>

namespace hone::text {

base::Result<ChatPrompt> chat_prompt(const ChatTemplate& chat_template, const Tokenizer& tokenizer,
                                     std::vector<ChatMessage> messages,
                                     std::optional<std::tm> now) {
    ChatInput input;
    input.messages = std::move(messages);
    if (tokenizer.bos() >= 0) input.bos_token = tokenizer.token_text(tokenizer.bos());
    if (tokenizer.eos() >= 0) input.eos_token = tokenizer.token_text(tokenizer.eos());
    input.now = now;
    ChatPrompt prompt;
    HONE_TRY(prompt.text, chat_template.render(input));
    prompt.encode.parse_special = true;
    prompt.encode.add_bos = input.bos_token.empty() || !prompt.text.starts_with(input.bos_token);
    return prompt;
}

}  // namespace hone::text
