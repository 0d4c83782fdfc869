// Scores of forecasts, returns, rankings and distributions against numbers of numpy, gluonts,
// rliable, pytrec_eval and pytorch_fid.
#include <gtest/gtest.h>

#include <cmath>

#include "measure/statistics.h"
#include "quality/distribution_scores.h"
#include "quality/forecast_scores.h"
#include "quality/ranking_scores.h"
#include "quality/return_scores.h"

namespace hone::quality {
namespace {

using Values = std::vector<double>;

const Values kY{100, 80, 120, 0, 50};
const Values kForecast{110, 70, 130, 5, 40};

TEST(Forecast, PointErrors) {
    const PointErrors e = point_errors(kY, kForecast);
    EXPECT_NEAR(e.mae, 9, 1e-12);
    EXPECT_NEAR(e.rmse, 9.2195445, 1e-7);
    EXPECT_NEAR(*e.wape, 0.1285714, 1e-7);
    EXPECT_NEAR(*e.bias, 0.0142857, 1e-7);
    EXPECT_NEAR(e.smape, 0.5061587, 1e-7);
    EXPECT_NEAR(*wmape(kY, kForecast, Values{5, 1, 1, 1, 2}), 0.11875, 1e-12);
    EXPECT_NEAR(*mase(kY, kForecast, Values{10, 12, 11, 13, 12, 14}, 1), 5.625, 1e-12);
    EXPECT_FALSE(point_errors(Values{0}, Values{1}).wape);
    EXPECT_FALSE(mase(kY, kForecast, Values{1, 1, 1}, 1));
}

TEST(Forecast, Quantiles) {
    EXPECT_NEAR(pinball(kY, kForecast, 0.1), 4.9, 1e-12);
    EXPECT_NEAR(pinball(kY, kForecast, 0.5), 4.5, 1e-12);
    EXPECT_NEAR(pinball(kY, kForecast, 0.9), 4.1, 1e-12);
    EXPECT_NEAR(*weighted_quantile_loss(kY, kForecast, 0.1), 0.14, 1e-12);
    EXPECT_NEAR(*weighted_quantile_loss(kY, kForecast, 0.5), 0.1285714, 1e-7);
    EXPECT_NEAR(*weighted_quantile_loss(kY, kForecast, 0.9), 0.1171429, 1e-7);
    EXPECT_NEAR(2 * 5 * pinball(kY, kForecast, 0.9), 41, 1e-12);
}

TEST(Forecast, Intervals) {
    const IntervalErrors e =
        interval_errors(kY, Values{90, 75, 100, -5, 45}, Values{115, 85, 118, 10, 60}, 0.2);
    EXPECT_NEAR(e.picp, 0.8, 1e-12);
    EXPECT_NEAR(e.mpiw, 16.6, 1e-12);
    EXPECT_NEAR(*e.pinaw, 0.1383333, 1e-7);
    EXPECT_NEAR(e.winkler, 20.6, 1e-12);
}

TEST(Returns, TailsAndMiddles) {
    const Values returns{12, -3, 7, 7, 0, 25, 9, 1, -10, 4};
    EXPECT_NEAR(measure::mean(returns), 5.2, 1e-12);
    EXPECT_NEAR(*measure::median(returns), 5.5, 1e-12);
    EXPECT_NEAR(interquartile_mean(returns), 4.6666667, 1e-7);
    EXPECT_NEAR(conditional_value_at_risk(returns, 0.1), -10, 1e-12);
    EXPECT_NEAR(conditional_value_at_risk(returns, 0.2), -6.5, 1e-12);
    EXPECT_NEAR(conditional_value_at_risk(returns, 0.25), -5.2, 1e-12);
    EXPECT_NEAR(conditional_value_at_risk(returns, 1), 5.2, 1e-12);
}

TEST(Returns, ScoresOfTasks) {
    const Values scores{0.2, 1.1, 0.6, 0.9, 1.4, 0.5};
    EXPECT_NEAR(measure::mean(scores), 0.7833333, 1e-7);
    EXPECT_NEAR(interquartile_mean(scores), 0.775, 1e-12);
    EXPECT_NEAR(optimality_gap(scores), 0.3, 1e-12);
    EXPECT_NEAR(probability_of_improvement(Values{.5, .7, .9}, Values{.4, .7, .6}), 0.7222222,
                1e-7);
}

TEST(Distributions, Divergences) {
    const Values p{.7, .2, .1}, q{.5, .3, .2};
    EXPECT_NEAR(kl_of_probabilities(p, q), 0.0851228, 1e-7);
    EXPECT_NEAR(kl_of_probabilities(q, p), 0.0920329, 1e-7);
    EXPECT_NEAR(js_of_probabilities(p, q), 0.0219012, 1e-7);
    double plain = 0, positive = 0;
    for (size_t i = 0; i < p.size(); ++i) {
        plain += p[i] * kl_sample_plain(q[i] / p[i]);
        positive += p[i] * kl_sample_positive(q[i] / p[i]);
        EXPECT_GE(kl_sample_positive(q[i] / p[i]), 0);
    }
    EXPECT_NEAR(plain, 0.0851228, 1e-7);
    EXPECT_NEAR(positive, 0.0851228, 1e-7);
    EXPECT_NEAR(kl_of_normals(0, 1, 1, 2), 0.4431472, 1e-7);
    EXPECT_EQ(kl_of_probabilities(Values{1, 0}, Values{0, 1}), HUGE_VAL);
}

TEST(Distributions, FrechetDistance) {
    EXPECT_NEAR(frechet_distance(Values{0, 0}, Values{2, .5, .5, 1}, Values{1, -1},
                                 Values{1, -.2, -.2, 1.5}),
                2.4022070, 1e-7);
    EXPECT_NEAR(
        frechet_distance(Values{0, 0}, Values{4, 0, 0, 9}, Values{3, 4}, Values{1, 0, 0, 16}), 27,
        1e-9);
    EXPECT_NEAR(
        frechet_distance(Values{1, 2}, Values{1, 1, 1, 1}, Values{1, 2}, Values{1, 1, 1, 1}), 0,
        1e-9);
}

TEST(Rankings, AreThoseOfTrecEval) {
    const Relevance one{{"d1", 3}, {"d3", 2}, {"d5", 1}};
    const std::vector<std::string> order{"d1", "d2", "d3", "d4", "d5"};
    EXPECT_NEAR(ndcg_at(order, one, 3), 0.8400080, 1e-7);
    EXPECT_NEAR(ndcg_at(order, one, 5), 0.9212478, 1e-7);
    EXPECT_NEAR(ndcg_at(order, one, 3, Gain::exponential), 0.9049495, 1e-7);
    EXPECT_NEAR(recall_at(order, one, 3), 0.6666667, 1e-7);
    EXPECT_NEAR(precision_at(order, one, 3), 0.6666667, 1e-7);
    EXPECT_NEAR(average_precision_at(order, one, 5), 0.7555556, 1e-7);
    EXPECT_EQ(reciprocal_rank(order, one), 1);
    const Relevance two{{"d2", 1}};
    const std::vector<std::string> third{"d1", "d3", "d2"};
    EXPECT_NEAR(ndcg_at(third, two, 3), 0.5, 1e-12);
    EXPECT_NEAR(reciprocal_rank(third, two), 0.3333333, 1e-7);
    EXPECT_EQ(ndcg_at(third, {}, 3), 0);
    EXPECT_EQ(ranked({{"a", 1}, {"c", 2}, {"b", 2}}), (std::vector<std::string>{"c", "b", "a"}));
}

}  // namespace
}  // namespace hone::quality
