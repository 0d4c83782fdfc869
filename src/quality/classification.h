// Accuracy, precision, recall and F1 of a choice among classes, from counts that can be added up.
//
//   precision = tp / (tp + fp)   recall = tp / (tp + fn)   F1 = 2 tp / (2 tp + fp + fn)
// of a class; 0 where nothing was found or nothing was there. Two classes: those of the second one,
// the "positive" class. More: macro, the plain mean over the classes that occur in truth or
// prediction; micro F1 counts all classes together and is the accuracy. As scikit-learn has them.
// Counts lie flat, so that resampling adds them up. Pure.
#pragma once

#include <cstddef>
#include <span>
#include <vector>

namespace hone::quality {

struct ClassScores {
    double accuracy = 0;
    double precision = 0;  // likewise f1, recall: of the positive class, or macro
    double recall = 0;
    double f1 = 0;
    double f1_macro = 0;  // also of two classes
    double f1_micro = 0;
};

// 3 per class: [in both, predicted, true]. Both are below `classes`.
std::vector<double> class_counts(size_t truth, size_t predicted, size_t classes);
// Of their sums, of at least one item.
ClassScores class_scores(std::span<const double> counts);

}  // namespace hone::quality
