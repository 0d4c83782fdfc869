#include "quality/ranking_scores.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <tuple>

#include "base/check.h"

namespace hone::quality {
namespace {

using Ranking = std::span<const std::string>;

double grade_of(const Relevance& relevance, const std::string& id) {
    const auto found = relevance.find(id);
    return found == relevance.end() ? 0 : found->second;
}

double discounted(std::span<const double> grades, Gain gain) {
    double sum = 0;
    for (size_t i = 0; i < grades.size(); ++i) {
        const double value = gain == Gain::linear ? grades[i] : std::exp2(grades[i]) - 1;
        sum += value / std::log2(static_cast<double>(i) + 2);
    }
    return sum;
}

size_t relevant(const Relevance& relevance) {
    return static_cast<size_t>(std::count_if(relevance.begin(), relevance.end(),
                                             [](const auto& entry) { return entry.second > 0; }));
}

size_t hits_at(Ranking ranking, const Relevance& relevance, size_t k) {
    const Ranking first = ranking.first(std::min(k, ranking.size()));
    return static_cast<size_t>(std::count_if(
        first.begin(), first.end(), [&](const auto& id) { return grade_of(relevance, id) > 0; }));
}

}  // namespace

std::vector<std::string> ranked(std::vector<std::pair<std::string, double>> scores) {
    std::sort(scores.begin(), scores.end(), [](const auto& a, const auto& b) {
        return std::tie(a.second, a.first) > std::tie(b.second, b.first);
    });
    std::vector<std::string> out;
    for (auto& [id, score] : scores) out.push_back(std::move(id));
    return out;
}

double ndcg_at(Ranking ranking, const Relevance& relevance, size_t k, Gain gain) {
    std::vector<double> grades, ideal;
    for (size_t i = 0; i < std::min(k, ranking.size()); ++i) {
        grades.push_back(grade_of(relevance, ranking[i]));
    }
    for (const auto& [id, grade] : relevance) ideal.push_back(grade);
    std::sort(ideal.begin(), ideal.end(), std::greater<>());
    ideal.resize(std::min(k, ideal.size()));
    const double best = discounted(ideal, gain);
    return best > 0 ? discounted(grades, gain) / best : 0;
}

double recall_at(Ranking ranking, const Relevance& relevance, size_t k) {
    const size_t all = relevant(relevance);
    if (all == 0) return 0;
    return static_cast<double>(hits_at(ranking, relevance, k)) / static_cast<double>(all);
}

double precision_at(Ranking ranking, const Relevance& relevance, size_t k) {
    HONE_CHECK_GT(k, size_t{0});
    return static_cast<double>(hits_at(ranking, relevance, k)) / static_cast<double>(k);
}

double average_precision_at(Ranking ranking, const Relevance& relevance, size_t k) {
    const size_t all = relevant(relevance);
    if (all == 0) return 0;
    double sum = 0;
    for (size_t i = 0; i < std::min(k, ranking.size()); ++i) {
        if (grade_of(relevance, ranking[i]) > 0) sum += precision_at(ranking, relevance, i + 1);
    }
    return sum / static_cast<double>(all);
}

double reciprocal_rank(Ranking ranking, const Relevance& relevance) {
    for (size_t i = 0; i < ranking.size(); ++i) {
        if (grade_of(relevance, ranking[i]) > 0) return 1 / static_cast<double>(i + 1);
    }
    return 0;
}

}  // namespace hone::quality
