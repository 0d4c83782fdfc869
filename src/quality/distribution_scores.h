// Distances between distributions: of policies, of logits, of feature clouds.
//
//   KL(p, q) = sum p ln(p / q)      JS = (KL(p, m) + KL(q, m)) / 2, m = (p + q) / 2
//   of normals (mean, deviation): ln(s2 / s1) + (s1^2 + (m1 - m2)^2) / (2 s2^2) - 1/2
//   from samples x ~ p with r = q(x) / p(x): -ln r, and (r - 1) - ln r, both with mean
//     KL(p, q); the second never negative (Schulman 2020)
//   Frechet distance of two normals (Heusel et al. 2017, FID on features): |m1 - m2|^2 +
//     trace(S1 + S2 - 2 (S1 S2)^(1/2)), where the trace of the root is the sum of the roots of the
//     eigenvalues of S1^(1/2) S2 S1^(1/2)
// Natural logarithms. The direction is that of the arguments: KL(baseline, candidate). Pure.
#pragma once

#include <cstddef>
#include <span>

namespace hone::quality {

// Probabilities of the same outcomes; a term with p = 0 is 0, one with q = 0 < p infinite.
double kl_of_probabilities(std::span<const double> p, std::span<const double> q);
double js_of_probabilities(std::span<const double> p, std::span<const double> q);
double kl_of_normals(double mean_p, double deviation_p, double mean_q, double deviation_q);
// Of one sample with ratio q(x) / p(x) > 0.
double kl_sample_plain(double ratio);
double kl_sample_positive(double ratio);

// Means [n], covariances [n][n], symmetric and not negative: tiny negative eigenvalues of rounding
// count as 0. O(n^3) by Jacobi's rotations: for n in the hundreds.
double frechet_distance(std::span<const double> mean_a, std::span<const double> covariance_a,
                        std::span<const double> mean_b, std::span<const double> covariance_b);

}  // namespace hone::quality
