#include "quality/distribution_scores.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <vector>

#include "base/check.h"

namespace hone::quality {
namespace {

using Matrix = std::vector<double>;  // [n][n]

struct Eigen {
    std::vector<double> values;
    Matrix vectors;  // columns
};

// One rotation in the plane (p, q) that makes a[p][q] zero.
void rotate(Matrix& a, Matrix& v, size_t n, size_t p, size_t q) {
    const double theta = (a[q * n + q] - a[p * n + p]) / (2 * a[p * n + q]);
    const double t = (theta >= 0 ? 1 : -1) / (std::abs(theta) + std::sqrt(theta * theta + 1));
    const double c = 1 / std::sqrt(t * t + 1);
    const double s = t * c;
    for (size_t k = 0; k < n; ++k) {
        const double akp = a[k * n + p], akq = a[k * n + q];
        a[k * n + p] = c * akp - s * akq;
        a[k * n + q] = s * akp + c * akq;
    }
    for (size_t k = 0; k < n; ++k) {
        const double apk = a[p * n + k], aqk = a[q * n + k];
        a[p * n + k] = c * apk - s * aqk;
        a[q * n + k] = s * apk + c * aqk;
        const double vkp = v[k * n + p], vkq = v[k * n + q];
        v[k * n + p] = c * vkp - s * vkq;
        v[k * n + q] = s * vkp + c * vkq;
    }
}

// Jacobi 1846, cyclic.
Eigen eigen_of(Matrix a, size_t n) {
    constexpr int kSweepsMax = 60;
    Matrix v(n * n, 0.0);
    for (size_t i = 0; i < n; ++i) v[i * n + i] = 1;
    for (int sweep = 0; sweep < kSweepsMax; ++sweep) {
        double off = 0, all = 0;
        for (size_t i = 0; i < n * n; ++i) {
            all += a[i] * a[i];
            if (i / n != i % n) off += a[i] * a[i];
        }
        if (off <= 1e-28 * all) break;
        for (size_t p = 0; p + 1 < n; ++p) {
            for (size_t q = p + 1; q < n; ++q) {
                if (a[p * n + q] != 0) rotate(a, v, n, p, q);
            }
        }
    }
    Eigen out{std::vector<double>(n), std::move(v)};
    for (size_t i = 0; i < n; ++i) out.values[i] = std::max(a[i * n + i], 0.0);
    return out;
}

Matrix product(const Matrix& a, const Matrix& b, size_t n) {
    Matrix out(n * n, 0.0);
    for (size_t i = 0; i < n; ++i) {
        for (size_t k = 0; k < n; ++k) {
            for (size_t j = 0; j < n; ++j) out[i * n + j] += a[i * n + k] * b[k * n + j];
        }
    }
    return out;
}

Matrix root_of(const Matrix& a, size_t n) {
    const Eigen eigen = eigen_of(a, n);
    Matrix out(n * n, 0.0);
    for (size_t k = 0; k < n; ++k) {
        const double root = std::sqrt(eigen.values[k]);
        for (size_t i = 0; i < n; ++i) {
            for (size_t j = 0; j < n; ++j) {
                out[i * n + j] += root * eigen.vectors[i * n + k] * eigen.vectors[j * n + k];
            }
        }
    }
    return out;
}

}  // namespace

double kl_of_probabilities(std::span<const double> p, std::span<const double> q) {
    HONE_CHECK_EQ(p.size(), q.size());
    double kl = 0;
    for (size_t i = 0; i < p.size(); ++i) {
        if (p[i] == 0) continue;
        if (q[i] == 0) return std::numeric_limits<double>::infinity();
        kl += p[i] * std::log(p[i] / q[i]);
    }
    return kl;
}

double js_of_probabilities(std::span<const double> p, std::span<const double> q) {
    HONE_CHECK_EQ(p.size(), q.size());
    std::vector<double> middle(p.size());
    for (size_t i = 0; i < p.size(); ++i) middle[i] = (p[i] + q[i]) / 2;
    return (kl_of_probabilities(p, middle) + kl_of_probabilities(q, middle)) / 2;
}

double kl_of_normals(double mean_p, double deviation_p, double mean_q, double deviation_q) {
    const double apart = mean_p - mean_q;
    return std::log(deviation_q / deviation_p) +
           (deviation_p * deviation_p + apart * apart) / (2 * deviation_q * deviation_q) - 0.5;
}

double kl_sample_plain(double ratio) {
    return -std::log(ratio);
}

double kl_sample_positive(double ratio) {
    return ratio - 1 - std::log(ratio);
}

double frechet_distance(std::span<const double> mean_a, std::span<const double> covariance_a,
                        std::span<const double> mean_b, std::span<const double> covariance_b) {
    const size_t n = mean_a.size();
    HONE_CHECK_EQ(mean_b.size(), n);
    HONE_CHECK_EQ(covariance_a.size(), n * n);
    HONE_CHECK_EQ(covariance_b.size(), n * n);
    double distance = 0;
    for (size_t i = 0; i < n; ++i) {
        const double apart = mean_a[i] - mean_b[i];
        distance += apart * apart + covariance_a[i * n + i] + covariance_b[i * n + i];
    }
    const Matrix root = root_of({covariance_a.begin(), covariance_a.end()}, n);
    const Matrix b(covariance_b.begin(), covariance_b.end());
    for (const double value : eigen_of(product(product(root, b, n), root, n), n).values) {
        distance -= 2 * std::sqrt(value);
    }
    return std::max(distance, 0.0);
}

}  // namespace hone::quality
