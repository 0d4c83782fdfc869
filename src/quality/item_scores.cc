#include "quality/item_scores.h"

#include <algorithm>
#include <array>
#include <limits>

#include "base/check.h"
#include "quality/classification.h"

namespace hone::quality {
namespace {

using measure::Better;
using Sums = std::span<const double>;

constexpr double kPercent = 100;

double f1_of(Sums sums) {
    return class_scores(sums).f1;
}
double precision_of(Sums sums) {
    return class_scores(sums).precision;
}
double recall_of(Sums sums) {
    return class_scores(sums).recall;
}
double bleu_of(Sums sums) {
    return bleu(sums);
}

double divisor(const std::string& choice, ChoiceLength length) {
    switch (length) {
        case ChoiceLength::none:
            return 1;
        case ChoiceLength::bytes:
            return static_cast<double>(choice.size());
        case ChoiceLength::characters:
            break;
    }
    // Space that only joins the choice to its prompt is not part of it.
    const Sequence points = code_points(choice);
    const auto first = std::find_if_not(points.begin(), points.end(), is_space);
    return static_cast<double>(std::max<std::ptrdiff_t>(points.end() - first, 1));
}

// One metric over the items that have it, in order.
class Measured {
  public:
    Measured(const char* name, double highest, bool share, double (*value)(Sums))
        : out_{{name, Better::higher, highest, share, value}, {}} {}
    // A mean over items.
    explicit Measured(const char* name, bool share = false)
        : Measured(name, 1, share, mean_of_sums) {}

    void add(Sums row) { out_.sums.add(row); }
    void add_mean(double value) { add(std::array{1.0, value}); }
    void give(std::vector<MeasuredItems>& out) {
        if (out_.sums.items() > 0) out.push_back(std::move(out_));
    }

  private:
    MeasuredItems out_;
};

base::Status measure_choices(std::span<const Item> items, std::span<const ItemAnswer> answers,
                             const ScoringRules& rules, const GoOn& go_on,
                             std::vector<MeasuredItems>& out) {
    Measured accuracy("accuracy", true);
    Measured f1("f1", 1, false, f1_of);
    Measured precision("precision", 1, false, precision_of);
    Measured recall("recall", 1, false, recall_of);
    for (size_t i = 0; i < items.size(); ++i) {
        HONE_TRY_STATUS(check_go_on(go_on, i, items.size()));
        const Item& item = items[i];
        if (item.choices.empty()) continue;
        const size_t choice = chosen(item, answers[i], rules);
        accuracy.add_mean(choice == item.answer ? 1 : 0);
        if (item.task != TaskKind::classification) continue;
        const auto counts = class_counts(item.answer, choice, item.choices.size());
        for (Measured* metric : {&f1, &precision, &recall}) metric->add(counts);
    }
    for (Measured* metric : {&accuracy, &f1, &precision, &recall}) metric->give(out);
    return {};
}

base::Status measure_generation(std::span<const Item> items, std::span<const ItemAnswer> answers,
                                const ScoringRules& rules, const GoOn& go_on,
                                std::vector<MeasuredItems>& out) {
    Measured bleu_metric("bleu", kPercent, false, bleu_of);
    Measured chrf_metric("chrf", kPercent, false, chrf);
    Measured rouge1("rouge1"), rouge2("rouge2"), rouge_l("rougeL");
    Measured exact("exact_match", true), f1("token_f1");
    for (size_t i = 0; i < items.size(); ++i) {
        HONE_TRY_STATUS(check_go_on(go_on, i, items.size()));
        if (items[i].task != TaskKind::generation) continue;
        const std::string& output = answers[i].outputs.front();
        const std::span<const std::string> references = items[i].references;
        bleu_metric.add(bleu_counts(output, references, rules.bleu_tokens));
        chrf_metric.add(chrf_counts(output, references));
        const Rouge scores = rouge(output, references, rules.rouge_tokens);
        rouge1.add_mean(scores.rouge1.f1());
        rouge2.add_mean(scores.rouge2.f1());
        rouge_l.add_mean(scores.rouge_l.f1());
        exact.add_mean(exact_match(output, references) ? 1 : 0);
        f1.add_mean(token_f1(output, references));
    }
    for (Measured* metric : {&bleu_metric, &chrf_metric, &rouge1, &rouge2, &rouge_l, &exact, &f1}) {
        metric->give(out);
    }
    return {};
}

base::Status measure_consistency(std::span<const Item> items, std::span<const ItemAnswer> answers,
                                 const GoOn& go_on, std::vector<MeasuredItems>& out) {
    Measured equal("consistency"), majority("consistency_majority");
    Measured similar("consistency_similarity");
    Measured turns_equal("turn_consistency"), turns_similar("turn_similarity");
    for (size_t i = 0; i < items.size(); ++i) {
        HONE_TRY_STATUS(check_go_on(go_on, i, items.size()));
        if (items[i].task != TaskKind::consistency) continue;
        const std::vector<std::string>& outputs = answers[i].outputs;
        if (items[i].turns.empty()) {
            const Agreement found = agreement(outputs);
            equal.add_mean(found.pairs_equal);
            majority.add_mean(found.majority);
            similar.add_mean(found.edit_similarity);
            continue;
        }
        std::vector<std::string> same;
        for (const size_t turn : items[i].same) same.push_back(outputs[turn]);
        const Agreement found = agreement(same);
        turns_equal.add_mean(found.pairs_equal);
        turns_similar.add_mean(found.edit_similarity);
    }
    for (Measured* metric : {&equal, &majority, &similar, &turns_equal, &turns_similar}) {
        metric->give(out);
    }
    return {};
}

}  // namespace

const char* choice_length_name(ChoiceLength length) {
    constexpr std::array kNames = {"none", "characters", "bytes"};
    return kNames[static_cast<size_t>(length)];
}

ChoiceLength choice_length_of(TaskKind task, const ScoringRules& rules) {
    if (rules.choice_length) return *rules.choice_length;
    return task == TaskKind::classification ? ChoiceLength::none : ChoiceLength::characters;
}

size_t chosen(const Item& item, const ItemAnswer& answer, const ScoringRules& rules) {
    if (item.prediction) return *item.prediction;
    HONE_CHECK_EQ(answer.log_likelihoods.size(), item.choices.size());
    const ChoiceLength length = choice_length_of(item.task, rules);
    size_t best = 0;
    double best_score = -std::numeric_limits<double>::infinity();
    for (size_t i = 0; i < item.choices.size(); ++i) {
        const double score = answer.log_likelihoods[i] / divisor(item.choices[i], length);
        if (!(score > best_score)) continue;  // nor does NaN win
        best = i;
        best_score = score;
    }
    return best;
}

base::Result<std::vector<MeasuredItems>> measure_items(std::span<const Item> items,
                                                       std::span<const ItemAnswer> answers,
                                                       const ScoringRules& rules,
                                                       const GoOn& go_on) {
    HONE_CHECK_EQ(items.size(), answers.size());
    std::vector<MeasuredItems> out;
    HONE_TRY_STATUS(measure_choices(items, answers, rules, go_on, out));
    HONE_TRY_STATUS(measure_generation(items, answers, rules, go_on, out));
    HONE_TRY_STATUS(measure_consistency(items, answers, go_on, out));
    return out;
}

base::Result<std::vector<MeasuredItems>> measure_distances(std::span<const Item> items,
                                                           std::span<const ItemAnswer> base,
                                                           std::span<const ItemAnswer> answers,
                                                           const GoOn& go_on) {
    HONE_CHECK_EQ(items.size(), answers.size());
    HONE_CHECK_EQ(items.size(), base.size());
    Measured same("same_output"), similar("output_similarity"), drift("turn_drift");
    for (size_t i = 0; i < items.size(); ++i) {
        HONE_TRY_STATUS(check_go_on(go_on, i, items.size()));
        const std::vector<std::string>& ours = answers[i].outputs;
        const std::vector<std::string>& theirs = base[i].outputs;
        if (ours.empty()) continue;
        std::vector<double> similarity;
        double equal = 0, sum = 0;
        for (size_t k = 0; k < ours.size(); ++k) {
            equal += exact_match(ours[k], std::span(&theirs[k], 1)) ? 1 : 0;
            similarity.push_back(edit_similarity(ours[k], theirs[k]));
            sum += similarity.back();
        }
        const auto n = static_cast<double>(ours.size());
        same.add_mean(equal / n);
        similar.add_mean(sum / n);
        if (!items[i].turns.empty()) drift.add_mean(similarity.front() - similarity.back());
    }
    std::vector<MeasuredItems> out;
    for (Measured* metric : {&same, &similar, &drift}) metric->give(out);
    return out;
}

}  // namespace hone::quality
