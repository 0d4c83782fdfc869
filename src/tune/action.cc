#include "tune/action.h"

#include <algorithm>
#include <cmath>

#include "cost/predict.h"
#include "diagnose/prediction.h"
#include "ledger/learning.h"
#include "machine/isa.h"
#include "measure/comparison.h"
#include "tune/weight_files.h"

namespace hone::tune {
namespace {

using cost::WhatIf;
using cost::WhatIfKind;
using diagnose::Decision;
using diagnose::note;
using diagnose::Prediction;
using measure::RunRecord;

constexpr double kInterval95Sigmas = 1.959964;
bool in_force(const Settings& now, const ledger::Changes& changes) {
    return std::all_of(changes.begin(), changes.end(), [&](const auto& change) {
        return value_of(now, change.first) == change.second;
    });
}

void predict(const RunRecord& record, const WhatIf& what_if, Action& action) {
    diagnose::PredictionResult result = diagnose::predict_primary(record, what_if);
    action.predicted = std::move(result.value);
    action.reason = std::move(result.reason);
}

Action other_pinning(const Settings& now) {
    Action action;
    action.id = now.pin ? "pin:off" : "pin:on";
    action.title = note(now.pin ? "action_pin_off" : "action_pin_on");
    action.reason = note("no_model_of_it");
    return action;
}

// Whether the text repeats itself is the prompts' secret; the output is the same.
Action other_speculation(const Settings& now) {
    const bool on = now.speculate == kNgram;
    Action action;
    action.id = on ? "speculate:off" : "speculate:ngram";
    action.title = note(on ? "action_speculate_off" : "action_speculate_ngram");
    action.reason = note("no_model_of_it");
    return action;
}

// The whole prompt in one step, and twice as much as now.
std::vector<Action> more_step_tokens(const RunRecord& record, const Settings& now) {
    const auto prompt = static_cast<uint32_t>(std::max(1, record.context.prompt_tokens));
    std::vector<Action> out;
    uint32_t whole = 16;
    while (whole < prompt && whole < kStepTokensMax) whole *= 2;
    for (const uint32_t tokens : {whole, 2 * now.step_tokens}) {
        // More than the prompt changes nothing.
        if (tokens <= now.step_tokens || tokens > whole) continue;
        Action action;
        action.id = fmt::format("step_tokens:{}", tokens);
        action.title = note("card_step_tokens").with("tokens", tokens).with("now", now.step_tokens);
        predict(record, WhatIf{WhatIfKind::step_tokens, "", std::to_string(tokens)}, action);
        out.push_back(std::move(action));
    }
    return out;
}

Action action_of(const Decision& card) {
    Action action;
    action.id = card.action;
    action.title = card.title;
    action.risk = card.risk.level;
    action.minutes = card.complexity.minutes;
    action.evidence = card.evidence;
    action.predicted = card.predicted;
    action.reason = card.reason;
    return action;
}

// Where nothing is predicted. A pass is on and a level is the highest because that mostly pays.
double prior_percent(const Action& action) {
    if (action.id.starts_with("without:")) return -kUnknownSpreadPercent;
    if (!action.id.starts_with("isa:")) return 0;
    for (const auto& [name, value] : action.title.parameters) {
        if (name != "now") continue;
        const auto* text = std::get_if<std::string>(&value);
        const auto now = machine::parse_isa(text != nullptr ? *text : "");
        const auto then = machine::parse_isa(action.id.substr(4));
        if (!now || !then) return 0;
        return *then > *now ? kUnknownSpreadPercent : -kUnknownSpreadPercent;
    }
    return 0;
}

measure::PredictedChange promise_of(const Prediction& prediction) {
    return {prediction.change_percent, prediction.interval, cost::provenance_name(prediction.tier)};
}

// Of the metric's change, good ways up.
double gain_percent(const Prediction& prediction, double change_percent) {
    return diagnose::higher_is_better(prediction.metric) ? change_percent : -change_percent;
}

}  // namespace

bool Action::saves_memory() const {
    return predicted && predicted->metric.ends_with("_bytes");
}

ledger::Changes changes_of(const std::string& id) {
    const size_t colon = id.find(':');
    const std::string kind = id.substr(0, colon);
    const std::string rest = colon == std::string::npos ? "" : id.substr(colon + 1);
    if (kind == "with" && !rest.empty()) return {{"pass:" + rest, "on"}};
    if (kind == "without" && !rest.empty()) return {{"pass:" + rest, "off"}};
    if (kind == "variant") {
        const size_t equals = rest.find('=');
        if (equals == std::string::npos) return {};
        return {{"variant:" + rest.substr(0, equals), rest.substr(equals + 1)}};
    }
    if (id == "trim_padding") return {{"trim_padding", "on"}};
    if (id == "flush_denormals") return {{"flush_denormals", "on"}};
    if (id == "keep_denormals") return {{"flush_denormals", "off"}};
    for (const char* setting : {"threads", "isa", "step_tokens", "context", "batch", "kv", "pin",
                                "prefix_cache", "weights", "speculate", "head", "without_layers"}) {
        if (kind == setting && !rest.empty()) return {{kind, rest}};
    }
    return {};
}

bool is_action_kind(const std::string& kind) {
    // "a=b" is a value of every kind that takes one.
    const bool word = kind.find(':') == std::string::npos;
    return word && (!changes_of(kind).empty() || !changes_of(kind + ":a=b").empty());
}

std::vector<Action> actions_for(const RunRecord& record, const std::vector<Decision>& cards,
                                const Settings& now, bool own_prompts) {
    std::vector<Action> actions;
    for (const Decision& card : cards) {
        const std::string kind = ledger::kind_of(card.action);
        // How many requests come together is the user's, but where nobody waits.
        if (kind == "batch" && record.context.scenario != "batch") continue;
        actions.push_back(action_of(card));
    }
    actions.push_back(other_pinning(now));
    // Where the time between tokens decides. Short answers end before a trial, and a batch reads
    // the weights for several sequences at once already.
    if (record.context.scenario == "generative" && own_prompts) {
        actions.push_back(other_speculation(now));
    }
    for (Action& action : more_step_tokens(record, now)) actions.push_back(std::move(action));
    std::vector<Action> out;
    for (Action& action : actions) {
        action.apply = changes_of(action.id);
        const bool twice =
            std::any_of(out.begin(), out.end(), [&](const Action& a) { return a.id == action.id; });
        if (action.apply.empty() || twice || in_force(now, action.apply)) continue;
        out.push_back(std::move(action));
    }
    return out;
}

void learn(Action& action, const std::vector<ledger::TestedPromise>& earlier) {
    if (!action.predicted || action.saves_memory()) return;
    if (!action.raw) action.raw = action.predicted;
    const ledger::Correction correction = ledger::correction_for(action.id, earlier);
    Prediction learned = *action.raw;
    learned.change_percent = ledger::corrected(learned.change_percent, learned.metric, correction);
    learned.interval = ledger::corrected(learned.interval, learned.metric, correction);
    if (learned.ci95) learned.ci95 = ledger::corrected(*learned.ci95, learned.metric, correction);
    const measure::Interval& effect = learned.ci95 ? *learned.ci95 : learned.interval;
    const bool sure =
        effect.low > measure::kEffectFloorPercent || effect.high < -measure::kEffectFloorPercent;
    learned.sure = learned.sure && (sure || correction.results == 0);
    learned.better = learned.sure && gain_percent(learned, learned.change_percent) > 0;
    action.predicted = std::move(learned);
    action.learned_from = correction.results;
}

namespace {

// 1 for an action that does not touch the weights.
double weights_chance(const Action& action, const Gate& gate) {
    for (const auto& [name, value] : action.apply) {
        if (name != "weights") continue;
        const auto spec = parse_weights(value);
        if (spec) return chance_to_hold(gate, compress::bits_of(spec->type));
    }
    return 1;
}

}  // namespace

double expected_gain_percent(const Action& action) {
    double middle = prior_percent(action);
    double spread = kUnknownSpreadPercent;
    if (action.predicted) {
        const Prediction& prediction = *action.predicted;
        middle = gain_percent(prediction, prediction.change_percent);
        const measure::Interval& interval =
            prediction.ci95 ? *prediction.ci95 : prediction.interval;
        spread = (interval.high - interval.low) / (2 * kInterval95Sigmas);
    }
    if (!(spread > 0)) return std::max(0.0, middle);
    const double z = middle / spread;
    const double density = std::exp(-0.5 * z * z) / std::sqrt(2 * M_PI);
    const double below = 0.5 * std::erfc(-z / std::sqrt(2.0));
    return middle * below + spread * density;
}

double rank_of(const Action& action, const Gate& gate) {
    double rank = expected_gain_percent(action) / (1 + action.minutes / 60.0);
    if (action.risk == "quality") rank *= std::min(0.5, weights_chance(action, gate));
    if (action.risk == "epsilon") rank *= 0.9;
    // After everything that makes it faster.
    if (action.saves_memory()) rank = std::min(rank, 1e-3);
    return rank;
}

ledger::Trial trial_of(const Action& action, const Settings& now) {
    ledger::Trial trial;
    trial.action = action.id;
    trial.title = action.title;
    trial.apply = action.apply;
    trial.undo = undo_of(now, action.apply);
    trial.risk = action.risk;
    trial.minutes = action.minutes;
    trial.evidence = action.evidence;
    if (!action.predicted) {
        trial.reason = action.reason;
        return trial;
    }
    trial.promise_metric = action.predicted->metric;
    trial.promise = promise_of(*action.predicted);
    trial.raw = promise_of(action.raw ? *action.raw : *action.predicted);
    trial.learned_from = action.learned_from;
    return trial;
}

}  // namespace hone::tune
