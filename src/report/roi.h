// What an optimization is worth in money: cost per 1K tokens before and after, and a month's
// saving.
//
//   cost per 1K output tokens   price per hour / output tokens per hour * 1000, from
//                               output_tokens_per_s of the held-out requests: the time of their
//                               prompts is paid by what they answer
//   hours of a month            output tokens per month / output tokens per hour: the machine is
//                               paid for as long as it works, and works at full use
//
// Whoever pays for a machine that idles saves only what can be given back; so hours are printed
// beside the money. Prices of prompt and output apart are those of a comparison
// (report/comparison_report.h). No rate or no price is said, never guessed. Pure.
#pragma once

#include <optional>
#include <vector>

#include "base/json_fwd.h"
#include "ledger/journal.h"
#include "report/style.h"

namespace hone::report {

struct Economy {
    std::optional<double> price_per_hour;    // of the machine, EUR
    std::optional<double> tokens_per_month;  // output tokens that are to be made
};

std::vector<diagnose::Note> roi_notes(const ledger::Run& run, const Economy& economy,
                                      const Style& style);
// {price_per_hour, tokens_per_month, verdict, cost_per_1k_output_tokens: {a, b, change_percent},
// hours_per_month: {a, b}, cost_per_month: {a, b}, saving_per_month, lines: notes with their text};
// null what there is no price, load or rate for.
base::Json roi_json(const ledger::Run& run, const Economy& economy, const Style& style);

}  // namespace hone::report
