// Rows kernels at the widths of real models (kernels/model_shapes.h).
#include <benchmark/benchmark.h>

#include <set>
#include <string>
#include <vector>

#include "base/random.h"
#include "kernels/model_shapes.h"
#include "kernels/rows/rows.h"
#include "tensor/buffer.h"

namespace hone::kernels {
namespace {

struct Case {
    explicit Case(size_t columns) : x(columns), y(columns), weight(columns, 1.0f) {
        base::Random random(1);
        for (float& value : x) value = static_cast<float>(random.next_normal());
        y = x;
        memory = *tensor::Buffer::allocate(quantized_rows_bytes(1, columns));
        rows = quantized_rows_at(memory.data(), 1, columns);
    }
    std::vector<float> x;
    std::vector<float> y;
    std::vector<float> weight;
    tensor::Buffer memory;
    QuantizedRows rows;
};

template <class Body>
void add_bench(const RowsVariant& variant, const char* what, const Body& body) {
    std::set<size_t> widths;
    for (const ModelShape& model : kModelShapes) widths.insert({model.n_embd, model.n_ff});
    for (const size_t columns : widths) {
        const std::string name =
            std::string(what) + "/" + variant.name + "/" + std::to_string(columns);
        benchmark::RegisterBenchmark(name.c_str(), [&variant, body, columns](auto& state) {
            Case c(columns);
            for (auto _ : state) {
                body(variant, c, columns);
                benchmark::ClobberMemory();
            }
            state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * columns));
        })->MinTime(0.05);
    }
}

bool register_all() {
    for (const RowsVariant& variant : rows_variants()) {
        if (variant.isa > machine::detect_isa()) continue;
        add_bench(variant, "rms_norm", [](const RowsVariant& v, Case& c, size_t n) {
            v.rms_norm(c.x.data(), c.weight.data(), 1e-5f, n, c.y.data());
        });
        add_bench(variant, "quantize",
                  [](const RowsVariant& v, Case& c, size_t) { v.quantize(c.x.data(), c.rows, 0); });
        add_bench(variant, "rms_norm_quantize", [](const RowsVariant& v, Case& c, size_t) {
            v.rms_norm_quantize(c.x.data(), c.weight.data(), 1e-5f, c.rows, 0);
        });
        add_bench(variant, "swiglu_quantize", [](const RowsVariant& v, Case& c, size_t n) {
            v.gated_quantize(Activation::silu, c.x.data(), c.weight.data(), n, c.rows, 0, 0);
        });
        add_bench(variant, "geglu_quantize", [](const RowsVariant& v, Case& c, size_t n) {
            v.gated_quantize(Activation::gelu_tanh, c.x.data(), c.weight.data(), n, c.rows, 0, 0);
        });
        add_bench(variant, "rms_norm_add", [](const RowsVariant& v, Case& c, size_t n) {
            v.rms_norm_add(c.x.data(), c.weight.data(), 1e-5f, c.x.data(), n, c.y.data());
        });
        add_bench(variant, "argmax", [](const RowsVariant& v, Case& c, size_t n) {
            benchmark::DoNotOptimize(v.argmax(c.x.data(), n));
        });
    }
    return true;
}

const bool kRegistered = register_all();

}  // namespace
}  // namespace hone::kernels
