#include "report/explain_sections.h"

namespace hone::report {
namespace {

using diagnose::Decision;
using diagnose::note;
using diagnose::Note;

// Losses beyond these are counted, not shown: they teach nothing new.
constexpr size_t kLossesShown = 4;

std::string joined(const std::vector<std::string>& words) {
    std::string out;
    for (const std::string& word : words) out += (out.empty() ? "" : " ") + word;
    return out;
}

// Adding nothing means leaving out what the other side adds.
std::string arguments_text(const Style& style, const std::vector<std::string>& own,
                           const std::vector<std::string>& other) {
    if (!own.empty()) return joined(own);
    return say(style, note("drop_arguments").with("arguments", joined(other)));
}

std::string tier_id(const diagnose::Prediction& prediction) {
    return std::string("tier_") + cost::provenance_name(prediction.tier);
}

std::string interval_text(const diagnose::Prediction& prediction) {
    const measure::Interval& interval = prediction.interval;
    if (interval.low == interval.high) return {};
    return fmt::format("[{:+.1f}, {:+.1f}] ", interval.low, interval.high);
}

// "[-12.0, -9.7] - gain"
std::string verdict_text(const Style& style, const diagnose::Prediction& prediction) {
    const bool none = prediction.change_percent == 0;
    const char* verdict = prediction.better ? "card_gain"
                          : none            ? "card_no_difference"
                                            : "card_loss";
    const Ink ink = prediction.better ? Ink::good : none ? Ink::plain : Ink::bad;
    return interval_text(prediction) + "- " + paint(style, ink, say(style, verdict));
}

void add_card(Page& page, const Decision& card, size_t number) {
    const Style& style = page.style();
    const diagnose::Prediction& prediction = *card.predicted;
    page.note(note("card_head")
                  .with("number", number)
                  .with("title", say(style, card.title))
                  .with("change_percent", prediction.change_percent)
                  .with("metric", prediction.metric)
                  .with("interval", verdict_text(style, prediction)));
    std::string evidence;
    for (const Note& line : card.evidence) {
        evidence += (evidence.empty() ? "" : "; ") + say(style, line);
    }
    if (!evidence.empty()) page.note(note("card_evidence").with("text", evidence), 6);
    page.note(note("card_cost")
                  .with("level", say(style, "complexity_" + card.complexity.level))
                  .with("minutes", card.complexity.minutes)
                  .with("risk", say(style, "risk_" + card.risk.level))
                  .with("reversible", card.risk.reversible ? say(style, "card_reversible") : "")
                  .with("tier", say(style, tier_id(prediction))),
              6);
    if (!card.available) return;
    page.note(note("card_apply").with("arguments", arguments_text(style, card.apply, card.undo)),
              6);
    page.note(note("card_undo").with("arguments", arguments_text(style, card.undo, card.apply)), 6);
}

// Nobody should act on these: one line each.
void add_doubtful(Page& page, const std::vector<const Decision*>& cards) {
    if (cards.empty()) return;
    const Style& style = page.style();
    page.line("  " + say(style, "doubtful_title"));
    for (const Decision* card : cards) {
        page.note(note("card_doubtful")
                      .with("title", say(style, card->title))
                      .with("change_percent", card->predicted->change_percent)
                      .with("metric", card->predicted->metric)
                      .with("interval", interval_text(*card->predicted))
                      .with("n", card->predicted->pairs),
                  4);
    }
}

// One line per reason, with all cards that lack a prediction for it.
void add_unpredicted(Page& page, const std::vector<const Decision*>& cards) {
    if (cards.empty()) return;
    const Style& style = page.style();
    page.line("  " + say(style, "unpredicted_title"));
    for (const Decision* card : cards) {
        page.note(note("card_head_unknown")
                      .with("title", say(style, card->title))
                      .with("reason", say(style, card->reason)),
                  4);
    }
}

// What it comes to, before the cards.
void add_outcome(Page& page, const diagnose::Outcome& outcome) {
    const Style& style = page.style();
    std::string kinds;
    for (const std::string& kind : outcome.checked) {
        kinds += (kinds.empty() ? "" : ", ") + say(style, "kind_" + kind);
    }
    const size_t tried = outcome.gains + outcome.losses + outcome.too_close;
    std::string id = std::string("outcome_") + diagnose::verdict_name(outcome.verdict);
    if (outcome.verdict == diagnose::Outcome::Verdict::not_enough_data && tried > 0) {
        id += outcome.untrusted ? "_untrusted" : "_few";
    }
    page.note(note(id)
                  .with("gains", outcome.gains)
                  .with("losses", outcome.losses)
                  .with("close", outcome.too_close)
                  .with("tried", tried)
                  .with("checked", kinds));
    if (outcome.not_predicted > 0) {
        page.note(note("outcome_not_predicted").with("count", outcome.not_predicted));
    }
    if (outcome.gains_at_risk > 0) {
        page.note(note("outcome_at_risk").with("count", outcome.gains_at_risk));
    }
}

}  // namespace

void add_decisions(Page& page, const diagnose::Diagnosis& diagnosis) {
    const std::vector<Decision>& decisions = diagnosis.decisions;
    page.section("section_decisions");
    if (!decisions.empty()) add_outcome(page, diagnosis.outcome);
    size_t number = 0;
    size_t losses = 0;
    std::vector<const Decision*> unknown;
    std::vector<const Decision*> doubtful;
    std::vector<const Decision*> beyond;
    for (const Decision& card : decisions) {
        if (!card.predicted) {
            unknown.push_back(&card);
            continue;
        }
        if (!card.predicted->sure) {
            doubtful.push_back(&card);
            continue;
        }
        if (!card.available) {
            if (card.predicted->better) beyond.push_back(&card);
            continue;
        }
        if (!card.predicted->better && ++losses > kLossesShown) continue;
        add_card(page, card, ++number);
    }
    if (losses > kLossesShown) {
        page.note(note("more_losses").with("count", losses - kLossesShown));
    }
    if (!beyond.empty()) page.line("  " + say(page.style(), "beyond_title"));
    for (const Decision* card : beyond) add_card(page, *card, ++number);
    add_doubtful(page, doubtful);
    add_unpredicted(page, unknown);
    if (decisions.empty()) page.line("  " + say(page.style(), "no_decisions"));
}

}  // namespace hone::report
