#include "runtime/kv_pool.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <vector>

#include "base/random.h"

namespace hone::runtime {
namespace {

constexpr uint32_t kPage = kernels::kPageTokens;

kernels::KvLayout layout(uint32_t window = 0, uint32_t layers = 2) {
    return {.n_kv_heads = 2, .head_dim = 16, .layers = layers, .window = window};
}

KvPool make(KvPoolOptions options) {
    auto pool = KvPool::create(std::move(options));
    EXPECT_TRUE(pool) << pool.error().message;
    return std::move(*pool);
}

// Writes what a kernel would: K and V of `position` in every layer and head.
void write_position(const kernels::KvLayout& shape, std::byte* page, uint32_t in_page) {
    for (uint32_t layer = 0; layer < shape.layers; ++layer) {
        for (uint32_t head = 0; head < shape.n_kv_heads; ++head) {
            for (uint32_t dim = 0; dim < shape.head_dim; ++dim) {
                const size_t strip = in_page / kernels::kKeyStrip;
                const size_t k = (strip * shape.head_dim + dim) * kernels::kKeyStrip +
                                 in_page % kernels::kKeyStrip;
                const size_t v = in_page * shape.head_dim + dim;
                std::memset(page + shape.k_offset(layer, head) + 2 * k, 0xff, 2);
                std::memset(page + shape.v_offset(layer, head) + 2 * v, 0xff, 2);
            }
        }
    }
}

TEST(KvPool, PagesComeFromTheReservationAndReturn) {
    KvPool pool = make(
        {.groups = {layout()}, .context = 4 * kPage, .slots = 2, .step_tokens_max = 4 * kPage});
    EXPECT_EQ(pool.facts().pages_total, 8u);
    EXPECT_FALSE(pool.facts().waste_share);
    pool.reserve(0, 2 * kPage + 1);
    EXPECT_EQ(pool.facts().pages_reserved, 3u);
    EXPECT_EQ(pool.facts().pages_free, 8u);
    pool.back(0, 1);
    pool.back(0, 1);  // again: nothing happens
    EXPECT_EQ(pool.facts().pages_free, 7u);
    EXPECT_NE(pool.tables(0)[0][0], nullptr);
    EXPECT_EQ(pool.tables(0)[0][1], nullptr);
    pool.back(0, kPage + 1);
    EXPECT_EQ(pool.facts().pages_free, 6u);
    EXPECT_DOUBLE_EQ(*pool.facts().waste_share, 1.0 - (kPage + 1) / (2.0 * kPage));
    pool.check_invariants();
    pool.release(0);
    EXPECT_EQ(pool.facts().pages_free, 8u);
    EXPECT_EQ(pool.facts().pages_reserved, 0u);
    pool.check_invariants();
}

TEST(KvPool, BytesAreExact) {
    KvPool pool = make({.groups = {layout(0, 3), layout(kPage, 5)}, .context = 100});
    const KvPoolFacts facts = pool.facts();
    // 8 layers, K and V, 2 heads of 16 f16 values.
    EXPECT_EQ(facts.bytes_per_token, 8u * 2 * 2 * 16 * 2);
    EXPECT_EQ(facts.page_bytes, facts.bytes_per_token * kPage);
    EXPECT_EQ(facts.groups.size(), 2u);
    EXPECT_EQ(facts.bytes_total, facts.groups[0].page_bytes * facts.groups[0].pages_total +
                                     facts.groups[1].page_bytes * facts.groups[1].pages_total);
}

TEST(KvPool, AReusedPageIsZeroInCodesAndScales) {
    for (const auto dtype : {kernels::KvDtype::q8, kernels::KvDtype::q4}) {
        kernels::KvLayout shape = layout();
        shape.dtype = dtype;
        shape.head_dim = 48;
        const size_t codes = dtype == kernels::KvDtype::q8 ? 48 : 32;  // 4 bits, in groups of 32
        EXPECT_EQ(shape.position_bytes(), 2u * 2 * 2 * (codes + 4));
        KvPool pool = make({.groups = {shape}, .context = kPage, .step_tokens_max = kPage});
        pool.reserve(0, kPage);
        pool.back(0, kPage);
        std::byte* page = pool.tables(0)[0][0];
        std::memset(page, 0x7f, shape.page_bytes());
        pool.release(0);
        pool.reserve(0, kPage);
        pool.back(0, 1);
        ASSERT_EQ(pool.tables(0)[0][0], page);
        EXPECT_TRUE(std::all_of(page, page + shape.page_bytes(),
                                [](std::byte b) { return b == std::byte{0}; }));
    }
}

TEST(KvPool, AReusedPageIsZeroWhereItWasWritten) {
    const kernels::KvLayout shape = layout();
    for (uint32_t written : {1u, 15u, 16u, 17u, 31u, 32u}) {
        KvPool pool = make({.groups = {shape}, .context = kPage, .step_tokens_max = kPage});
        pool.reserve(0, kPage);
        pool.back(0, written);
        std::byte* page = pool.tables(0)[0][0];
        for (uint32_t i = 0; i < written; ++i) write_position(shape, page, i);
        pool.release(0);
        pool.reserve(0, kPage);
        pool.back(0, 1);
        ASSERT_EQ(pool.tables(0)[0][0], page);
        EXPECT_TRUE(std::all_of(page, page + shape.page_bytes(), [](std::byte b) {
            return b == std::byte{0};
        })) << written;
    }
}

TEST(KvPool, AWindowFreesPagesBelowItAndReservesFewer) {
    constexpr uint32_t kWindow = 40;
    KvPool pool =
        make({.groups = {layout(kWindow), layout(0)}, .context = 20 * kPage, .step_tokens_max = 8});
    // 39 + 8 = 47 visible positions touch at most 3 pages.
    EXPECT_EQ(pool.facts().groups[0].pages_total, 3u);
    EXPECT_EQ(pool.facts().groups[1].pages_total, 20u);
    pool.reserve(0, 20 * kPage);
    for (uint32_t computed = 0; computed + 8 <= 20 * kPage; computed += 8) {
        pool.back(0, computed + 8);
        const std::byte* const* windowed = pool.tables(0)[0];
        for (uint32_t p = 0; p < computed + 8; ++p) {
            // Visible to the first token of the slice: in a page.
            if (p + kWindow > computed) {
                ASSERT_NE(windowed[p / kPage], nullptr) << p;
            }
            ASSERT_NE(pool.tables(0)[1][p / kPage], nullptr);
        }
        pool.advance(0, computed + 8);
        pool.check_invariants();
        if (computed + 8 >= kWindow + kPage) {
            ASSERT_EQ(windowed[0], nullptr);
        }
    }
    EXPECT_EQ(pool.facts().groups[1].pages_free, 0u);
    pool.release(0);
    pool.check_invariants();
}

TEST(KvPool, ASmallBudgetIsSharedAndRefused) {
    const uint64_t page_bytes = layout().page_bytes();
    KvPool pool = make({.groups = {layout(), layout()},
                        .context = 8 * kPage,
                        .slots = 2,
                        .step_tokens_max = 8 * kPage,
                        .bytes_max = 10 * page_bytes});
    EXPECT_LE(pool.facts().bytes_total, 10 * page_bytes);
    EXPECT_EQ(pool.facts().groups[0].pages_total, 5u);
    EXPECT_TRUE(pool.can_reserve(5 * kPage));
    EXPECT_FALSE(pool.can_reserve(5 * kPage + 1));
    EXPECT_FALSE(pool.could_ever_reserve(5 * kPage + 1));
    pool.reserve(0, 3 * kPage);
    EXPECT_FALSE(pool.can_reserve(3 * kPage));
    EXPECT_TRUE(pool.could_ever_reserve(3 * kPage));
    EXPECT_TRUE(pool.can_reserve(2 * kPage));

    auto none = KvPool::create({.groups = {layout()}, .context = kPage, .bytes_max = 100});
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, base::ErrorCode::exhausted);
}

TEST(KvPool, ImpossibleShapesAreRefused) {
    EXPECT_FALSE(KvPool::create({.groups = {}, .context = 1}));
    EXPECT_FALSE(KvPool::create({.groups = {layout()}, .context = 0}));
    EXPECT_FALSE(KvPool::create({.groups = {layout()}, .context = 1, .slots = 0}));
    kernels::KvLayout odd = layout();
    odd.head_dim = 20;
    EXPECT_FALSE(KvPool::create({.groups = {odd}, .context = 1}));
    const kernels::KvLayout huge{.n_kv_heads = 65536, .head_dim = 65536, .layers = 65536};
    auto wraps = KvPool::create({.groups = {huge}, .context = UINT32_MAX, .slots = UINT32_MAX});
    ASSERT_FALSE(wraps);
    EXPECT_EQ(wraps.error().code, base::ErrorCode::exhausted);
}

TEST(KvPool, RandomLivesKeepTheInvariants) {
    for (uint64_t seed = 1; seed <= 20; ++seed) {
        SCOPED_TRACE(seed);
        base::Random random(seed);
        constexpr uint32_t kSlots = 4;
        constexpr uint32_t kContext = 300;
        const uint32_t step = 1 + static_cast<uint32_t>(random.next_below(70));
        KvPool pool = make({.groups = {layout(0, 1), layout(50, 2)},
                            .context = kContext,
                            .slots = kSlots,
                            .step_tokens_max = step,
                            .bytes_max = 20 * layout(0, 3).page_bytes()});
        std::vector<uint32_t> computed(kSlots, 0);
        for (int i = 0; i < 300; ++i) {
            const uint32_t slot = static_cast<uint32_t>(random.next_below(kSlots));
            if (pool.reserved_positions(slot) == 0) {
                const auto positions = static_cast<uint32_t>(1 + random.next_below(kContext));
                if (pool.can_reserve(positions)) pool.reserve(slot, positions);
                computed[slot] = 0;
            } else if (random.next_below(8) == 0) {
                pool.release(slot);
            } else {
                const uint32_t left = pool.reserved_positions(slot) - computed[slot];
                const auto n = static_cast<uint32_t>(random.next_below(std::min(left, step) + 1));
                pool.back(slot, computed[slot] + n);
                if (random.next_below(4) > 0) pool.advance(slot, computed[slot] += n);
            }
            pool.check_invariants();
        }
    }
}

TEST(KvPoolDeathTest, OverdrawnReservationsAreBugs) {
    KvPool pool = make({.groups = {layout()}, .context = 4 * kPage, .step_tokens_max = 8});
    pool.reserve(0, 10);
    EXPECT_DEATH(pool.back(0, 11), "reserved");
    EXPECT_DEATH(pool.back(0, 9), "step_tokens_max");
    EXPECT_DEATH(pool.reserve(0, 1), "reserved");
}

}  // namespace
}  // namespace hone::runtime
