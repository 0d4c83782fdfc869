// Scores of reinforcement learning: what the returns of many episodes come to.
//
//   CVaR(a)    mean of the worst a-fraction, the last of them counted by the part that is left
//   IQM        mean of the middle half: floor(n / 4) cut off at each end (Agarwal et al. 2021)
//   optimality gap   mean of how far scores stay below 1
//   P(X > Y)   share of pairs where x is larger, ties half: U / (n m)
// Samples are at least one. Pure.
#pragma once

#include <span>

namespace hone::quality {

double conditional_value_at_risk(std::span<const double> returns, double fraction);
double interquartile_mean(std::span<const double> returns);
double optimality_gap(std::span<const double> scores);
double probability_of_improvement(std::span<const double> x, std::span<const double> y);

}  // namespace hone::quality
