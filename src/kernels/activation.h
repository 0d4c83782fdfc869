// The activations of gated feed-forward layers. Apart from every kernel family, so that graphs and
// ISA files can name one without more.
#pragma once

#include <cstdint>

namespace hone::kernels {

// The product of a gated layer is activation(gate) * up (Shazeer 2020). Both are g * sigmoid(s(g)):
enum class GateActivation : uint8_t {
    silu,       // s(g) = g
    gelu_tanh,  // s(g) = 2 sqrt(2 / pi) (g + 0.044715 g^3): GELU's tanh form (Hendrycks 2016)
};

}  // namespace hone::kernels
