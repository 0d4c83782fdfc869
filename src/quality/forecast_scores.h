// Errors of forecasts y^ against y: points, quantiles, intervals. All of equal length, at least
// one.
//
//   WAPE = sum |y - y^| / sum |y| (the "ND" of GluonTS); WMAPE the same with weights w; bias =
//   sum (y^ - y) / sum |y|; sMAPE = mean 2 |e| / (|y| + |y^|), 0..2; MASE = mean |e| over the mean
//   |y_t - y_(t-m)| of the past; pinball(q) = mean max(q e, (q - 1) e), e = y - y^ (GluonTS's
//   quantile_loss is twice the sum); PICP = share of y within [low, high]; MPIW = mean width, PINAW
//   = MPIW over the range of y; Winkler = mean width + 2/alpha times the distance of what lies
//   outside
// nullopt where a definition divides by 0. Pure.
#pragma once

#include <cstddef>
#include <optional>
#include <span>

namespace hone::quality {

struct PointErrors {
    double mae = 0;
    double rmse = 0;
    double smape = 0;
    std::optional<double> wape;
    std::optional<double> bias;
};
PointErrors point_errors(std::span<const double> y, std::span<const double> forecast);
std::optional<double> wmape(std::span<const double> y, std::span<const double> forecast,
                            std::span<const double> weights);
// Season m >= 1, a past longer than it.
std::optional<double> mase(std::span<const double> y, std::span<const double> forecast,
                           std::span<const double> past, size_t season);

double pinball(std::span<const double> y, std::span<const double> forecast, double quantile);
// Twice the sum over sum |y|: wQL.
std::optional<double> weighted_quantile_loss(std::span<const double> y,
                                             std::span<const double> forecast, double quantile);

struct IntervalErrors {
    double picp = 0;
    double mpiw = 0;
    double winkler = 0;
    std::optional<double> pinaw;
};
// `alpha`: 0.2 for intervals of 80 %.
IntervalErrors interval_errors(std::span<const double> y, std::span<const double> low,
                               std::span<const double> high, double alpha);

}  // namespace hone::quality
