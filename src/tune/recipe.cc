#include "tune/recipe.h"

#include "base/json.h"
#include "base/text.h"
#include "ledger/journal_text.h"
#include "machine/json_fields.h"
#include "tune/action.h"

namespace hone::tune {
namespace {

using base::ErrorCode;
using base::fail;
using base::Json;

}  // namespace

std::string recipe_text(const ledger::Run& run, const std::string& gate) {
    Json steps = Json::array();
    for (const ledger::Trial& trial : run.trials) {
        if (trial.status != ledger::TrialStatus::kept) continue;
        const auto* result = trial.result();
        steps.push_back(
            {{"action", trial.action},
             {"apply", ledger::changes_json(trial.apply)},
             {"undo", ledger::changes_json(trial.undo)},
             {"risk", trial.risk},
             {"promised_percent", trial.promise ? Json(trial.promise->change_percent) : Json()},
             {"measured_percent",
              result != nullptr ? machine::json_optional(result->change_percent) : Json()}});
    }
    const Json json = {{"schema", kRecipeSchema},
                       {"model", run.subject.model},
                       {"model_key", run.subject.model_key},
                       {"machine", run.subject.machine},
                       {"scenario", run.subject.scenario},
                       {"gate", gate},
                       {"steps", std::move(steps)}};
    return base::dump_json(json) + "\n";
}

base::Result<Recipe> parse_recipe(std::string_view text) {
    HONE_TRY(const Json json, base::parse_json(text, {kRecipeBytesMax, 16, 256}));
    base::Status status;
    Recipe recipe;
    int schema = 0;
    machine::JsonFields fields(json, "$", status);
    fields.required("schema", schema);
    // First: a newer version may have other fields.
    if (status && schema > kRecipeSchema) {
        return fail(ErrorCode::unsupported, "schema {}: this version reads {}", schema,
                    kRecipeSchema);
    }
    fields.required("scenario", recipe.scenario);
    fields.required("gate", recipe.gate);
    fields.rows("steps", recipe.actions, [](machine::JsonFields& row, std::string& action) {
        row.required("action", action);
    });
    if (!status) return tl::unexpected<base::Error>(std::move(status).error());
    if (recipe.actions.size() > kRecipeStepsMax) {
        return fail(ErrorCode::exhausted, "{} steps; a recipe has {} at most",
                    recipe.actions.size(), kRecipeStepsMax);
    }
    for (const std::string& action : recipe.actions) {
        const ledger::Changes changes = changes_of(action);
        const base::Status known =
            changes.empty() ? fail(ErrorCode::unsupported, "unknown")
                            : base::Status(changed(Settings(), changes).map([](auto&&) {}));
        if (!known) {
            return fail(ErrorCode::unsupported, "this version does not know the action '{}'",
                        base::printable(action));
        }
    }
    return recipe;
}

}  // namespace hone::tune
