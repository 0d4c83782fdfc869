// recipe.json: what an optimization kept, to be tried again on another machine or model.
//
// {schema, model, model_key, machine, scenario, gate, steps: [{action, apply, undo, risk,
// promised_percent, measured_percent}]}. Replaying reads only the actions, in order, and the gate:
// what they bring is measured afresh where they are replayed. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "ledger/journal.h"

namespace hone::tune {

inline constexpr int kRecipeSchema = 1;
inline constexpr size_t kRecipeBytesMax = 1u << 20;
inline constexpr size_t kRecipeStepsMax = 256;

struct Recipe {
    std::string scenario;
    std::string gate;
    std::vector<std::string> actions;
};

std::string recipe_text(const ledger::Run& run, const std::string& gate);
// corrupt, exhausted (over a limit), unsupported (a newer schema, an action that this version does
// not know).
base::Result<Recipe> parse_recipe(std::string_view text);

}  // namespace hone::tune
