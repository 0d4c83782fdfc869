#include "quality/forecast_scores.h"

#include <algorithm>
#include <cmath>

#include "base/check.h"

namespace hone::quality {
namespace {

using Values = std::span<const double>;

std::optional<double> quotient(double a, double b) {
    if (b == 0) return std::nullopt;
    return a / b;
}

double sum_of_sizes(Values values) {
    double sum = 0;
    for (const double value : values) sum += std::abs(value);
    return sum;
}

}  // namespace

PointErrors point_errors(Values y, Values forecast) {
    HONE_CHECK_EQ(y.size(), forecast.size());
    HONE_CHECK_GT(y.size(), size_t{0});
    PointErrors out;
    double absolute = 0, signed_sum = 0;
    const auto n = static_cast<double>(y.size());
    for (size_t i = 0; i < y.size(); ++i) {
        const double error = forecast[i] - y[i];
        absolute += std::abs(error);
        signed_sum += error;
        out.rmse += error * error / n;
        const double size = std::abs(y[i]) + std::abs(forecast[i]);
        if (size > 0) out.smape += 2 * std::abs(error) / size / n;
    }
    out.mae = absolute / n;
    out.rmse = std::sqrt(out.rmse);
    out.wape = quotient(absolute, sum_of_sizes(y));
    out.bias = quotient(signed_sum, sum_of_sizes(y));
    return out;
}

std::optional<double> wmape(Values y, Values forecast, Values weights) {
    HONE_CHECK_EQ(y.size(), forecast.size());
    HONE_CHECK_EQ(y.size(), weights.size());
    double errors = 0, sizes = 0;
    for (size_t i = 0; i < y.size(); ++i) {
        errors += weights[i] * std::abs(y[i] - forecast[i]);
        sizes += weights[i] * std::abs(y[i]);
    }
    return quotient(errors, sizes);
}

std::optional<double> mase(Values y, Values forecast, Values past, size_t season) {
    HONE_CHECK_GT(season, size_t{0});
    HONE_CHECK_GT(past.size(), season);
    double steps = 0;
    for (size_t i = season; i < past.size(); ++i) steps += std::abs(past[i] - past[i - season]);
    return quotient(point_errors(y, forecast).mae,
                    steps / static_cast<double>(past.size() - season));
}

double pinball(Values y, Values forecast, double quantile) {
    HONE_CHECK_EQ(y.size(), forecast.size());
    HONE_CHECK_GT(y.size(), size_t{0});
    double sum = 0;
    for (size_t i = 0; i < y.size(); ++i) {
        const double error = y[i] - forecast[i];
        sum += std::max(quantile * error, (quantile - 1) * error);
    }
    return sum / static_cast<double>(y.size());
}

std::optional<double> weighted_quantile_loss(Values y, Values forecast, double quantile) {
    const double loss = 2 * pinball(y, forecast, quantile) * static_cast<double>(y.size());
    return quotient(loss, sum_of_sizes(y));
}

IntervalErrors interval_errors(Values y, Values low, Values high, double alpha) {
    HONE_CHECK_EQ(y.size(), low.size());
    HONE_CHECK_EQ(y.size(), high.size());
    HONE_CHECK_GT(y.size(), size_t{0});
    IntervalErrors out;
    const auto n = static_cast<double>(y.size());
    for (size_t i = 0; i < y.size(); ++i) {
        const double outside = std::max({low[i] - y[i], y[i] - high[i], 0.0});
        out.picp += outside == 0 ? 1 / n : 0;
        out.mpiw += (high[i] - low[i]) / n;
        out.winkler += (high[i] - low[i] + 2 / alpha * outside) / n;
    }
    const auto [least, most] = std::minmax_element(y.begin(), y.end());
    out.pinaw = quotient(out.mpiw, *most - *least);
    return out;
}

}  // namespace hone::quality
