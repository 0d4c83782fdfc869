#include "probe/weight_scan.h"

#include <gtest/gtest.h>

#include <atomic>
#include <limits>

#include "models/synth.h"
#include "tensor/codec.h"

namespace hone::probe {
namespace {

using cost::TensorScan;
using cost::WeightScan;
using tensor::DType;

class WeightScanTest : public ::testing::Test {
  protected:
    // The file's bytes, eight-byte aligned as a map would be.
    static std::string bytes_of(const formats::GgufWriter& writer) {
        std::string bytes;
        const auto written = writer.write_to([&](std::span<const std::byte> piece) -> base::Status {
            bytes.append(reinterpret_cast<const char*>(piece.data()), piece.size());
            return {};
        });
        EXPECT_TRUE(written);
        return bytes;
    }
    WeightScan scan(const std::string& bytes, WeightScanOptions options = {}) const {
        const auto file = formats::GgufFile::parse(std::as_bytes(std::span(bytes)), "test");
        EXPECT_TRUE(file);
        const auto result = scan_weights(*file, clock_, options);
        EXPECT_TRUE(result);
        return *result;
    }
    WeightScan scan(const models::SynthSpec& spec) const {
        const auto writer = models::make_synth(spec);
        EXPECT_TRUE(writer) << writer.error().message;
        return scan(bytes_of(*writer));
    }
    static models::SynthSpec spec_of(DType type) {
        models::SynthSpec spec;
        spec.type = type;
        spec.n_layers = 2;
        spec.n_embd = 256;
        spec.n_ff = 512;
        return spec;
    }
    static void add_floats(formats::GgufWriter& writer, const std::string& name, DType dtype,
                           std::vector<uint64_t> dims, const std::vector<float>& values) {
        std::vector<std::byte> bytes(*tensor::row_bytes(dtype, values.size()));
        tensor::quantize(dtype, values.data(), values.size(), bytes.data());
        writer.add_tensor(name, dtype, std::move(dims), bytes);
    }

    base::SteadyClock clock_;
};

TEST_F(WeightScanTest, CleanModelsOfEveryTypeHaveNoFindings) {
    for (const tensor::DTypeTraits& traits : tensor::kDTypes) {
        const DType type = traits.dtype;
        if (!tensor::can_quantize(type) || type == DType::i32) continue;
        const WeightScan result = scan(spec_of(type));
        EXPECT_TRUE(result.complete);
        EXPECT_EQ(result.tensors_scanned, result.tensors);
        EXPECT_EQ(result.bytes_scanned, result.bytes);
        EXPECT_EQ(result.tensors, 2u + 2 * 9);
        for (const TensorScan& tensor : result.findings) {
            // Noise near 0 is below the smallest normal half now and then, and rounds to blocks of
            // zeros where there are only three values.
            const bool ternary = type == DType::tq1_0 || type == DType::tq2_0;
            EXPECT_TRUE(type == DType::f16 || ternary) << tensor.name;
            EXPECT_LT(tensor.half_denormals, tensor.elements / 100);
        }
    }
}

TEST_F(WeightScanTest, FindsPlantedDenormals) {
    for (const DType type : {DType::f32, DType::bf16, DType::f16}) {
        models::SynthSpec spec = spec_of(type);
        spec.plants.denormals = true;
        const WeightScan result = scan(spec);
        const TensorScan* up = result.tensor("blk.1.ffn_up.weight");
        ASSERT_NE(up, nullptr);
        EXPECT_EQ(up->elements, 256u * 512);
        if (type == DType::f16) {
            EXPECT_EQ(up->denormals, 0u) << "a small half is a normal f32";
            EXPECT_GE(up->half_denormals, up->elements / 8);
        } else {
            EXPECT_EQ(up->denormals, up->elements / 8);
            EXPECT_EQ(up->half_denormals, 0u);
        }
        EXPECT_EQ(result.tensor("blk.1.ffn_norm.weight"), nullptr);
    }
}

TEST_F(WeightScanTest, FindsPlantedZeroBlocks) {
    for (const DType type : {DType::f32, DType::q8_0, DType::q4_0, DType::q6_k}) {
        models::SynthSpec spec = spec_of(type);
        spec.plants.zero_blocks = true;
        const WeightScan result = scan(spec);
        const TensorScan* down = result.tensor("blk.0.ffn_down.weight");
        ASSERT_NE(down, nullptr) << tensor::name(type);
        EXPECT_EQ(down->blocks, 512u * 256 / 32);
        EXPECT_EQ(down->zero_blocks, down->blocks / 4) << tensor::name(type);
        EXPECT_EQ(down->zero_rows, 0u);
        EXPECT_FALSE(down->all_zero);
    }
}

TEST_F(WeightScanTest, FindsLayersThatDoNothingAndLayersTwice) {
    models::SynthSpec spec = spec_of(DType::q8_0);
    spec.plants.zero_layer = true;
    WeightScan result = scan(spec);
    ASSERT_NE(result.tensor("blk.1.attn_output.weight"), nullptr);
    EXPECT_TRUE(result.tensor("blk.1.attn_output.weight")->all_zero);
    EXPECT_EQ(result.tensor("blk.1.attn_output.weight")->zero_rows, 256u);
    EXPECT_TRUE(result.tensor("blk.1.ffn_down.weight")->all_zero);
    EXPECT_EQ(result.findings.size(), 2u);
    spec.plants = {.duplicate_layer = true};
    result = scan(spec);
    EXPECT_EQ(result.findings.size(), 7u) << "the matrices of the second layer";
    for (const TensorScan& tensor : result.findings) {
        ASSERT_EQ(tensor.name.substr(0, 6), "blk.1.");
        EXPECT_EQ(tensor.duplicate_of, "blk.0." + tensor.name.substr(6));
    }
}

TEST_F(WeightScanTest, FindsVocabularyRowsThatAreOne) {
    models::SynthSpec spec = spec_of(DType::q4_0);
    spec.plants.duplicate_rows = true;
    spec.tied_embeddings = false;
    const WeightScan result = scan(spec);
    ASSERT_EQ(result.findings.size(), 2u);
    for (const TensorScan& tensor : result.findings) {
        EXPECT_EQ(tensor.duplicate_rows, 256u) << "a quarter of 1024, all like the first row";
        EXPECT_EQ(tensor.zero_rows, 0u);
    }
}

TEST_F(WeightScanTest, CountsWhatIsNoNumber) {
    formats::GgufWriter writer;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    const float infinity = std::numeric_limits<float>::infinity();
    std::vector<float> values(40, 1.0f);
    values[3] = nan;
    values[35] = -infinity;
    values[36] = infinity;
    const auto* raw = reinterpret_cast<const std::byte*>(values.data());
    writer.add_tensor("odd", DType::f32, {40}, {raw, values.size() * sizeof(float)});
    add_floats(writer, "fine", DType::f32, {4, 2}, {1, 2, 3, 4, 0, 0, 0, 0});
    const WeightScan result = scan(bytes_of(writer));
    const TensorScan* odd = result.tensor("odd");
    ASSERT_NE(odd, nullptr);
    EXPECT_EQ(odd->nans, 1u);
    EXPECT_EQ(odd->infinities, 2u);
    EXPECT_EQ(odd->blocks, 1u) << "the last eight are no block";
    ASSERT_NE(result.tensor("fine"), nullptr);
    EXPECT_EQ(result.tensor("fine")->zero_rows, 1u);
    EXPECT_FALSE(result.tensor("fine")->all_zero);
}

TEST_F(WeightScanTest, SmallScalesAreHalfDenormals) {
    formats::GgufWriter writer;
    std::vector<float> values(256);
    for (size_t i = 0; i < values.size(); ++i) {
        values[i] = (static_cast<float>(i % 15) - 7) * 1e-6f;
    }
    for (const DType type : {DType::q4_0, DType::q4_1, DType::q5_0, DType::q8_0}) {
        add_floats(writer, std::string(tensor::name(type)), type, {256}, values);
    }
    const WeightScan result = scan(bytes_of(writer));
    for (const char* name : {"Q4_0", "Q4_1", "Q5_0", "Q8_0"}) {
        const TensorScan* tensor = result.tensor(name);
        ASSERT_NE(tensor, nullptr) << name;
        EXPECT_GT(tensor->half_denormals, 0u) << name;
        EXPECT_EQ(tensor->denormals, 0u) << name;
    }
}

TEST_F(WeightScanTest, EndsWithItsTimeAndListsNoMoreThanAsked) {
    models::SynthSpec spec = spec_of(DType::q8_0);
    spec.plants.zero_blocks = true;
    const std::string bytes = bytes_of(*models::make_synth(spec));
    const WeightScan none = scan(bytes, {.budget_s = 0});
    EXPECT_FALSE(none.complete);
    EXPECT_EQ(none.bytes_scanned, 0u);
    EXPECT_GT(none.bytes, 0u);
    EXPECT_TRUE(none.findings.empty());
    const WeightScan few = scan(bytes, {.findings_max = 3});
    EXPECT_TRUE(few.complete);
    EXPECT_EQ(few.findings.size(), 3u);
    EXPECT_EQ(few.findings_left_out, 2 * 7 + 1 - 3u);
}

TEST_F(WeightScanTest, StopsOnRequest) {
    const std::string bytes = bytes_of(*models::make_synth(spec_of(DType::q8_0)));
    const auto file = formats::GgufFile::parse(std::as_bytes(std::span(bytes)), "test");
    const std::atomic<bool> cancel{true};
    Conduct conduct;
    conduct.cancel = &cancel;
    const auto result = scan_weights(*file, clock_, {}, conduct);
    ASSERT_FALSE(result);
    EXPECT_EQ(result.error().code, base::ErrorCode::cancelled);
}

}  // namespace
}  // namespace hone::probe
