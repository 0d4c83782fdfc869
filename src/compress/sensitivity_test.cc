#include "compress/sensitivity.h"

#include <gtest/gtest.h>

#include "base/clock.h"
#include "compress/compress_fixture.h"
#include "compress/weight_overlay.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

using tensor::DType;

TEST(Sensitivity, Groups) {
    EXPECT_EQ(group_of("token_embd.weight", 30, 4), "token_embd.weight");
    EXPECT_EQ(group_of("blk.0.attn_q.weight", 30, 4), "attn_q.weight/0");
    EXPECT_EQ(group_of("blk.7.attn_q.weight", 30, 4), "attn_q.weight/0");
    EXPECT_EQ(group_of("blk.8.attn_q.weight", 30, 4), "attn_q.weight/1");
    EXPECT_EQ(group_of("blk.29.attn_q.weight", 30, 4), "attn_q.weight/3");
    for (const char* odd : {"blk.30.x", "blk.x.y", "blk.", "blk.99999999999999999999.x"}) {
        EXPECT_EQ(group_of(odd, 30, 4), odd);
    }
}

struct SensitivityBench {
    SynthModel model{{.n_layers = 2, .n_ff = 256, .n_vocab = 512, .type = DType::f16}};
    base::SteadyClock clock;
    std::unique_ptr<runtime::Session> session;
    std::vector<int32_t> tokens;
    Guidance guidance;

    SensitivityBench() {
        auto opened = runtime::open_session(model.path(), calibration_load(128, 2), clock);
        EXPECT_TRUE(opened);
        session = std::move(*opened);
        for (int i = 0; i < 400; ++i) tokens.push_back((i * i * 5 + 1) % 500);
        auto statistics = calibrate(*session, tokens, {.context = 128});
        EXPECT_TRUE(statistics);
        guidance = make_guidance(std::move(*statistics), session->executor().team());
    }
    base::Result<SensitivityTable> measure(const SensitivityOptions& options) {
        return measure_sensitivity(*session, model.file(), guidance, tokens, options, clock);
    }
};

TEST(Sensitivity, MoreBitsCostLess) {
    SensitivityBench bench;
    SensitivityOptions options;
    options.types = {DType::q4_0, DType::q5_0, DType::q8_0, DType::q6_k};
    options.context = 96;
    options.depth_groups = 2;
    const auto table = bench.measure(options);
    ASSERT_TRUE(table) << table.error().message;
    EXPECT_EQ(table->tensors.size(), 1 + 2 * 7u);
    EXPECT_EQ(table->groups.size(), 1 + 2 * 7u);
    EXPECT_EQ(table->tokens, 4 * (96 - 32u));
    for (const TensorSensitivity& tensor : table->tensors) {
        // Only ffn_down has rows of whole 256-blocks.
        const bool wide = tensor.name.find("ffn_down") != std::string::npos;
        ASSERT_EQ(tensor.types.size(), wide ? 4u : 3u) << tensor.name;
        for (size_t i = 1; i < 3; ++i) {
            EXPECT_GT(tensor.types[i].bytes, tensor.types[i - 1].bytes);
            EXPECT_LT(tensor.types[i].kl, tensor.types[i - 1].kl) << tensor.name;
        }
        EXPECT_GT(tensor.types[2].kl, 0);
    }
    const auto items = allocation_items(*table);
    EXPECT_EQ(items.size(), table->tensors.size());
    EXPECT_GT(pareto_front(items).size(), items.size());
}

// The logits of the unchanged model are kept: fewer windows where memory is short, one at least.
TEST(Sensitivity, KeepsItsLogitsWithinTheLimit) {
    SensitivityBench bench;
    SensitivityOptions options;
    options.types = {DType::q4_0};
    options.context = 96;
    options.depth_groups = 1;
    const uint64_t window_bytes = (96 - 32) * 512 * sizeof(float);
    for (const uint64_t windows : {0u, 1u, 2u}) {
        options.logits_bytes_max = windows * window_bytes;
        const auto table = bench.measure(options);
        ASSERT_TRUE(table) << table.error().message;
        EXPECT_EQ(table->tokens, std::max<uint64_t>(1, windows) * (96 - 32));
    }
}

TEST(Sensitivity, ShortTextIsRefused) {
    SensitivityBench bench;
    SensitivityOptions options;
    options.types = {DType::q4_0};
    options.context = 500;
    const auto table = bench.measure(options);
    ASSERT_FALSE(table);
    EXPECT_EQ(table.error().code, base::ErrorCode::invalid_argument);
}

// Replaced weights are what the executor computes with, in their own type.
TEST(WeightOverlay, ReplacesAndRetypes) {
    SensitivityBench bench;
    WeightOverlay overlay(bench.session->model());
    const std::string name = "blk.0.ffn_up.weight";
    const auto view = bench.model.file().tensor(name);
    ASSERT_TRUE(view);
    std::vector<float> row(view->columns(), 0.5f);
    std::vector<std::byte> bytes;
    for (uint64_t r = 0; r < view->rows(); ++r) {
        std::vector<std::byte> blocks(*tensor::row_bytes(DType::q8_0, row.size()));
        tensor::quantize(DType::q8_0, row.data(), row.size(), blocks.data());
        bytes.insert(bytes.end(), blocks.begin(), blocks.end());
    }
    EXPECT_FALSE(overlay.replace(name, DType::q4_0, bytes));
    EXPECT_FALSE(overlay.replace("no.such.tensor", DType::q8_0, bytes));
    ASSERT_TRUE(overlay.replace(name, DType::q8_0, std::move(bytes)));
    const auto replaced = overlay.tensor(name);
    ASSERT_TRUE(replaced);
    EXPECT_EQ(replaced->dtype, DType::q8_0);
    std::vector<float> decoded(replaced->columns());
    tensor::dequantize(DType::q8_0, replaced->row(3), decoded.size(), decoded.data());
    EXPECT_NEAR(decoded[5], 0.5f, 1e-3);
    EXPECT_EQ(overlay.tensor("blk.1.ffn_up.weight")->dtype, DType::f16);
    auto graph = bench.session->model().build_graph(64);
    ASSERT_TRUE(graph);
    overlay.retype(*graph);
    size_t retyped = 0;
    for (const graph::Value& value : graph->values) {
        for (const graph::WeightPart& part : value.parts) {
            EXPECT_EQ(part.dtype == DType::q8_0, part.name == name);
            retyped += part.dtype == DType::q8_0 ? 1 : 0;
        }
    }
    EXPECT_EQ(retyped, 1u);
}

}  // namespace
}  // namespace hone::compress
