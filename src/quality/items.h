// Tasks with known answers, one JSON object per line: what accuracy, BLEU and consistency are
// measured on. docs/quality.md describes the format for users.
//
//   choice          prompt, choices, answer                    the likelier answer is chosen
//   classification  the same, with one list of choices         likewise
//   generation      prompt, references                         a text is generated
//   consistency     prompts | prompt + samples | turns         several answers are compared
// A prompt is `prompt` (plain text) or `messages` (a conversation, in the model's chat format).
// `prediction`, `output` or `outputs` give the answers of some other program, so that no model is
// needed. Empty lines are skipped; keys that begin with "_" are comments. Foreign bytes: every line
// is checked and has limits. Pure.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace hone::quality {

inline constexpr size_t kItemFileBytesMax = size_t{256} << 20;
inline constexpr size_t kItemLineBytesMax = size_t{1} << 20;
inline constexpr size_t kItemsMax = 100'000;
inline constexpr size_t kItemTextBytesMax = size_t{16} << 10;  // of an answer
inline constexpr size_t kChoicesMax = 64;
inline constexpr size_t kReferencesMax = 16;
inline constexpr size_t kVariantsMax = 64;  // prompts, samples, turns
inline constexpr uint32_t kOutputTokensMax = 4096;
inline constexpr uint32_t kOutputTokensDefault = 64;

enum class TaskKind : uint8_t { choice, classification, generation, consistency };

struct ItemMessage {
    std::string role;
    std::string content;
};

// A text as it is, or messages for the chat format; one of the two is empty.
struct ItemPrompt {
    std::string text;
    std::vector<ItemMessage> messages;
};

struct Item {
    std::string where;  // "line 7", for messages
    TaskKind task = TaskKind::choice;
    // One; of a consistency item the ways of asking. Empty where the item has turns.
    std::vector<ItemPrompt> prompts;
    // Said by the user one after the other; each answer becomes part of the conversation.
    std::vector<std::string> turns;
    std::string system;        // of the turns, may be empty
    std::vector<size_t> same;  // turns whose answers should agree, at least two
    std::vector<std::string> choices;
    size_t answer = 0;  // index of choices
    std::vector<std::string> references;
    std::vector<std::string> stop;  // strings that end an output
    uint32_t output_tokens = kOutputTokensDefault;
    uint32_t samples = 1;  // outputs to each prompt
    double temperature = 0;
    // Given answers: of a choice the index, else the outputs in order (one by prompt, sample,
    // turn).
    std::optional<size_t> prediction;
    std::vector<std::string> outputs;

    bool answered() const { return prediction.has_value() || !outputs.empty(); }
    size_t outputs_wanted() const;
};

// Of one or more files; classification items must all have the same choices, also over files.
// corrupt: a line that is no JSON, no UTF-8 or not of the format, with its number; exhausted: over
// a limit; invalid_argument: no item at all.
base::Status add_items(std::string_view jsonl, std::vector<Item>& items);

}  // namespace hone::quality
