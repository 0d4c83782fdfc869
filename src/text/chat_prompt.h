// A conversation as the prompt of a model: its own chat template rendered with its own special
// tokens, and how the result is to be tokenized. Pure.
#pragma once

#include <ctime>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "text/chat_template.h"
#include "text/tokenizer.h"

namespace hone::text {

struct ChatPrompt {
    std::string text;
    // Texts of special tokens are those tokens; no second BOS where the template wrote one.
    EncodeOptions encode;
};

// `now` is what strftime_now tells. Errors: those of ChatTemplate::render.
base::Result<ChatPrompt> chat_prompt(const ChatTemplate& chat_template, const Tokenizer& tokenizer,
                                     std::vector<ChatMessage> messages, std::optional<std::tm> now);

}  // namespace hone::text
