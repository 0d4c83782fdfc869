// What answers to items are worth: the metrics of each task, as sums over items that resampling can
// add up (quality/resampling.h).
//
//   accuracy                share of choice and classification items answered right
//   f1, precision, recall   of the classification (quality/classification.h)
//   bleu chrf rouge1 rouge2 rougeL exact_match token_f1
//                           of generated texts against their references
//   consistency             share of pairs of answers to one question that are equal,
//   consistency_majority    share of the commonest answer,
//   consistency_similarity  mean similarity by edits; each a mean over items
//   turn_consistency        the first and the last for turns of a conversation that should
//   turn_similarity         agree
// and, against a base that answered the same items:
//   same_output             share of outputs equal to the base's (answers are normalized)
//   output_similarity       mean similarity by edits to the base's
//   turn_drift              similarity to the base of the first turn less that of the last
// The choice is the one of the highest ln p, divided by its length where the rule says so: choices
// by characters (acc_norm of lm-eval), classes not at all, since they are the same for all items.
// Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "quality/answer_scores.h"
#include "quality/answers.h"
#include "quality/go_on.h"
#include "quality/items.h"
#include "quality/resampling.h"
#include "quality/translation_scores.h"

namespace hone::quality {

enum class ChoiceLength : uint8_t { none, characters, bytes };
const char* choice_length_name(ChoiceLength length);

struct ScoringRules {
    std::optional<ChoiceLength> choice_length = std::nullopt;  // nothing: as above
    BleuTokens bleu_tokens = BleuTokens::wmt13a;
    RougeTokens rouge_tokens = RougeTokens::ascii;
};

// The rule for a task.
ChoiceLength choice_length_of(TaskKind task, const ScoringRules& rules);
// Index of the choice; the first of equal ones. NaN is never chosen where there is another.
size_t chosen(const Item& item, const ItemAnswer& answer, const ScoringRules& rules);

struct MeasuredItems {
    ItemMetric metric;
    ItemSums sums;
};
// Metrics that the items have, in the order above; answers are those of the items. cancelled, and
// nothing else.
base::Result<std::vector<MeasuredItems>> measure_items(std::span<const Item> items,
                                                       std::span<const ItemAnswer> answers,
                                                       const ScoringRules& rules,
                                                       const GoOn& go_on = {});
// Distances of the answers to the base's. cancelled.
base::Result<std::vector<MeasuredItems>> measure_distances(std::span<const Item> items,
                                                           std::span<const ItemAnswer> base,
                                                           std::span<const ItemAnswer> answers,
                                                           const GoOn& go_on = {});

}  // namespace hone::quality
