// Speed of every linear variant on the shapes of real models (kernels/model_shapes.h). Names are
//   linear/<variant>/<format>/<int8|f32>/<model>/<product>/m:<activation rows>/threads:<n>
// so that --benchmark_filter picks what is of interest; the whole table takes hours. gmac_s counts
// multiply-accumulates, gb_s the bytes of packed weights that were read. Weights stream from memory
// as they do in a model: calls go round over copies that together are larger than a shared cache.
// Only "ladder/1536x576", what LADDER.md compares kernels on, stays in a cache.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <random>
#include <vector>

#include "kernels/linear/linear.h"
#include "kernels/model_shapes.h"
#include "machine/thread_team.h"
#include "tensor/buffer.h"
#include "tensor/codec.h"

namespace hone::kernels {
namespace {

// Decode, a small batch, a batch or a short prompt, a chunk of a long prompt.
constexpr size_t kActivationRows[] = {1, 4, 16, 512};
constexpr int kThreads[] = {1, 2};
// Three times the largest L3 of the machines that the ladder was measured on.
constexpr size_t kStreamedBytes = size_t{96} << 20;

tensor::Buffer allocate(size_t bytes) {
    auto buffer = tensor::Buffer::allocate(bytes);
    if (!buffer) std::abort();
    return std::move(*buffer);
}

// Small random codes and normal scales: the arithmetic takes the same time for all finite values.
PackedMatrix fill_weights(PackFormat format, const LinearShape& shape, size_t streamed_bytes,
                          tensor::Buffer& memory, size_t& copies) {
    PackedMatrix matrix;
    matrix.format = format;
    matrix.rows = static_cast<uint32_t>(shape.rows);
    matrix.columns = static_cast<uint32_t>(shape.columns);
    matrix.tile_bytes = packed_tile_bytes(format, shape.columns);
    copies = std::max<size_t>(1, streamed_bytes / matrix.bytes());
    memory = allocate(copies * matrix.bytes());
    std::mt19937 random(1);
    // 0x2c2c is 0.065 as f16, about 2.4e-12 as bf16 and as the upper half of an f32.
    std::memset(memory.data(), 0x2c, memory.size());
    for (size_t i = 0; i + 64 < memory.size(); i += 64) {
        memory.data()[i + random() % 32] = std::byte{0x2b};
    }
    matrix.data = memory.data();
    return matrix;
}

struct Case {
    const LinearVariant* variant;
    size_t streamed_bytes;
    LinearShape shape;
    size_t m;
    int threads;
};

struct Inputs {
    tensor::Buffer weights, quantized, rows, out;
    PackedMatrix matrix;
    size_t copies = 1;
    QuantizedRows x;
    LinearArgs args;
};

Inputs make_inputs(const Case& bench) {
    Inputs in;
    in.matrix = fill_weights(bench.variant->format, bench.shape, bench.streamed_bytes, in.weights,
                             in.copies);
    const size_t columns = bench.shape.columns;
    in.quantized = allocate(quantized_rows_bytes(bench.m, columns));
    in.x = quantized_rows_at(in.quantized.data(), bench.m, columns);
    in.rows = allocate(bench.m * columns * sizeof(float));
    auto* rows = reinterpret_cast<float*>(in.rows.data());
    for (size_t i = 0; i < bench.m * columns; ++i) {
        in.x.q[i] = static_cast<int8_t>(i * 37 % 255 - 127);
        rows[i] = 0.01f * static_cast<float>(in.x.q[i]);
    }
    for (size_t i = 0; i < bench.m * columns / kBlock; ++i) in.x.scale[i] = 0.01f;
    in.out = allocate(bench.m * in.matrix.tiles() * kTileRows * sizeof(float));
    LinearArgs& args = in.args;
    args.tile_bytes = in.matrix.tile_bytes;
    args.columns = columns;
    if (bench.variant->activation == ActivationClass::quantized) {
        args.quantized = &in.x;
    } else {
        args.rows = rows;
        args.rows_stride = columns;
    }
    args.n_cols = bench.m;
    args.out_stride = in.matrix.tiles() * kTileRows;
    return in;
}

void run_case(benchmark::State& state, const Case& bench) {
    Inputs in = make_inputs(bench);
    in.args.quantized = in.args.quantized != nullptr ? &in.x : nullptr;
    auto team = machine::ThreadTeam::create({bench.threads, false, 4000});
    if (!team) return state.SkipWithError(team.error().message.c_str());
    size_t copy = 0;
    auto work = [&](int thread) {
        const auto range =
            machine::split_range(static_cast<int64_t>(in.matrix.tiles()), 1, thread, bench.threads);
        LinearArgs args = in.args;
        args.tiles = in.matrix.tile(static_cast<size_t>(range.begin)) + copy * in.matrix.bytes();
        args.n_tiles = static_cast<size_t>(range.end - range.begin);
        args.out = reinterpret_cast<float*>(in.out.data()) + range.begin * kTileRows;
        bench.variant->fn(args);
    };
    for (auto _ : state) {
        (*team)->run(work);
        copy = (copy + 1) % in.copies;
        benchmark::ClobberMemory();
    }
    const double runs = static_cast<double>(state.iterations());
    const double macs = static_cast<double>(bench.shape.rows * bench.shape.columns * bench.m);
    using benchmark::Counter;
    state.counters["gmac_s"] = Counter(runs * macs * 1e-9, Counter::kIsRate);
    state.counters["gb_s"] =
        Counter(runs * static_cast<double>(in.matrix.bytes()) * 1e-9, Counter::kIsRate);
}

void register_shape(const LinearVariant& variant, size_t streamed_bytes, const char* model,
                    const LinearShape& shape) {
    for (const size_t m : kActivationRows) {
        for (const int threads : kThreads) {
            const std::string name =
                fmt::format("linear/{}/{}/{}/{}/{}/m:{}/threads:{}", variant.name,
                            pack_format_name(variant.format),
                            variant.activation == ActivationClass::quantized ? "int8" : "f32",
                            model, shape.name, m, threads);
            const Case bench{&variant, streamed_bytes, shape, m, threads};
            benchmark::RegisterBenchmark(name.c_str(), [bench](benchmark::State& state) {
                run_case(state, bench);
            })->UseRealTime();
        }
    }
}

bool register_all() {
    for (const LinearVariant& variant : linear_variants()) {
        if (variant.isa > machine::detect_isa()) continue;
        register_shape(variant, 0, "ladder", {"1536x576", 1536, 576});
        for (const ModelShape& model : kModelShapes) {
            for (const LinearShape& shape : linear_shapes(model)) {
                register_shape(variant, kStreamedBytes, model.name, shape);
            }
        }
    }
    return true;
}

const bool kRegistered = register_all();

}  // namespace
}  // namespace hone::kernels
