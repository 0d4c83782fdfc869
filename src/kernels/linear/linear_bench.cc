// Speed of every linear variant on the shapes of real models. Names are
//   linear/<variant>/<format>/<int8|f32>/<rows>x<columns>/m:<activation rows>/threads:<n>
// so that --benchmark_filter picks what is of interest; the whole table takes many minutes.
// gmac_s counts multiply-accumulates, gb_s the bytes of packed weights that were read.
#include <benchmark/benchmark.h>
#include <fmt/format.h>

#include <cmath>
#include <memory>
#include <random>
#include <vector>

#include "kernels/linear/linear.h"
#include "machine/thread_team.h"
#include "tensor/buffer.h"
#include "tensor/codec.h"

namespace hone::kernels {
namespace {

struct Shape {
    size_t rows;
    size_t columns;
};

// SmolLM2-135M (projections and output), then a 1-billion-parameter model.
constexpr Shape kShapes[] = {{576, 576},   {192, 576},   {1536, 576}, {576, 1536},
                             {49152, 576}, {2048, 2048}, {8192, 2048}};
constexpr size_t kActivationRows[] = {1, 2, 4, 8, 16, 64, 512};
constexpr int kThreads[] = {1, 2};

tensor::Buffer allocate(size_t bytes) {
    auto buffer = tensor::Buffer::allocate(bytes);
    if (!buffer) std::abort();
    return std::move(*buffer);
}

// Small random codes and normal scales: the arithmetic takes the same time for all finite values.
PackedMatrix fill_weights(PackFormat format, Shape shape, tensor::Buffer& memory) {
    PackedMatrix matrix;
    matrix.format = format;
    matrix.rows = static_cast<uint32_t>(shape.rows);
    matrix.columns = static_cast<uint32_t>(shape.columns);
    matrix.tile_bytes = packed_tile_bytes(format, shape.columns);
    memory = allocate(matrix.bytes());
    std::mt19937 random(1);
    // 0x2c2c is 0.065 as f16, about 2.4e-12 as bf16 and as the upper half of an f32.
    for (std::byte& byte : memory.span()) byte = std::byte{0x2c};
    for (size_t i = 0; i + 64 < matrix.bytes(); i += 64) {
        memory.data()[i + random() % 32] = std::byte{0x2b};
    }
    matrix.data = memory.data();
    return matrix;
}

struct Case {
    const LinearVariant* variant;
    Shape shape;
    size_t m;
    int threads;
};

struct Inputs {
    tensor::Buffer weights, quantized, rows, out;
    PackedMatrix matrix;
    QuantizedRows x;
    LinearArgs args;
};

Inputs make_inputs(const Case& bench) {
    Inputs in;
    in.matrix = fill_weights(bench.variant->format, bench.shape, in.weights);
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
    auto work = [&](int thread) {
        const auto range =
            machine::split_range(static_cast<int64_t>(in.matrix.tiles()), 1, thread, bench.threads);
        LinearArgs args = in.args;
        args.tiles = in.matrix.tile(static_cast<size_t>(range.begin));
        args.n_tiles = static_cast<size_t>(range.end - range.begin);
        args.out = reinterpret_cast<float*>(in.out.data()) + range.begin * kTileRows;
        bench.variant->fn(args);
    };
    for (auto _ : state) {
        (*team)->run(work);
        benchmark::ClobberMemory();
    }
    const double runs = static_cast<double>(state.iterations());
    const double macs = static_cast<double>(bench.shape.rows * bench.shape.columns * bench.m);
    using benchmark::Counter;
    state.counters["gmac_s"] = Counter(runs * macs * 1e-9, Counter::kIsRate);
    state.counters["gb_s"] =
        Counter(runs * static_cast<double>(in.matrix.bytes()) * 1e-9, Counter::kIsRate);
}

bool register_all() {
    for (const LinearVariant& variant : linear_variants()) {
        if (variant.isa > machine::detect_isa()) continue;
        for (const Shape shape : kShapes) {
            for (const size_t m : kActivationRows) {
                for (const int threads : kThreads) {
                    const std::string name = fmt::format(
                        "linear/{}/{}/{}/{}x{}/m:{}/threads:{}", variant.name,
                        pack_format_name(variant.format),
                        variant.activation == ActivationClass::quantized ? "int8" : "f32",
                        shape.rows, shape.columns, m, threads);
                    const Case bench{&variant, shape, m, threads};
                    benchmark::RegisterBenchmark(name.c_str(), [bench](benchmark::State& state) {
                        run_case(state, bench);
                    })->UseRealTime();
                }
            }
        }
    }
    return true;
}

const bool kRegistered = register_all();

}  // namespace
}  // namespace hone::kernels
