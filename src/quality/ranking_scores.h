// Scores of a ranking against graded relevance, as trec_eval has them: nDCG with linear gain
// rel / log2(rank + 1), recall and precision at k, average precision, reciprocal rank; equal scores
// of documents are ordered by id, descending. Relevant is what has a grade above 0. All are 0..1,
// and 0 where nothing is relevant. Pure.
#pragma once

#include <cstddef>
#include <map>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace hone::quality {

using Relevance = std::map<std::string, double>;  // grade by id; what is missing has 0

// Ids by score, the highest first.
std::vector<std::string> ranked(std::vector<std::pair<std::string, double>> scores);

enum class Gain { linear, exponential };  // rel, 2^rel - 1
double ndcg_at(std::span<const std::string> ranking, const Relevance& relevance, size_t k,
               Gain gain = Gain::linear);
double recall_at(std::span<const std::string> ranking, const Relevance& relevance, size_t k);
double precision_at(std::span<const std::string> ranking, const Relevance& relevance, size_t k);
double average_precision_at(std::span<const std::string> ranking, const Relevance& relevance,
                            size_t k);
double reciprocal_rank(std::span<const std::string> ranking, const Relevance& relevance);

}  // namespace hone::quality
