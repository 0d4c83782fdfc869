// What a model said to items: log-likelihoods of choices, generated outputs. Made by an Answerer,
// kept in a base's file as JSON, read back from there as foreign bytes.
//
//   choices   ln p(choice | prompt), the sum over the choice's tokens. Of a plain prompt, prompt
//             and choice are tokenized as one text, and the choice's tokens are those that differ
//             from the prompt's own; after a conversation the choice is tokenized alone.
//   outputs   greedy, or at the item's temperature with seed + sample number. Conversations are in
//             the model's chat format, whose date (where a template asks) is always 2025-01-01, so
//             that the same item is the same prompt on every day.
// Not here: what is right (quality/item_scores.h). Thread rule: one thread.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "quality/items.h"
#include "runtime/session.h"

namespace hone::quality {

struct ItemAnswer {
    std::vector<double> log_likelihoods;  // of each choice, nats
    std::vector<std::string> outputs;     // by prompt, sample or turn
};

// Says nothing, in the form that the item wants; of an item that carries its answer that.
ItemAnswer blank_answer(const Item& item);

struct AnswerOptions {
    uint64_t seed = 1;
    const std::atomic<bool>* cancel = nullptr;
    std::function<void(double)> report = {};  // told the share that is done
};

// Items that carry their answers get those. Errors begin with the item's line: exhausted (an item
// longer than the session's context), corrupt (predictions that are no numbers, with the model's
// name), unsupported (messages, and a model without a chat format),
// invalid_argument (its template refuses them), cancelled.
base::Result<std::vector<ItemAnswer>> answer_items(runtime::Session& session,
                                                   std::span<const Item> items,
                                                   const AnswerOptions& options,
                                                   const base::Clock& clock);

std::string answers_text(std::span<const ItemAnswer> answers);
// corrupt: not answers to these items.
base::Result<std::vector<ItemAnswer>> parse_answers(std::string_view text,
                                                    std::span<const Item> items);

}  // namespace hone::quality
