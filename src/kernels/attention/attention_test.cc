#include "kernels/attention/attention.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdio>
#include <cstring>
#include <string>
#include <vector>

#include "base/random.h"
#include "tensor/buffer.h"
#include "tensor/half.h"

namespace hone::kernels {
namespace {

struct Shape {
    uint32_t n_kv_heads = 1;
    uint32_t group = 1;
    uint32_t dim = 64;
    uint32_t window = 0;
    RopeStyle style = RopeStyle::adjacent;
    uint32_t rope_dims = 64;
    KvDtype dtype = KvDtype::f16;
    bool head_norms = false;
    float soft_cap = 0.0f;
    bool causal = true;
};

constexpr float kNormEpsilon = 1e-6f;

constexpr uint32_t kLayers = 2;
constexpr uint32_t kLayer = 1;  // the one under test; the other must stay zero

// One sequence: activations of every position, tables, and the pages of one run.
class Sequence {
  public:
    Sequence(const Shape& shape, uint32_t positions, uint64_t seed)
        : shape_(shape), positions_(positions) {
        base::Random random(seed);
        const uint32_t n_heads = shape.n_kv_heads * shape.group;
        stride_ = (n_heads + 2 * shape.n_kv_heads) * shape.dim + 5;
        original_.resize(positions * stride_);
        for (float& x : original_) x = static_cast<float>(random.next_normal());
        table_.resize(size_t{positions} * shape.rope_dims);
        for (size_t i = 0; i + 1 < table_.size(); i += 2) {
            const size_t position = i / shape.rope_dims;
            const double exponent = static_cast<double>(i % shape.rope_dims) / shape.rope_dims;
            const double angle = static_cast<double>(position) * std::pow(10000.0, -exponent);
            table_[i] = static_cast<float>(std::cos(angle));
            table_[i + 1] = static_cast<float>(std::sin(angle));
        }
        for (size_t i = 0; i < 2 * size_t{shape.dim}; ++i) {
            norms_.push_back(1.0f + 0.3f * static_cast<float>(random.next_normal()));
        }
        reset();
    }

    // Fresh, zeroed pages and unrotated activations.
    void reset() {
        const size_t n_pages = (positions_ + kPageTokens - 1) / kPageTokens;
        const KvLayout layout = this->layout();
        memory_ = *tensor::Buffer::allocate(n_pages * layout.page_bytes());
        pages_.clear();
        // Pages in reverse order, so that nothing relies on their neighbourhood.
        for (size_t i = n_pages; i-- > 0;) {
            pages_.push_back(memory_.data() + i * layout.page_bytes());
        }
        qkv_ = original_;
        out_.assign(size_t{positions_} * shape_.n_kv_heads * shape_.group * shape_.dim, -77.0f);
    }

    KvLayout layout() const {
        return {shape_.n_kv_heads, shape_.dim, kLayers, shape_.window, shape_.dtype};
    }
    KvView view() const { return {layout(), pages_.data(), kLayer}; }

    void store(const AttentionVariant& kernel, uint32_t begin, uint32_t end) {
        RopeStoreArgs args;
        args.qkv = qkv_.data() + begin * stride_;
        args.qkv_stride = stride_;
        args.n_heads = shape_.n_kv_heads * shape_.group;
        args.n_tokens = end - begin;
        args.first_position = begin;
        args.style = shape_.style;
        args.rope_dims = shape_.rope_dims;
        args.cos_sin = table_.data();
        if (shape_.head_norms) {
            args.q_norm = norm(false);
            args.k_norm = norm(true);
            args.norm_epsilon = kNormEpsilon;
        }
        args.kv = view();
        // Two work units, as two threads would take them.
        args.kv_head_end = shape_.n_kv_heads / 2;
        kernel.rope_and_store(args);
        args.kv_head_begin = args.kv_head_end;
        args.kv_head_end = shape_.n_kv_heads;
        kernel.rope_and_store(args);
    }

    void attend(const AttentionVariant& kernel, uint32_t begin, uint32_t end, uint32_t unit) {
        const size_t scratch_bytes = attend_scratch_bytes(shape_.group, shape_.dim);
        auto scratch = *tensor::Buffer::allocate(scratch_bytes + 64);
        std::memset(scratch.data(), 0xff, scratch.size());  // NaN in every lane
        AttendArgs args;
        args.q = qkv_.data() + begin * stride_;
        args.q_stride = stride_;
        args.n_heads = shape_.n_kv_heads * shape_.group;
        args.n_tokens = end - begin;
        args.first_position = begin;
        args.scale = scale();
        args.soft_cap = shape_.soft_cap;
        args.causal = shape_.causal;
        args.kv = view();
        args.out_stride = size_t{args.n_heads} * shape_.dim;
        args.out = out_.data() + begin * args.out_stride;
        args.scratch = scratch.data();
        for (uint32_t at = 0; at < args.n_tokens; at += unit) {
            args.token_begin = at;
            args.token_end = std::min(args.n_tokens, at + unit);
            for (uint32_t head = 0; head < shape_.n_kv_heads; ++head) {
                args.kv_head = head;
                kernel.attend(args);
            }
        }
        const std::byte* behind = scratch.data() + scratch_bytes;
        EXPECT_TRUE(std::all_of(behind, behind + 64, [](std::byte b) {
            return b == std::byte{0xff};
        })) << "wrote behind its scratch";
    }

    // Like attend() for one token, but chunk by chunk from the last to the first and then merged.
    void attend_in_chunks(const AttentionVariant& kernel, uint32_t position) {
        auto scratch = *tensor::Buffer::allocate(attend_scratch_bytes(shape_.group, shape_.dim));
        AttendArgs args;
        args.q = qkv_.data() + position * stride_;
        args.q_stride = stride_;
        args.n_heads = shape_.n_kv_heads * shape_.group;
        args.n_tokens = 1;
        args.first_position = position;
        args.scale = scale();
        args.soft_cap = shape_.soft_cap;
        args.kv = view();
        args.out_stride = size_t{args.n_heads} * shape_.dim;
        args.out = out_.data() + position * args.out_stride;
        args.scratch = scratch.data();
        args.token_end = 1;
        const uint32_t begin =
            shape_.window != 0 && position + 1 > shape_.window ? position + 1 - shape_.window : 0;
        const uint32_t first = begin / kAttendChunk;
        const uint32_t last = position / kAttendChunk;
        const size_t floats = shape_.group * attend_state_floats(shape_.dim);
        std::vector<float> partials((last - first + 1) * floats);
        for (args.kv_head = 0; args.kv_head < shape_.n_kv_heads; ++args.kv_head) {
            for (uint32_t chunk = last + 1; chunk-- > first;) {
                args.chunk = chunk;
                args.partial = partials.data() + (chunk - first) * floats;
                kernel.attend(args);
            }
            args.partial = partials.data();
            kernel.merge(args);
        }
    }

    // The whole sequence in slices of at most `slice` tokens and work units of `unit` tokens.
    void run(const AttentionVariant& kernel, uint32_t slice, uint32_t unit) {
        reset();
        for (uint32_t begin = 0; begin < positions_; begin += slice) {
            const uint32_t end = std::min(positions_, begin + slice);
            store(kernel, begin, end);
            release_below_window(begin);
            attend(kernel, begin, end, unit);
        }
    }

    float scale() const { return 1.0f / std::sqrt(static_cast<float>(shape_.dim)); }
    // Weights of the norm of q heads or k heads [dim].
    const float* norm(bool keys) const { return norms_.data() + (keys ? shape_.dim : 0); }
    const std::vector<float>& out() const { return out_; }
    std::vector<float>& qkv() { return qkv_; }
    std::vector<float>& original() { return original_; }
    size_t stride() const { return stride_; }
    uint32_t positions() const { return positions_; }
    std::span<const std::byte> pages() const { return memory_.span(); }

  private:
    // A kernel must not touch pages no token from `begin` on can see.
    void release_below_window(uint32_t begin) {
        if (shape_.window == 0) return;
        for (size_t page = 0; page < pages_.size(); ++page) {
            if ((page + 1) * kPageTokens + shape_.window <= begin + 1) pages_[page] = nullptr;
        }
    }

    Shape shape_;
    uint32_t positions_;
    size_t stride_ = 0;
    std::vector<float> original_;
    std::vector<float> qkv_;
    std::vector<float> table_;
    std::vector<float> norms_;
    std::vector<float> out_;
    tensor::Buffer memory_;
    std::vector<std::byte*> pages_;
};

// A head of the original activations, normalized where the shape says so.
std::vector<double> normed_head(Sequence& s, const Shape& shape, uint32_t position, uint32_t head) {
    const float* x = s.original().data() + position * s.stride() + head * shape.dim;
    std::vector<double> y(x, x + shape.dim);
    const uint32_t n_heads = shape.n_kv_heads * shape.group;
    if (!shape.head_norms || head >= n_heads + shape.n_kv_heads) return y;
    double squares = 0.0;
    for (const double v : y) squares += v * v;
    const float* weight = s.norm(head >= n_heads);
    const double factor = 1.0 / std::sqrt(squares / shape.dim + double{kNormEpsilon});
    for (uint32_t d = 0; d < shape.dim; ++d) y[d] *= factor * double{weight[d]};
    return y;
}

// y[i] = sum over j of (-1)^popcount(i & j) x[j] / sqrt(n) in blocks of the largest power of two
// that divides the size.
std::vector<double> turned(const std::vector<double>& x) {
    const size_t n = x.size() & (~x.size() + 1);
    std::vector<double> y(x.size(), 0.0);
    for (size_t i = 0; i < x.size(); ++i) {
        for (size_t j = 0; j < n; ++j) {
            const double sign = std::popcount(i % n & j) % 2 == 0 ? 1 : -1;
            y[i] += sign * x[i / n * n + j] / std::sqrt(static_cast<double>(n));
        }
    }
    return y;
}

// Rounded to the 16 values that a q4 vector can take.
std::vector<double> in_four_bits(std::vector<double> x) {
    const auto [least, most] = std::minmax_element(x.begin(), x.end());
    const double scale = (*most >= -*least ? *most : *least) / -8.0;
    for (double& v : x) v = std::clamp(std::nearbyint(v / scale), -8.0, 7.0) * scale;
    return x;
}

// How K and V are kept: as their type says, as they are, or in 4 bits that were not turned.
enum class Kept { by_type, exact, four_bits };

// The same rotated in double precision and, for K and V, rounded as the cache rounds.
std::vector<double> exact_head(Sequence& s, const Shape& shape, uint32_t position, uint32_t head,
                               bool rotate, Kept kept) {
    const std::vector<double> x = normed_head(s, shape, position, head);
    std::vector<double> y = x;
    const uint32_t pairs = rotate && shape.style != RopeStyle::none ? shape.rope_dims / 2 : 0;
    for (uint32_t i = 0; i < pairs; ++i) {
        const double angle = position * std::pow(10000.0, -2.0 * i / shape.rope_dims);
        const bool adjacent = shape.style == RopeStyle::adjacent;
        const uint32_t a = adjacent ? 2 * i : i;
        const uint32_t b = adjacent ? 2 * i + 1 : i + pairs;
        y[a] = x[a] * std::cos(angle) - x[b] * std::sin(angle);
        y[b] = x[a] * std::sin(angle) + x[b] * std::cos(angle);
    }
    if (kept == Kept::exact) return y;
    if (kept == Kept::four_bits) return in_four_bits(y);
    if (shape.dtype == KvDtype::q4) return turned(in_four_bits(turned(y)));
    if (shape.dtype == KvDtype::q8) {
        double largest = 0.0;
        for (const double v : y) largest = std::max(largest, std::fabs(v));
        for (double& v : y) v = std::nearbyint(v / largest * 127.0) * largest / 127.0;
    } else {
        for (double& v : y) v = tensor::f16_to_f32(tensor::f32_to_f16(static_cast<float>(v)));
    }
    return y;
}

// Softmax attention of one (position, head) without any blocking, in double precision.
std::vector<double> exact_attention(Sequence& s, const Shape& shape, uint32_t position,
                                    uint32_t head, Kept kept = Kept::by_type) {
    const uint32_t n_heads = shape.n_kv_heads * shape.group;
    const uint32_t kv_head = head / shape.group;
    const auto q = exact_head(s, shape, position, head, true, Kept::exact);
    const uint32_t first =
        shape.window != 0 && position + 1 > shape.window ? position + 1 - shape.window : 0;
    const uint32_t last = shape.causal ? position : s.positions() - 1;
    std::vector<double> score;
    for (uint32_t j = first; j <= last; ++j) {
        const auto k = exact_head(s, shape, j, n_heads + kv_head, true, kept);
        double dot = 0.0;
        for (uint32_t d = 0; d < shape.dim; ++d) dot += q[d] * k[d];
        dot *= double{s.scale()};
        score.push_back(shape.soft_cap > 0 ? shape.soft_cap * std::tanh(dot / shape.soft_cap)
                                           : dot);
    }
    const double largest = *std::max_element(score.begin(), score.end());
    double sum = 0.0;
    for (double& x : score) sum += x = std::exp(x - largest);
    std::vector<double> out(shape.dim, 0.0);
    for (uint32_t j = first; j <= last; ++j) {
        const auto v = exact_head(s, shape, j, n_heads + shape.n_kv_heads + kv_head, false, kept);
        for (uint32_t d = 0; d < shape.dim; ++d) out[d] += score[j - first] / sum * v[d];
    }
    return out;
}

class Attention : public testing::TestWithParam<const AttentionVariant*> {
  protected:
    const AttentionVariant& kernel_ = *GetParam();

    void expect_exact(Sequence& s, const Shape& shape, const std::vector<uint32_t>& positions) {
        const uint32_t n_heads = shape.n_kv_heads * shape.group;
        for (const uint32_t position : positions) {
            for (uint32_t head = 0; head < n_heads; ++head) {
                const auto exact = exact_attention(s, shape, position, head);
                const float* out = s.out().data() + (size_t{position} * n_heads + head) * shape.dim;
                for (uint32_t d = 0; d < shape.dim; ++d) {
                    // K and V may round to the neighbouring value where the rotation differs.
                    const double bound = shape.dtype == KvDtype::f16 ? 4e-4 : 6e-3;
                    ASSERT_NEAR(out[d], exact[d], bound) << position << " head " << head;
                }
            }
        }
    }
};

TEST_P(Attention, FollowsTheExactFormula) {
    const Shape shapes[] = {
        {1, 1, 16, 0, RopeStyle::adjacent, 16},
        {2, 3, 64, 0, RopeStyle::adjacent, 64},
        {1, 4, 32, 0, RopeStyle::halves, 32},
        {1, 8, 80, 0, RopeStyle::halves, 20},
        {1, 7, 128, 0, RopeStyle::adjacent, 32},
        {1, 1, 256, 0, RopeStyle::none, 256},
        {3, 1, 96, 0, RopeStyle::halves, 96},
        {2, 2, 48, 20, RopeStyle::adjacent, 6},
        {1, 3, 64, 33, RopeStyle::halves, 64},
        {1, 4, 16, 1, RopeStyle::none, 16},
        {2, 3, 64, 0, RopeStyle::adjacent, 64, KvDtype::q8},
        {1, 4, 80, 21, RopeStyle::halves, 20, KvDtype::q8},
        {1, 1, 256, 0, RopeStyle::none, 256, KvDtype::q8},
        {1, 4, 256, 24, RopeStyle::halves, 256, KvDtype::f16, true},
        {2, 2, 64, 0, RopeStyle::adjacent, 64, KvDtype::f16, true, 1.5f},
        {2, 3, 48, 0, RopeStyle::halves, 48, KvDtype::q8, false, 2.0f},
        {3, 1, 32, 0, RopeStyle::none, 0, KvDtype::f16, false, 0.0f, false},
        {2, 2, 64, 0, RopeStyle::halves, 64, KvDtype::q8, false, 0.0f, false},
        {1, 1, 16, 0, RopeStyle::adjacent, 16, KvDtype::q4},
        {2, 3, 64, 0, RopeStyle::adjacent, 64, KvDtype::q4},
        {1, 4, 80, 21, RopeStyle::halves, 20, KvDtype::q4, true},
        {2, 3, 48, 0, RopeStyle::halves, 48, KvDtype::q4, false, 2.0f},
        {1, 9, 96, 0, RopeStyle::halves, 96, KvDtype::q4},
        {1, 2, 128, 0, RopeStyle::none, 128, KvDtype::q4, false, 0.0f, false},
        {1, 1, 256, 0, RopeStyle::none, 256, KvDtype::q4},
    };
    for (const Shape& shape : shapes) {
        SCOPED_TRACE(testing::Message() << "dim " << shape.dim << " group " << shape.group
                                        << " window " << shape.window);
        Sequence s(shape, 70, shape.dim + shape.group);
        s.run(kernel_, 70, kAttendTokensMax);
        expect_exact(s, shape, {0, 1, 15, 16, 31, 32, 47, 63, 64, 69});
    }
}

TEST_P(Attention, SlicesAndTilesGiveTheSameBits) {
    const Shape shapes[] = {{1, 1, 64, 0},
                            {2, 3, 64, 0},
                            {1, 4, 32, 0, RopeStyle::adjacent, 32},
                            {1, 8, 64, 0},
                            {1, 7, 80, 0},
                            {1, 3, 64, 25},
                            {1, 5, 64, 40},
                            {1, 2, 128, 3},
                            {2, 3, 64, 0, RopeStyle::adjacent, 64, KvDtype::q8},
                            {1, 7, 80, 40, RopeStyle::halves, 64, KvDtype::q8},
                            {1, 4, 64, 0, RopeStyle::halves, 64, KvDtype::f16, true, 1.0f},
                            {2, 3, 64, 0, RopeStyle::adjacent, 64, KvDtype::q4},
                            {1, 7, 80, 40, RopeStyle::halves, 64, KvDtype::q4},
                            {1, 1, 16, 0, RopeStyle::none, 16, KvDtype::q4}};
    for (const Shape& shape : shapes) {
        SCOPED_TRACE(testing::Message() << "dim " << shape.dim << " group " << shape.group
                                        << " window " << shape.window);
        Sequence s(shape, 100, 9);
        s.run(kernel_, 100, kAttendTokensMax);
        const auto whole = s.out();
        const struct {
            uint32_t slice;
            uint32_t unit;
        } splits[] = {{1, 1}, {100, 1}, {100, 7}, {33, 32}, {17, 5}, {64, 31}, {3, 2}};
        for (const auto& split : splits) {
            s.run(kernel_, split.slice, split.unit);
            ASSERT_EQ(std::memcmp(whole.data(), s.out().data(), whole.size() * 4), 0)
                << "slice " << split.slice << " unit " << split.unit;
        }
    }
}

// Of an encoder every slice is a whole sequence, so only the work units can differ.
TEST_P(Attention, TilesOfAnEncoderGiveTheSameBits) {
    for (const uint32_t positions : {1u, 31u, 32u, 33u, 600u}) {
        const Shape shape = {2, 1, 32, 0, RopeStyle::none, 0, KvDtype::f16, false, 0.0f, false};
        Sequence s(shape, positions, positions);
        s.run(kernel_, positions, kAttendTokensMax);
        const auto whole = s.out();
        expect_exact(s, shape, {0, positions / 2, positions - 1});
        for (const uint32_t unit : {1u, 5u, 31u}) {
            s.run(kernel_, positions, unit);
            ASSERT_EQ(std::memcmp(whole.data(), s.out().data(), whole.size() * 4), 0) << unit;
        }
    }
}

TEST_P(Attention, ChunksByWhomeverGiveTheSameBits) {
    const Shape shapes[] = {{2, 3, 16, 0, RopeStyle::adjacent, 16},
                            {1, 1, 64, 700},
                            {1, 5, 16, 30, RopeStyle::none, 16, KvDtype::q8},
                            {2, 2, 48, 600, RopeStyle::none, 48, KvDtype::q4}};
    const uint32_t positions = 2 * kAttendChunk + 40;
    for (const Shape& shape : shapes) {
        SCOPED_TRACE(testing::Message() << "dim " << shape.dim << " window " << shape.window);
        Sequence s(shape, positions, 21);
        s.run(kernel_, positions, kAttendTokensMax);
        expect_exact(s, shape, {kAttendChunk - 1, kAttendChunk, positions - 1});
        const auto whole = s.out();
        s.run(kernel_, 200, 7);
        ASSERT_EQ(std::memcmp(whole.data(), s.out().data(), whole.size() * 4), 0);
        s.reset();
        s.store(kernel_, 0, positions);
        const size_t row = size_t{shape.n_kv_heads} * shape.group * shape.dim;
        for (const uint32_t position :
             {0u, kAttendChunk - 1, kAttendChunk, kAttendChunk + 20, positions - 1}) {
            s.attend_in_chunks(kernel_, position);
            ASSERT_EQ(std::memcmp(whole.data() + position * row, s.out().data() + position * row,
                                  row * 4),
                      0)
                << position;
        }
    }
}

// The pages of 45 positions as the reference stores them; `s` has those of the kernel, in two
// steps.
std::vector<std::byte> store_both(Sequence& s, const AttentionVariant& reference,
                                  const AttentionVariant& kernel) {
    s.reset();
    s.store(reference, 0, 45);
    const std::vector<std::byte> expected(s.pages().begin(), s.pages().end());
    s.reset();
    s.store(kernel, 0, 20);
    s.store(kernel, 20, 45);
    return expected;
}

float float_at(std::span<const std::byte> bytes, size_t at) {
    float value = 0;
    std::memcpy(&value, bytes.data() + at, sizeof value);
    return value;
}

TEST_P(Attention, StoresKeysInStripsAndValuesInRows) {
    const auto& reference = **select_attention(machine::Isa::portable, "reference");
    for (const auto style : {RopeStyle::none, RopeStyle::adjacent, RopeStyle::halves}) {
        const Shape shape{2, 2, 80, 0, style, style == RopeStyle::halves ? 40u : 80u};
        Sequence s(shape, 45, 3);
        // Every kind of half: subnormal, ties, beyond the range.
        base::Random random(5);
        for (float& x : s.original()) {
            x *= std::pow(2.0f, static_cast<float>(random.next_below(40)) - 22.0f);
        }
        s.original()[5] = 1e9f;
        s.reset();
        s.store(reference, 0, 45);
        const std::vector<std::byte> expected(s.pages().begin(), s.pages().end());
        const auto rotated = s.qkv();
        s.reset();
        s.store(kernel_, 0, 20);
        s.store(kernel_, 20, 45);
        size_t differing = 0;
        for (size_t i = 0; i < expected.size(); i += 2) {
            uint16_t a;
            uint16_t b;
            std::memcpy(&a, expected.data() + i, 2);
            std::memcpy(&b, s.pages().data() + i, 2);
            const float x = tensor::f16_to_f32(a);
            const float y = tensor::f16_to_f32(b);
            ASSERT_TRUE(std::isfinite(y));
            // The rotation may differ in the last place of f32, so a tie may fall to either side;
            // a difference of two terms loses relative, not absolute accuracy.
            ASSERT_NEAR(x, y, 1e-3f * std::fabs(x) + 0.01f) << i;
            differing += a != b;
        }
        EXPECT_LE(differing, style == RopeStyle::none ? 0 : expected.size() / 200);
        for (size_t i = 0; i < rotated.size(); ++i) {
            const float bound = 1e-5f * (std::fabs(rotated[i]) + 100.0f * 300.0f);
            ASSERT_NEAR(rotated[i], s.qkv()[i], bound) << i;
        }
    }
}

TEST_P(Attention, StoresCodesWithAScalePerPosition) {
    const auto& reference = **select_attention(machine::Isa::portable, "reference");
    const Shape shape{2, 2, 80, 0, RopeStyle::none, 80, KvDtype::q8};
    Sequence s(shape, 45, 3);
    base::Random random(5);
    for (float& x : s.original()) {
        x *= std::pow(2.0f, static_cast<float>(random.next_below(40)) - 22.0f);
    }
    const size_t first_key = 4 * 80;
    s.original()[first_key + 5] = 1e9f;  // saturates
    const size_t second_key = s.stride() + first_key;
    for (size_t i = 0; i < 80; ++i) s.original()[second_key + i] = 0.0f;
    s.original()[2 * s.stride() + first_key + 7] = std::nanf("");
    const std::vector<std::byte> expected = store_both(s, reference, kernel_);
    // The reciprocal of the scale may round a tie to the other side.
    const KvLayout layout = s.layout();
    size_t codes_apart = 0;
    for (size_t page = 0; page * layout.page_bytes() < expected.size(); ++page) {
        for (uint32_t head = 0; head < 2; ++head) {
            for (const size_t part :
                 {layout.k_offset(kLayer, head), layout.v_offset(kLayer, head)}) {
                const size_t at = page * layout.page_bytes() + part;
                for (size_t i = 0; i < layout.scales_offset(); ++i) {
                    const int apart = std::abs(static_cast<int8_t>(expected[at + i]) -
                                               static_cast<int8_t>(s.pages()[at + i]));
                    ASSERT_LE(apart, 1);
                    codes_apart += static_cast<size_t>(apart);
                }
                for (size_t i = 0; i < kPageTokens; ++i) {
                    const float a = float_at(expected, at + layout.scales_offset() + 4 * i);
                    const float b = float_at(s.pages(), at + layout.scales_offset() + 4 * i);
                    ASSERT_TRUE(std::isfinite(b));
                    if (page * kPageTokens + i != 2) {
                        ASSERT_FLOAT_EQ(a, b);
                    }
                }
            }
        }
    }
    EXPECT_LE(codes_apart, 45u);
}

TEST_P(Attention, StoresTurnedCodesTwoInAByte) {
    const auto& reference = **select_attention(machine::Isa::portable, "reference");
    for (const uint32_t dim : {16u, 64u, 80u, 96u, 256u}) {
        SCOPED_TRACE(dim);
        const Shape shape{2, 2, dim, 0, RopeStyle::none, dim, KvDtype::q4};
        Sequence s(shape, 45, 3);
        const size_t first_key = size_t{4} * dim;
        s.original()[first_key + 5] = 1e38f;  // saturates
        const size_t second_key = s.stride() + first_key;
        for (size_t i = 0; i < dim; ++i) s.original()[second_key + i] = 0.0f;
        s.original()[2 * s.stride() + first_key + 7] = std::nanf("");
        const std::vector<std::byte> expected = store_both(s, reference, kernel_);
        const KvLayout layout = s.layout();
        size_t bytes_apart = 0;
        for (size_t page = 0; page * layout.page_bytes() < expected.size(); ++page) {
            for (size_t part = 0; part < layout.page_bytes(); part += layout.head_bytes()) {
                const size_t at = page * layout.page_bytes() + part;
                const size_t scales = at + layout.scales_offset();
                for (size_t i = at; i < scales; ++i) bytes_apart += expected[i] != s.pages()[i];
                for (size_t i = 0; i < kPageTokens; ++i) {
                    const float a = float_at(expected, scales + 4 * i);
                    const float b = float_at(s.pages(), scales + 4 * i);
                    ASSERT_TRUE(std::isfinite(b));
                    ASSERT_NEAR(a, b, 1e-5f * std::fabs(a));
                }
            }
        }
        // A value halfway between two codes may fall to either side.
        EXPECT_LE(bytes_apart, 3u);
        // Of the last positions nothing is zero that has a value.
        const std::byte* last = s.view().v(44, 1) + 44 % kPageTokens * layout.code_bytes();
        EXPECT_FALSE(
            std::all_of(last, last + dim / 2, [](std::byte b) { return b == std::byte{}; }));
    }
}

TEST_P(Attention, TurningKeepsLengthsAndUndoesItself) {
    for (const uint32_t dim : {16u, 48u, 64u, 80u, 128u, 192u, 256u}) {
        SCOPED_TRACE(dim);
        const Shape shape{1, 1, dim, 0, RopeStyle::none, dim, KvDtype::q4};
        Sequence s(shape, 3, dim);
        const std::vector<float> before(s.qkv().begin(), s.qkv().begin() + dim);
        s.store(kernel_, 0, 3);
        const std::vector<float> once(s.qkv().begin(), s.qkv().begin() + dim);
        const std::vector<double> exact = turned({before.begin(), before.end()});
        double length = 0;
        double length_once = 0;
        for (uint32_t d = 0; d < dim; ++d) {
            ASSERT_NEAR(once[d], exact[d], 2e-6) << d;
            length += before[d] * before[d];
            length_once += once[d] * once[d];
        }
        EXPECT_NEAR(length_once / length, 1.0, 1e-6);
        s.store(kernel_, 0, 3);
        for (uint32_t d = 0; d < dim; ++d) ASSERT_NEAR(s.qkv()[d], before[d], 2e-6) << d;
    }
}

// Errors of attention on keys and values as they are: largest of all positions and dims.
TEST_P(Attention, FourBitsStayNearAndTurningTamesAnOutlier) {
    const Shape shape{1, 2, 64, 0, RopeStyle::none, 64, KvDtype::q4};
    for (const float outlier : {0.0f, 30.0f}) {
        SCOPED_TRACE(outlier);
        Sequence s(shape, 60, 77);
        // One channel that is large in every key, as models have them: scores all move by the same.
        const size_t channel = size_t{2} * 64 + 11;
        for (uint32_t i = 0; i < 60; ++i) s.original()[i * s.stride() + channel] += outlier;
        s.run(kernel_, 60, 32);
        double squares = 0;
        double squares_unturned = 0;
        for (uint32_t position = 20; position < 60; ++position) {
            for (uint32_t head = 0; head < 2; ++head) {
                const auto exact = exact_attention(s, shape, position, head, Kept::exact);
                const auto unturned = exact_attention(s, shape, position, head, Kept::four_bits);
                const float* out = s.out().data() + (size_t{position} * 2 + head) * 64;
                for (uint32_t d = 0; d < 64; ++d) {
                    squares += std::pow(out[d] - exact[d], 2);
                    squares_unturned += std::pow(unturned[d] - exact[d], 2);
                }
            }
        }
        const double error = std::sqrt(squares / (40 * 2 * 64));
        const double error_unturned = std::sqrt(squares_unturned / (40 * 2 * 64));
        // Codes of a step s err by s / sqrt(12) rms. Of 64 normal values the largest is about 2.4,
        // so s is about 0.3 and each value errs by 0.09. A score, q . error / sqrt(64), then errs
        // by 0.09 too, which moves probabilities by 9 %; V adds its own, and outputs average both
        // over the positions, whose values are 1 rms.
        if (outlier == 0.0f) {
            EXPECT_LT(error, 0.04);
            EXPECT_GT(error, 0.005) << "no 4 bits are that good";
        } else {
            EXPECT_LT(error, error_unturned / 3);
        }
    }
}

TEST_P(Attention, LaterPositionsAndOldPagesDoNotReachAToken) {
    const Shape shape{1, 3, 64, 0};
    Sequence s(shape, 64, 11);
    s.run(kernel_, 64, 32);
    const auto expected = s.out();
    s.reset();
    s.store(kernel_, 0, 40);
    s.attend(kernel_, 0, 40, 8);
    // Tokens from 40 on are wild; the pages hold their leftovers when token 39 is run again.
    for (size_t i = 40 * s.stride(); i < s.qkv().size(); ++i) s.qkv()[i] = 1e8f;
    s.store(kernel_, 40, 64);
    std::vector<float> before(s.out().begin(), s.out().begin() + 40 * 3 * 64);
    ASSERT_EQ(std::memcmp(before.data(), expected.data(), before.size() * 4), 0);
    s.attend(kernel_, 39, 40, 1);
    ASSERT_EQ(std::memcmp(s.out().data(), expected.data(), before.size() * 4), 0);
}

TEST_P(Attention, OverflowingValuesStayFinite) {
    for (const KvDtype dtype : {KvDtype::f16, KvDtype::q8, KvDtype::q4}) {
        const Shape shape{1, 1, 32, 0, RopeStyle::none, 32, dtype};
        Sequence s(shape, 34, 12);
        for (uint32_t i = 0; i < 32; ++i) s.original()[33 * s.stride() + 64 + i] = 1e30f;
        s.run(kernel_, 34, 32);
        for (size_t i = 0; i < s.out().size(); ++i) ASSERT_TRUE(std::isfinite(s.out()[i])) << i;
    }
}

TEST_P(Attention, ALargeScoreTakesAll) {
    const Shape shape{1, 1, 16, 0, RopeStyle::none, 16};
    Sequence s(shape, 80, 13);
    for (uint32_t d = 0; d < 16; ++d) {
        s.original()[79 * s.stride() + d] = 200.0f;
        s.original()[5 * s.stride() + 16 + d] = 50.0f;
    }
    s.run(kernel_, 80, 32);
    for (uint32_t d = 0; d < 16; ++d) {
        const float v = s.original()[5 * s.stride() + 32 + d];
        ASSERT_EQ(s.out()[79 * 16 + d], tensor::f16_to_f32(tensor::f32_to_f16(v))) << d;
    }
}

std::vector<const AttentionVariant*> runnable_attention() {
    std::vector<const AttentionVariant*> found;
    for (const AttentionVariant& variant : attention_variants()) {
        if (variant.isa <= machine::detect_isa()) {
            found.push_back(&variant);
        } else {
            std::printf("NOT RUN on this CPU: attention %s\n", variant.name);
        }
    }
    return found;
}

INSTANTIATE_TEST_SUITE_P(Variants, Attention, testing::ValuesIn(runnable_attention()),
                         [](const auto& info) { return std::string(info.param->name); });

TEST(AttentionSelect, TakesTheBestAndRefusesWhatCannotRun) {
    EXPECT_STREQ((*select_attention(machine::Isa::avx512vnni))->name, "avx512");
    EXPECT_STREQ((*select_attention(machine::Isa::avx2))->name, "avx2");
    EXPECT_STREQ((*select_attention(machine::Isa::portable))->name, "portable");
    EXPECT_STREQ((*select_attention(machine::Isa::avx2, "reference"))->name, "reference");
    const auto missing = select_attention(machine::Isa::avx2, "avx512");
    ASSERT_FALSE(missing.has_value());
    EXPECT_EQ(missing.error().code, base::ErrorCode::unsupported);
}

}  // namespace
}  // namespace hone::kernels
