// Attention of one KV head: prefill work units as a share of the f32 FMA peak (GFLOP/s), decode as
// KV bytes and positions per second; store of a slice. Each with the cache in f16, q8 and q4.
#include <benchmark/benchmark.h>

#include <string>
#include <vector>

#include "base/random.h"
#include "kernels/attention/attention.h"
#include "kernels/model_shapes.h"
#include "tensor/buffer.h"

namespace hone::kernels {
namespace {

constexpr KvDtype kDtypes[] = {KvDtype::f16, KvDtype::q8, KvDtype::q4};

struct Case {
    Case(uint32_t group, uint32_t dim, uint32_t positions, KvDtype dtype) {
        KvLayout layout{1, dim, 1, 0, dtype};
        const size_t n_pages = (positions + kPageTokens - 1) / kPageTokens;
        memory = *tensor::Buffer::allocate(n_pages * layout.page_bytes());
        for (size_t i = 0; i < n_pages; ++i) {
            pages.push_back(memory.data() + i * layout.page_bytes());
        }
        const size_t stride = (group + 2) * dim;
        qkv.resize(size_t{positions} * stride);
        base::Random random(1);
        for (float& x : qkv) x = static_cast<float>(random.next_double()) - 0.5f;
        table.assign(size_t{positions} * dim, 0.5f);
        store.qkv = qkv.data();
        store.qkv_stride = stride;
        store.n_heads = group;
        store.n_tokens = positions;
        store.rope_dims = dim;
        store.cos_sin = table.data();
        store.kv = {layout, pages.data(), 0};
        store.kv_head_end = 1;

        out.resize(size_t{kAttendTokensMax} * group * dim);
        scratch = *tensor::Buffer::allocate(attend_scratch_bytes(group, dim));
        attend.q = qkv.data();
        attend.q_stride = stride;
        attend.n_heads = group;
        attend.scale = 0.125f;
        attend.kv = store.kv;
        attend.out = out.data();
        attend.out_stride = size_t{group} * dim;
        attend.scratch = scratch.data();
    }

    std::vector<float> qkv;
    std::vector<float> table;
    std::vector<float> out;
    std::vector<std::byte*> pages;
    tensor::Buffer memory;
    tensor::Buffer scratch;
    RopeStoreArgs store;
    AttendArgs attend;
};

const char* dtype_name(KvDtype dtype) {
    return kv_dtype_names()[static_cast<size_t>(dtype)];
}

void run_attend(benchmark::State& state, const AttentionVariant& variant, uint32_t group,
                uint32_t dim, uint32_t positions, uint32_t tokens, KvDtype dtype) {
    Case c(group, dim, positions, dtype);
    variant.rope_and_store(c.store);
    c.attend.n_tokens = tokens;
    c.attend.token_end = tokens;
    c.attend.first_position = positions - tokens;
    for (auto _ : state) {
        variant.attend(c.attend);
        benchmark::ClobberMemory();
    }
    const double rounds = static_cast<double>(state.iterations());
    const double visible = positions - tokens / 2.0;
    state.counters["GFLOPs"] = benchmark::Counter(rounds * tokens * group * visible * dim * 4 / 1e9,
                                                  benchmark::Counter::kIsRate);
    state.counters["KV_GBs"] =
        benchmark::Counter(rounds * positions * c.attend.kv.layout.position_bytes() / 1e9,
                           benchmark::Counter::kIsRate);
    state.counters["Mpositions"] =
        benchmark::Counter(rounds * positions / 1e6, benchmark::Counter::kIsRate);
}

void add_attend(const AttentionVariant& variant, const ModelShape& model, uint32_t positions,
                uint32_t tokens, KvDtype dtype) {
    const auto group = static_cast<uint32_t>(model.n_heads / model.n_kv_heads);
    const auto dim = static_cast<uint32_t>(model.head_dim);
    const std::string name = std::string("attend/") + variant.name + "/" + model.name +
                             "/keys:" + std::to_string(positions) +
                             "/tokens:" + std::to_string(tokens) + "/" + dtype_name(dtype);
    benchmark::RegisterBenchmark(name.c_str(), [=, &variant](auto& state) {
        run_attend(state, variant, group, dim, positions, tokens, dtype);
    })->MinTime(0.05);
}

void add_store(const AttentionVariant& variant, KvDtype dtype) {
    const std::string name =
        std::string("rope_and_store/") + variant.name + "/group3/dim64/" + dtype_name(dtype);
    benchmark::RegisterBenchmark(name.c_str(), [&variant, dtype](auto& state) {
        Case c(3, 64, 32, dtype);
        for (auto _ : state) variant.rope_and_store(c.store);
        state.SetItemsProcessed(state.iterations() * 32);
    })->MinTime(0.05);
}

bool register_all() {
    for (const AttentionVariant& variant : attention_variants()) {
        if (variant.isa > machine::detect_isa()) continue;
        for (const ModelShape& model : kModelShapes) {
            for (const uint32_t tokens : {32u, 1u}) {
                for (const uint32_t keys : {512u, 2048u}) {
                    for (const KvDtype dtype : kDtypes) {
                        add_attend(variant, model, keys, tokens, dtype);
                    }
                }
            }
        }
        for (const KvDtype dtype : kDtypes) {
            // 64 MiB of KV in f16: decode from memory.
            if (variant.name != std::string_view("reference")) {
                add_attend(variant, kModelShapes[0], 262144, 1, dtype);
            }
            add_store(variant, dtype);
        }
    }
    return true;
}

const bool kRegistered = register_all();

}  // namespace
}  // namespace hone::kernels
