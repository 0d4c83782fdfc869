// The work that an optimization is judged on, in two halves that share no text: one to try changes
// on, and one held out, on which the end is compared with the start. Whoever picks the best of many
// on one sample expects too much of it; the second sample does not know what was picked.
//
// Requests are texts (from seeds, or the user's own, every other one held out); quality is read
// from a text's two halves. Plain data and pure functions.
#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "diagnose/scenario.h"
#include "models/model.h"
#include "probe/ab.h"
#include "probe/prompt.h"
#include "probe/workload.h"
#include "text/tokenizer.h"
#include "tune/settings.h"

namespace hone::tune {

struct WorkloadOptions {
    const diagnose::Scenario* scenario = nullptr;
    std::vector<probe::Prompt> prompts = {};  // empty: texts from the seed
    std::string text = {};                    // for quality, empty = built in
    std::string text_name = {};
    uint64_t seed = 1;
};

// Positions that the gate is judged on at most, in each half: enough to prove a percent where a
// change hardly moves the predictions.
inline constexpr int kGatePositions = 1024;
// An exact change is believed after as many that are bit for bit the same.
inline constexpr int kExactPositions = 32;

// As in probe::AbOptions.
struct ComparisonTime {
    double budget_s = 10;
    double grace_s = 0;
};

class Workload {
  public:
    // invalid_argument: a text for quality too short to be judged in halves, or a prompt longer
    // than the model's context; unsupported: a context too short for the scenario.
    static base::Result<Workload> create(const models::Model& model,
                                         const text::Tokenizer& tokenizer,
                                         const WorkloadOptions& options);

    int batch(const Settings& settings) const;
    // What a session with these settings must allow. invalid_argument: the settings' own context is
    // less than the work needs.
    base::Result<runtime::LoadOptions> load(const Settings& settings) const;

    // For the record: requests as the scenario has them.
    probe::ScenarioOptions scenario_options(const Settings& settings, double budget_s,
                                            bool held_out) const;
    // The metric that decides, without its percentile, and those beside it that must not suffer.
    std::vector<std::string> trial_metrics() const;
    // Trials differ in their texts by `number`.
    probe::AbOptions trial_options(uint64_t number, const ComparisonTime& time,
                                   double floor_percent) const;
    // The same requests of other texts, with all that they tell.
    probe::AbOptions held_out_options(const ComparisonTime& time, double floor_percent) const;
    const std::string& quality_text(bool held_out) const {
        return held_out ? held_out_text_ : trial_text_;
    }
    const std::string& text_name() const { return options_.text_name; }
    size_t vocabulary() const { return vocabulary_; }

  private:
    WorkloadOptions options_;
    std::vector<probe::Prompt> trial_prompts_;
    std::vector<probe::Prompt> held_out_prompts_;
    std::string trial_text_;
    std::string held_out_text_;
    int prompt_tokens_ = 0;  // longest
    uint32_t positions_ = 0;
    size_t vocabulary_ = 0;
};

}  // namespace hone::tune
