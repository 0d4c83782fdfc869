#include "graph/executor.h"

#include <gtest/gtest.h>

#include <cmath>

#include "graph/graph_fixture.h"
#include "graph/passes.h"
#include "tensor/buffer.h"

namespace hone::graph {
namespace {

std::vector<double> dequantized(const RandomWeights& weights, const std::string& name) {
    const tensor::TensorView view = *weights.tensor(name);
    std::vector<float> out(view.elements());
    tensor::dequantize(view.dtype, view.data, out.size(), out.data());
    return {out.begin(), out.end()};
}

std::vector<double> times(const RandomWeights& weights, const std::string& name,
                          const std::vector<double>& x) {
    const std::vector<double> w = dequantized(weights, name);
    std::vector<double> y(w.size() / x.size(), 0.0);
    for (size_t r = 0; r < y.size(); ++r) {
        for (size_t k = 0; k < x.size(); ++k) y[r] += w[r * x.size() + k] * x[k];
    }
    return y;
}

std::vector<double> normed(const RandomWeights& weights, const std::string& name,
                           const std::vector<double>& x) {
    const std::vector<double> w = dequantized(weights, name);
    double squares = 0;
    for (const double v : x) squares += v * v;
    std::vector<double> y(x.size());
    const double scale = 1.0 / std::sqrt(squares / static_cast<double>(x.size()) + 1e-5);
    for (size_t i = 0; i < x.size(); ++i) y[i] = x[i] * scale * w[i];
    return y;
}

void rotate(std::vector<double>& heads, uint32_t head_dim, size_t position) {
    for (size_t h = 0; h < heads.size(); h += head_dim) {
        for (uint32_t i = 0; i < head_dim; i += 2) {
            const double angle = std::pow(10000.0, -double(i) / head_dim) * double(position);
            const double a = heads[h + i];
            const double b = heads[h + i + 1];
            heads[h + i] = a * std::cos(angle) - b * std::sin(angle);
            heads[h + i + 1] = a * std::sin(angle) + b * std::cos(angle);
        }
    }
}

// The formulas of the Llama block in double precision, one token after the other.
class NaiveLlama {
  public:
    NaiveLlama(const TinyShape& shape, const RandomWeights& weights)
        : s_(shape), w_(weights), k_(shape.n_layers), v_(shape.n_layers) {}

    std::vector<double> logits(int32_t token) {
        const std::vector<double> embd = dequantized(w_, "embd");
        std::vector<double> x(embd.begin() + token * int(s_.n_embd),
                              embd.begin() + (token + 1) * int(s_.n_embd));
        for (uint32_t l = 0; l < s_.n_layers; ++l) block(l, x);
        return times(w_, "embd", normed(w_, "out_norm", x));
    }

  private:
    void block(uint32_t l, std::vector<double>& x) {
        const std::string p = std::to_string(l) + ".";
        const std::vector<double> h = normed(w_, p + "norm1", x);
        std::vector<double> q = times(w_, p + "q", h);
        std::vector<double> k = times(w_, p + "k", h);
        rotate(q, s_.head_dim, k_[l].size());
        rotate(k, s_.head_dim, k_[l].size());
        k_[l].push_back(k);
        v_[l].push_back(times(w_, p + "v", h));
        add(x, times(w_, p + "o", attend(l, q)));
        const std::vector<double> f = normed(w_, p + "norm2", x);
        std::vector<double> gate = times(w_, p + "gate", f);
        const std::vector<double> up = times(w_, p + "up", f);
        for (size_t i = 0; i < gate.size(); ++i) gate[i] *= up[i] / (1.0 + std::exp(-gate[i]));
        add(x, times(w_, p + "down", gate));
    }

    std::vector<double> attend(uint32_t l, const std::vector<double>& q) const {
        std::vector<double> out(q.size(), 0.0);
        for (uint32_t h = 0; h < s_.n_heads; ++h) {
            const size_t kv = size_t{h / (s_.n_heads / s_.n_kv_heads)} * s_.head_dim;
            std::vector<double> p(k_[l].size());
            double sum = 0;
            for (size_t j = 0; j < p.size(); ++j) {
                double score = 0;
                for (uint32_t i = 0; i < s_.head_dim; ++i) {
                    score += q[h * s_.head_dim + i] * k_[l][j][kv + i];
                }
                p[j] = std::exp(score / std::sqrt(double(s_.head_dim)));
                sum += p[j];
            }
            for (size_t j = 0; j < p.size(); ++j) {
                for (uint32_t i = 0; i < s_.head_dim; ++i) {
                    out[h * s_.head_dim + i] += p[j] / sum * v_[l][j][kv + i];
                }
            }
        }
        return out;
    }

    static void add(std::vector<double>& x, const std::vector<double>& y) {
        for (size_t i = 0; i < x.size(); ++i) x[i] += y[i];
    }

    const TinyShape& s_;
    const RandomWeights& w_;
    std::vector<std::vector<std::vector<double>>> k_;  // [layer][position][kv width]
    std::vector<std::vector<std::vector<double>>> v_;
};

struct TinySetup {
    TinyShape shape;
    std::vector<std::string> disabled;
    machine::Isa isa = machine::detect_isa();
    int threads = 2;
    uint32_t tokens_max = 24;
};

// Runs tokens through an executor in slices of the given sizes; logits of every token.
class TinyRun {
  public:
    explicit TinyRun(const TinySetup& setup) : shape_(setup.shape) {
        Graph graph = tiny_graph(shape_, weights_, 7);
        PrepareOptions options;
        options.isa = setup.isa;
        options.threads = setup.threads;
        options.tokens_max = setup.tokens_max;
        options.outputs_max = setup.tokens_max;
        options.disabled_passes = setup.disabled;
        auto plan = prepare(std::move(graph), options, clock_);
        EXPECT_TRUE(plan) << plan.error().message;
        team_ = *machine::ThreadTeam::create({setup.threads, false, 1000});
        executor_ = *Executor::create(std::move(*plan), weights_, *team_);
        layout_ = {shape_.n_kv_heads, shape_.head_dim, shape_.n_layers, 0};
        memory_ = *tensor::Buffer::allocate(layout_.page_bytes() * 4);
        for (size_t i = 0; i < 4; ++i) pages_.push_back(memory_.data() + i * layout_.page_bytes());
    }

    std::vector<std::vector<float>> run(const std::vector<int32_t>& tokens,
                                        const std::vector<uint32_t>& sizes) {
        std::vector<std::vector<float>> out;
        std::byte* const* table = pages_.data();
        uint32_t position = 0;
        for (const uint32_t size : sizes) {
            StepSlice slice{0, size, position, {&table, 1}};
            std::vector<uint32_t> rows(size);
            for (uint32_t i = 0; i < size; ++i) rows[i] = i;
            StepInput input{{tokens.data() + position, size}, {&slice, 1}, rows};
            const auto logits = executor_->run(input);
            for (uint32_t i = 0; i < size; ++i) {
                out.emplace_back(logits.begin() + i * executor_->vocab(),
                                 logits.begin() + (i + 1) * executor_->vocab());
            }
            position += size;
        }
        return out;
    }

    const RandomWeights& weights() const { return weights_; }
    const Executor& executor() const { return *executor_; }

  private:
    TinyShape shape_;
    RandomWeights weights_;
    base::SteadyClock clock_;
    std::unique_ptr<machine::ThreadTeam> team_;
    std::unique_ptr<Executor> executor_;
    kernels::KvLayout layout_;
    tensor::Buffer memory_ = *tensor::Buffer::allocate(64);
    std::vector<std::byte*> pages_;
};

// The largest difference of any logit; printing both sides would bury the message.
double largest_gap(const std::vector<std::vector<float>>& a,
                   const std::vector<std::vector<float>>& b) {
    EXPECT_EQ(a.size(), b.size());
    double gap = 0;
    for (size_t t = 0; t < a.size(); ++t) {
        for (size_t i = 0; i < a[t].size(); ++i) {
            gap = std::max(gap, std::fabs(double{a[t][i]} - double{b[t][i]}));
        }
    }
    return gap;
}

std::vector<int32_t> some_tokens(size_t n) {
    std::vector<int32_t> tokens(n);
    for (size_t i = 0; i < n; ++i) tokens[i] = static_cast<int32_t>((i * 17 + 3) % 50);
    return tokens;
}

double worst_difference(const std::vector<std::vector<float>>& got, const TinyShape& shape,
                        const RandomWeights& weights, const std::vector<int32_t>& tokens) {
    NaiveLlama naive(shape, weights);
    double worst = 0;
    for (size_t t = 0; t < tokens.size(); ++t) {
        const std::vector<double> want = naive.logits(tokens[t]);
        for (size_t i = 0; i < want.size(); ++i) {
            worst = std::max(worst, std::fabs(want[i] - double{got[t][i]}));
        }
    }
    return worst;
}

TEST(Executor, FloatActivationsFollowTheFormulas) {
    for (const auto dtype : {tensor::DType::f32, tensor::DType::q4_1, tensor::DType::q8_0}) {
        TinySetup setup;
        setup.shape.dtype = dtype;
        setup.disabled = {"quantize_activations"};
        TinyRun run(setup);
        const auto tokens = some_tokens(40);
        const auto got = run.run(tokens, {24, 1, 1, 14});
        // What is left is f16 in the cache.
        EXPECT_LT(worst_difference(got, setup.shape, run.weights(), tokens), 5e-3)
            << tensor::name(dtype);
    }
}

TEST(Executor, QuantizedActivationsStayNear) {
    TinySetup setup;
    TinyRun run(setup);
    const auto tokens = some_tokens(40);
    const double worst =
        worst_difference(run.run(tokens, {24, 16}), setup.shape, run.weights(), tokens);
    EXPECT_LT(worst, 0.15);
    EXPECT_GT(worst, 0.0);
}

// Every exact pass: the same logits bit for bit with it and without it, in any slicing.
TEST(Executor, ExactPassesChangeNoBit) {
    const auto tokens = some_tokens(30);
    TinyRun reference(TinySetup{});
    const auto want = reference.run(tokens, {24, 6});
    for (const Pass& pass : passes()) {
        if (pass.numeric == NumericClass::close) continue;
        TinySetup setup;
        setup.disabled = {pass.name};
        TinyRun run(setup);
        const double allowed = pass.numeric == NumericClass::exact ? 0.0 : 1e-5;
        EXPECT_LE(largest_gap(run.run(tokens, {24, 6}), want), allowed) << "without " << pass.name;
    }
    TinySetup none;
    for (const Pass& pass : passes()) {
        if (pass.numeric == NumericClass::exact) none.disabled.push_back(pass.name);
    }
    EXPECT_EQ(largest_gap(TinyRun(none).run(tokens, {24, 6}), want), 0.0)
        << "without all exact passes";
}

TEST(Executor, SlicingAndThreadsChangeNoBit) {
    const auto tokens = some_tokens(30);
    const auto want = TinyRun(TinySetup{}).run(tokens, {24, 6});
    EXPECT_EQ(largest_gap(TinyRun(TinySetup{}).run(tokens, std::vector<uint32_t>(30, 1)), want),
              0.0);
    EXPECT_EQ(largest_gap(TinyRun(TinySetup{}).run(tokens, {1, 3, 5, 17, 4}), want), 0.0);
    for (const int threads : {1, 3}) {
        TinySetup setup;
        setup.threads = threads;
        EXPECT_EQ(largest_gap(TinyRun(setup).run(tokens, {24, 6}), want), 0.0)
            << threads << " threads";
    }
}

TEST(Executor, EveryIsaOfThisCpuAgrees) {
    const auto tokens = some_tokens(30);
    const auto want = TinyRun(TinySetup{}).run(tokens, {24, 6});
    for (int level = 0; level < machine::kIsaCount; ++level) {
        const auto isa = static_cast<machine::Isa>(level);
        if (isa > machine::detect_isa()) {
            std::printf("not run: %s\n", machine::isa_name(isa));
            continue;
        }
        TinySetup setup;
        setup.isa = isa;
        TinyRun run(setup);
        const auto got = run.run(tokens, {24, 6});
        // A value on a rounding border may take the other int8 code on another ISA.
        EXPECT_LT(largest_gap(got, want), 0.05) << machine::isa_name(isa);
    }
}

TEST(Executor, PackedWeightsReplaceTheStored) {
    TinyRun run(TinySetup{});
    EXPECT_GE(run.weights().released().size(), 13u);
    EXPECT_TRUE(run.weights().released_all());
    EXPECT_GT(run.executor().memory().weights_bytes, 0u);
}

}  // namespace
}  // namespace hone::graph
