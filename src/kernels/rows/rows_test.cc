#include "kernels/rows/rows.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <limits>
#include <utility>
#include <vector>

#include "base/random.h"

namespace hone::kernels {
namespace {

constexpr float kPoison = std::numeric_limits<float>::quiet_NaN();
constexpr size_t kGuard = 16;  // poisoned values on both sides of every row
constexpr size_t kLengths[] = {1,  2,  3,  4,  5,  7,  8,   9,   15,  16,  17,  31,
                               32, 33, 63, 64, 65, 96, 127, 128, 129, 576, 1000};
constexpr size_t kShifts[] = {0, 1, 3};  // floats of misalignment

// A row of floats at a chosen misalignment between NaNs: a kernel that reads or writes outside
// spoils its result or the guard.
class Row {
  public:
    Row(size_t n, size_t shift) : memory_(n + shift + 2 * kGuard, kPoison), n_(n), shift_(shift) {}

    float* data() { return memory_.data() + kGuard + shift_; }
    const float* data() const { return memory_.data() + kGuard + shift_; }
    size_t size() const { return n_; }
    float& operator[](size_t i) { return data()[i]; }
    float operator[](size_t i) const { return data()[i]; }

    void fill_normal(base::Random& random, float spread) {
        for (size_t i = 0; i < n_; ++i)
            data()[i] = spread * static_cast<float>(random.next_normal());
    }
    bool guards_hold() const {
        const auto is_nan = [](float x) { return std::isnan(x); };
        const float* begin = memory_.data();
        return std::all_of(begin, begin + kGuard + shift_, is_nan) &&
               std::all_of(data() + n_, begin + memory_.size(), is_nan);
    }

  private:
    std::vector<float> memory_;
    size_t n_;
    size_t shift_;
};

// QuantizedRows of 3 rows, every byte poisoned, in memory of its own.
class Quantized {
  public:
    static constexpr size_t kRows = 3;

    explicit Quantized(size_t columns)
        : memory_(quantized_rows_bytes(kRows, columns) + 64, std::byte{0x5a}) {
        auto address = reinterpret_cast<uintptr_t>(memory_.data());
        auto* aligned = memory_.data() + (64 - address % 64) % 64;
        rows = quantized_rows_at(aligned, kRows, columns);
    }

    QuantizedRows rows;

  private:
    std::vector<std::byte> memory_;
};

template <class T>
bool same_bytes(const T* a, const T* b, size_t n) {
    return std::memcmp(a, b, n * sizeof(T)) == 0;
}

bool same(const QuantizedRows& a, const QuantizedRows& b) {
    const size_t n = Quantized::kRows * a.columns;
    return same_bytes(a.q, b.q, n) && same_bytes(a.scale, b.scale, n / 32) &&
           same_bytes(a.scaled_sum, b.scaled_sum, n / 32) && same_bytes(a.sum16, b.sum16, n / 16);
}

// q may differ by one unit where the value lies near a rounding edge and the inputs differ by an
// ulp; scales by the class's 4e-6.
void expect_close(const QuantizedRows& a, const QuantizedRows& b) {
    for (size_t i = 0; i < Quantized::kRows * a.columns; ++i) {
        ASSERT_LE(std::abs(a.q[i] - b.q[i]), 1) << i;
    }
    for (size_t i = 0; i < Quantized::kRows * a.columns / 32; ++i) {
        ASSERT_NEAR(a.scale[i], b.scale[i], 4e-6f * std::fabs(b.scale[i])) << i;
    }
}

class Rows : public testing::TestWithParam<const RowsVariant*> {
  protected:
    const RowsVariant& kernel_ = *GetParam();
    const RowsVariant& reference_ = **select_rows(machine::Isa::portable, "reference");
    base::Random random_{2024};

    // Runs body(n, shift) over every length and misalignment.
    template <class Body>
    void sweep(const Body& body) {
        for (const size_t n : kLengths) {
            for (const size_t shift : kShifts) {
                SCOPED_TRACE(testing::Message() << "n " << n << " shift " << shift);
                body(n, shift);
                if (HasFatalFailure()) return;
            }
        }
    }
};

TEST_P(Rows, RmsNormFollowsTheReference) {
    sweep([&](size_t n, size_t shift) {
        Row x(n, shift), weight(n, shift), expected(n, 0), y(n, shift);
        x.fill_normal(random_, 3.0f);
        weight.fill_normal(random_, 1.0f);
        reference_.rms_norm(x.data(), weight.data(), 1e-5f, n, expected.data());
        kernel_.rms_norm(x.data(), weight.data(), 1e-5f, n, y.data());
        for (size_t i = 0; i < n; ++i) {
            ASSERT_NEAR(y[i], expected[i], 4e-6f * std::fabs(expected[i])) << i;
        }
        kernel_.rms_norm(x.data(), weight.data(), 1e-5f, n, x.data());
        ASSERT_TRUE(same_bytes(x.data(), y.data(), n)) << "in place";
        ASSERT_TRUE(x.guards_hold() && y.guards_hold());
    });
}

TEST_P(Rows, RmsNormOfZerosIsZero) {
    Row x(64, 0), weight(64, 0), y(64, 0);
    for (size_t i = 0; i < 64; ++i) x[i] = 0.0f, weight[i] = 1.0f;
    kernel_.rms_norm(x.data(), weight.data(), 1e-6f, 64, y.data());
    for (size_t i = 0; i < 64; ++i) ASSERT_EQ(y[i], 0.0f);
}

TEST_P(Rows, QuantizeIsExact) {
    for (const size_t columns : {32, 64, 96, 128, 576, 1536}) {
        for (const size_t shift : kShifts) {
            Row x(columns, shift);
            Quantized expected(columns), out(columns);
            for (size_t row = 0; row < Quantized::kRows; ++row) {
                x.fill_normal(random_, std::pow(10.0f, static_cast<float>(row * 12) - 20.0f));
                // Ties and signed zeros, where rounding modes would differ.
                x[0] = 127.0f, x[1] = 0.5f, x[2] = 1.5f, x[3] = -2.5f, x[4] = -0.0f;
                reference_.quantize(x.data(), expected.rows, row);
                kernel_.quantize(x.data(), out.rows, row);
            }
            ASSERT_TRUE(same(expected.rows, out.rows)) << columns;
            ASSERT_TRUE(x.guards_hold());
        }
    }
}

TEST_P(Rows, QuantizeHandlesZeroTinyAndHugeBlocks) {
    Row x(160, 0);
    for (size_t i = 0; i < 160; ++i) x[i] = 0.0f;
    x[32 + 5] = 1e-38f;
    x[64 + 6] = 1e-31f;
    x[96 + 7] = -3.4e38f;
    x[128 + 8] = 1.1e-30f;
    Quantized out(160), expected(160);
    for (size_t row = 0; row < Quantized::kRows; ++row) {
        kernel_.quantize(x.data(), out.rows, row);
        reference_.quantize(x.data(), expected.rows, row);
    }
    ASSERT_TRUE(same(expected.rows, out.rows));
    for (size_t block : {0, 1, 2}) {
        EXPECT_EQ(out.rows.scale[block], 0.0f);
        EXPECT_EQ(out.rows.scaled_sum[block], 0.0f);
    }
    EXPECT_EQ(out.rows.q[96 + 7], -127);
    EXPECT_EQ(out.rows.q[128 + 8], 127);
    EXPECT_EQ(out.rows.sum16[6], -127);
}

TEST_P(Rows, QuantizeRoundTripIsWithinHalfAStep) {
    Row x(1024, 0);
    x.fill_normal(random_, 1.0f);
    Quantized out(1024);
    kernel_.quantize(x.data(), out.rows, 1);
    for (size_t i = 0; i < 1024; ++i) {
        const float scale = out.rows.row_scale(1)[i / 32];
        const float back = scale * static_cast<float>(out.rows.row_q(1)[i]);
        ASSERT_NEAR(back, x[i], 0.5001f * scale) << i;
    }
}

TEST_P(Rows, FusedQuantizeEqualsTheTwoSteps) {
    for (const size_t columns : {32, 64, 96, 576, 1536}) {
        Row x(columns, 1), weight(columns, 3), y(columns, 0);
        Quantized fused(columns), steps(columns), expected(columns);
        for (size_t row = 0; row < Quantized::kRows; ++row) {
            x.fill_normal(random_, 2.0f);
            weight.fill_normal(random_, 1.0f);
            kernel_.rms_norm_quantize(x.data(), weight.data(), 1e-5f, fused.rows, row);
            kernel_.rms_norm(x.data(), weight.data(), 1e-5f, columns, y.data());
            kernel_.quantize(y.data(), steps.rows, row);
            reference_.rms_norm_quantize(x.data(), weight.data(), 1e-5f, expected.rows, row);
        }
        ASSERT_TRUE(same(fused.rows, steps.rows)) << columns;
        expect_close(fused.rows, expected.rows);
    }
}

constexpr Activation kActivations[] = {Activation::silu, Activation::gelu_tanh, Activation::gelu};

TEST_P(Rows, GatedFollowsTheReference) {
    for (const Activation activation : kActivations) {
        sweep([&](size_t n, size_t shift) {
            Row gate(n, shift), up(n, shift), expected(n, 0), y(n, shift);
            // Beyond 4, gelu's exponent of 30 and more turns an ulp of the gate into several.
            gate.fill_normal(random_, activation == Activation::silu ? 8.0f : 1.5f);
            up.fill_normal(random_, 2.0f);
            reference_.gated(activation, gate.data(), up.data(), n, expected.data());
            kernel_.gated(activation, gate.data(), up.data(), n, y.data());
            for (size_t i = 0; i < n; ++i) {
                ASSERT_NEAR(y[i], expected[i], 6e-6f * std::fabs(expected[i])) << gate[i];
            }
            kernel_.gated(activation, gate.data(), up.data(), n, gate.data());
            ASSERT_TRUE(same_bytes(gate.data(), y.data(), n)) << "in place";
            ASSERT_TRUE(gate.guards_hold() && up.guards_hold() && y.guards_hold());
        });
    }
}

TEST_P(Rows, ActivateIsTheGateAlone) {
    for (const Activation activation : kActivations) {
        sweep([&](size_t n, size_t shift) {
            Row x(n, shift), ones(n, 0), expected(n, 0), y(n, shift);
            x.fill_normal(random_, 4.0f);
            for (size_t i = 0; i < n; ++i) ones[i] = 1.0f;
            kernel_.gated(activation, x.data(), ones.data(), n, expected.data());
            kernel_.activate(activation, x.data(), n, y.data());
            ASSERT_TRUE(same_bytes(y.data(), expected.data(), n));
            kernel_.activate(activation, x.data(), n, x.data());
            ASSERT_TRUE(same_bytes(x.data(), y.data(), n)) << "in place";
            ASSERT_TRUE(x.guards_hold() && y.guards_hold());
        });
    }
}

// Against GELU and its tanh form in double precision, absolutely: also where the reference's own
// rounding counts.
TEST_P(Rows, GeluIsWithinAMillionth) {
    Row gate(4096, 0), up(4096, 0), y(4096, 0);
    for (size_t i = 0; i < 4096; ++i) {
        gate[i] = -12.0f + 24.0f * static_cast<float>(i) / 4095.0f, up[i] = 1.0f;
    }
    kernel_.gated(Activation::gelu_tanh, gate.data(), up.data(), 4096, y.data());
    for (size_t i = 0; i < 4096; ++i) {
        const double g = gate[i];
        const double inner = std::sqrt(2.0 / M_PI) * (g + 0.044715 * g * g * g);
        const double exact = 0.5 * g * (1.0 + std::tanh(inner));
        ASSERT_NEAR(y[i], exact, 1e-6 + 5e-7 * std::fabs(exact)) << g;
    }
    kernel_.activate(Activation::gelu, gate.data(), 4096, y.data());
    for (size_t i = 0; i < 4096; ++i) {
        const double exact = gate[i] * 0.5 * std::erfc(-static_cast<double>(gate[i]) / M_SQRT2);
        ASSERT_NEAR(y[i], exact, 1e-7 + 3e-7 * std::fabs(exact)) << gate[i];
    }
}

TEST_P(Rows, GatedSaturatesQuietly) {
    const float gates[] = {-1000.0f, -104.0f, -88.5f, -87.0f, 0.0f, 87.0f, 88.5f, 1000.0f, 3e38f};
    for (const float gate : gates) {
        Row g(16, 0), up(16, 0), y(16, 0);
        for (size_t i = 0; i < 16; ++i) g[i] = gate, up[i] = 1.0f;
        kernel_.gated(Activation::silu, g.data(), up.data(), 16, y.data());
        const double exact = gate / (1.0 + std::exp(-static_cast<double>(gate)));
        ASSERT_NEAR(y[3], exact, 4e-6 * std::fabs(exact) + 1e-35) << gate;
    }
}

// silu(g) for very negative g is g e^g: shows the exponential itself over its whole range.
TEST_P(Rows, ExponentialIsWithinTwoE7) {
    double worst = 0.0;
    Row gate(64, 0), up(64, 0), y(64, 0);
    for (double begin = 0.0; begin < 86.0; begin += 0.05) {
        for (size_t i = 0; i < 64; ++i) {
            gate[i] = -static_cast<float>(begin + 0.05 * static_cast<double>(i) / 64.0) - 1e-3f;
            up[i] = 1.0f / gate[i];
        }
        kernel_.gated(Activation::silu, gate.data(), up.data(), 64, y.data());
        for (size_t i = 0; i < 64; ++i) {
            const double g = gate[i];
            const double exact = g / (1.0 + std::exp(-g)) * static_cast<double>(up[i]);
            worst = std::max(worst, std::fabs(y[i] / exact - 1.0));
        }
    }
    // 2e-7 of the exponential and half an ulp each of the sum, the quotient and the product.
    EXPECT_LT(worst, 2e-7 + 3 * 6e-8);
}

TEST_P(Rows, GatedQuantizeWritesItsBlocksOnly) {
    constexpr size_t kColumns = 192;
    for (const size_t begin : {0, 32, 96}) {
        for (const size_t n : {32, 64, 96}) {
            Row gate(n, 1), up(n, 3), y(n, 0), whole(kColumns, 0);
            gate.fill_normal(random_, 3.0f);
            up.fill_normal(random_, 1.0f);
            Quantized out(kColumns), expected(kColumns), untouched(kColumns);
            kernel_.gated_quantize(Activation::gelu_tanh, gate.data(), up.data(), n, out.rows, 1,
                                   begin);
            kernel_.gated(Activation::gelu_tanh, gate.data(), up.data(), n, y.data());
            for (size_t i = 0; i < kColumns; ++i) whole[i] = 0.0f;
            std::copy(y.data(), y.data() + n, whole.data() + begin);
            kernel_.quantize(whole.data(), expected.rows, 1);
            for (size_t i = 0; i < Quantized::kRows * kColumns; ++i) {
                const bool inside = i >= kColumns + begin && i < kColumns + begin + n;
                ASSERT_EQ(out.rows.q[i], inside ? expected.rows.q[i] : untouched.rows.q[i]) << i;
            }
            const auto at = [&](const QuantizedRows& rows) {
                return rows.row_sum16(1) + begin / 16;
            };
            ASSERT_TRUE(same_bytes(at(out.rows), at(expected.rows), n / 16));
            ASSERT_TRUE(same_bytes(out.rows.row_scaled_sum(1) + begin / 32,
                                   expected.rows.row_scaled_sum(1) + begin / 32, n / 32));
            ASSERT_TRUE(same_bytes(out.rows.row_scale(1), untouched.rows.row_scale(1), begin / 32));
        }
    }
}

TEST_P(Rows, NormAndAddEqualsTheTwoSteps) {
    sweep([&](size_t n, size_t shift) {
        Row x(n, shift), weight(n, shift), residual(n, shift), steps(n, 0), y(n, shift);
        x.fill_normal(random_, 3.0f);
        weight.fill_normal(random_, 1.0f);
        residual.fill_normal(random_, 1.0f);
        kernel_.rms_norm(x.data(), weight.data(), 1e-6f, n, steps.data());
        kernel_.add(residual.data(), n, steps.data());
        kernel_.rms_norm_add(x.data(), weight.data(), 1e-6f, residual.data(), n, y.data());
        ASSERT_TRUE(same_bytes(y.data(), steps.data(), n));
        kernel_.rms_norm_add(x.data(), weight.data(), 1e-6f, residual.data(), n, residual.data());
        ASSERT_TRUE(same_bytes(y.data(), residual.data(), n)) << "in place";
        ASSERT_TRUE(x.guards_hold() && weight.guards_hold() && y.guards_hold());
    });
}

TEST_P(Rows, LayerNormFollowsTheReference) {
    sweep([&](size_t n, size_t shift) {
        Row x(n, shift), weight(n, shift), bias(n, shift), expected(n, 0), y(n, shift);
        x.fill_normal(random_, 3.0f);
        for (size_t i = 0; i < n; ++i) x[i] += 5.0f;
        weight.fill_normal(random_, 1.0f);
        bias.fill_normal(random_, 1.0f);
        for (const float* added :
             {static_cast<const float*>(nullptr), std::as_const(bias).data()}) {
            reference_.layer_norm(x.data(), weight.data(), added, 1e-5f, n, expected.data());
            kernel_.layer_norm(x.data(), weight.data(), added, 1e-5f, n, y.data());
            for (size_t i = 0; i < n; ++i) ASSERT_NEAR(y[i], expected[i], 3e-5f) << i;
        }
        kernel_.layer_norm(x.data(), weight.data(), bias.data(), 1e-5f, n, x.data());
        ASSERT_TRUE(same_bytes(x.data(), y.data(), n)) << "in place";
        ASSERT_TRUE(x.guards_hold() && weight.guards_hold() && bias.guards_hold());
    });
}

TEST_P(Rows, FusedLayerNormQuantizeEqualsTheTwoSteps) {
    for (const size_t columns : {32, 96, 576}) {
        Row x(columns, 1), weight(columns, 3), bias(columns, 1), y(columns, 0);
        Quantized fused(columns), steps(columns);
        for (size_t row = 0; row < Quantized::kRows; ++row) {
            x.fill_normal(random_, 2.0f);
            weight.fill_normal(random_, 1.0f);
            bias.fill_normal(random_, 1.0f);
            const float* added = row == 1 ? nullptr : bias.data();
            kernel_.layer_norm_quantize(x.data(), weight.data(), added, 1e-5f, fused.rows, row);
            kernel_.layer_norm(x.data(), weight.data(), added, 1e-5f, columns, y.data());
            kernel_.quantize(y.data(), steps.rows, row);
        }
        ASSERT_TRUE(same(fused.rows, steps.rows)) << columns;
    }
}

TEST_P(Rows, SoftCapFollowsTheReference) {
    sweep([&](size_t n, size_t shift) {
        Row x(n, shift), expected(n, 0), y(n, shift);
        for (const float spread : {1.0f, 30.0f, 1000.0f}) {
            x.fill_normal(random_, spread);
            reference_.soft_cap(x.data(), 30.0f, n, expected.data());
            kernel_.soft_cap(x.data(), 30.0f, n, y.data());
            for (size_t i = 0; i < n; ++i) ASSERT_NEAR(y[i], expected[i], 30.0f * 4e-6f) << x[i];
        }
        kernel_.soft_cap(x.data(), 30.0f, n, x.data());
        ASSERT_TRUE(same_bytes(x.data(), y.data(), n)) << "in place";
        ASSERT_TRUE(x.guards_hold() && y.guards_hold());
    });
}

TEST_P(Rows, AddIsExact) {
    sweep([&](size_t n, size_t shift) {
        Row x(n, shift), y(n, 0), expected(n, 0);
        x.fill_normal(random_, 1.0f);
        y.fill_normal(random_, 1.0f);
        for (size_t i = 0; i < n; ++i) expected[i] = x[i] + y[i];
        kernel_.add(x.data(), n, y.data());
        ASSERT_TRUE(same_bytes(y.data(), expected.data(), n));
        ASSERT_TRUE(y.guards_hold());
    });
}

TEST_P(Rows, ArgmaxFindsTheFirstOfTheLargest) {
    sweep([&](size_t n, size_t shift) {
        Row x(n, shift);
        for (size_t place : {size_t{0}, n / 3, n / 2, n - 1}) {
            x.fill_normal(random_, 1.0f);
            x[place] = 100.0f;
            ASSERT_EQ(kernel_.argmax(x.data(), n), place);
            x[n - 1] = 100.0f;
            ASSERT_EQ(kernel_.argmax(x.data(), n), place) << "equals";
        }
        for (size_t i = 0; i < n; ++i) x[i] = -INFINITY;
        ASSERT_EQ(kernel_.argmax(x.data(), n), 0u);
    });
}

std::vector<const RowsVariant*> runnable_rows() {
    std::vector<const RowsVariant*> found;
    for (const RowsVariant& variant : rows_variants()) {
        if (variant.isa <= machine::detect_isa()) {
            found.push_back(&variant);
        } else {
            std::printf("NOT RUN on this CPU: rows %s\n", variant.name);
        }
    }
    return found;
}

INSTANTIATE_TEST_SUITE_P(Variants, Rows, testing::ValuesIn(runnable_rows()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST(RowsSelect, TakesTheBestAndRefusesWhatCannotRun) {
    EXPECT_STREQ((*select_rows(machine::Isa::avx512bf16))->name, "avx512");
    EXPECT_STREQ((*select_rows(machine::Isa::avx2))->name, "avx2");
    EXPECT_STREQ((*select_rows(machine::Isa::portable))->name, "portable");
    EXPECT_EQ(rows_variants().back().name, std::string_view("reference"));
    const auto missing = select_rows(machine::Isa::avx2, "avx512");
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().code, base::ErrorCode::unsupported);
    EXPECT_FALSE(select_rows(machine::Isa::avx512, "nonsense").has_value());
}

}  // namespace
}  // namespace hone::kernels
