// The activations of feed-forward layers. Apart from every kernel family, so that graphs and ISA
// files can name one without more.
#pragma once

#include <cstdint>

namespace hone::kernels {

// Alone, or in the product of a gated layer: activation(gate) * up (Shazeer 2020). The first two
// are x * sigmoid(s(x)):
enum class Activation : uint8_t {
    silu,       // s(x) = x
    gelu_tanh,  // s(x) = 2 sqrt(2 / pi) (x + 0.044715 x^3): GELU's tanh form
    gelu,       // x * Phi(x), Phi the normal distribution function (Hendrycks 2016)
};

}  // namespace hone::kernels
