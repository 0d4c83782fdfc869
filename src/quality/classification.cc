#include "quality/classification.h"

#include "base/check.h"

namespace hone::quality {
namespace {

struct ClassScore {
    double precision = 0;
    double recall = 0;
    double f1 = 0;
};

double ratio(double a, double b) {
    return b > 0 ? a / b : 0;
}

ClassScore score_of(std::span<const double> counts, size_t index) {
    const double both = counts[3 * index];
    const double predicted = counts[3 * index + 1];
    const double truth = counts[3 * index + 2];
    return {ratio(both, predicted), ratio(both, truth), ratio(2 * both, predicted + truth)};
}

}  // namespace

std::vector<double> class_counts(size_t truth, size_t predicted, size_t classes) {
    HONE_CHECK_LT(truth, classes);
    HONE_CHECK_LT(predicted, classes);
    std::vector<double> counts(3 * classes, 0);
    if (truth == predicted) counts[3 * truth] = 1;
    counts[3 * predicted + 1] = 1;
    counts[3 * truth + 2] = 1;
    return counts;
}

ClassScores class_scores(std::span<const double> counts) {
    const size_t classes = counts.size() / 3;
    ClassScores out;
    ClassScore sum;
    double both = 0, items = 0, occurring = 0;
    for (size_t c = 0; c < classes; ++c) {
        both += counts[3 * c];
        items += counts[3 * c + 2];
        if (counts[3 * c + 1] + counts[3 * c + 2] == 0) continue;
        ++occurring;
        const ClassScore score = score_of(counts, c);
        sum.precision += score.precision;
        sum.recall += score.recall;
        sum.f1 += score.f1;
    }
    out.accuracy = out.f1_micro = ratio(both, items);
    out.f1_macro = ratio(sum.f1, occurring);
    if (classes == 2) {
        const ClassScore positive = score_of(counts, 1);
        out.precision = positive.precision;
        out.recall = positive.recall;
        out.f1 = positive.f1;
    } else {
        out.precision = ratio(sum.precision, occurring);
        out.recall = ratio(sum.recall, occurring);
        out.f1 = out.f1_macro;
    }
    return out;
}

}  // namespace hone::quality
