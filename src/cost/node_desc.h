// The neutral description of one plan node: enough to count what it must do, without the graph.
//
// Counting rules (METRICS.md, anchors of the roofline): 1 MAC = 2 FLOP; bytes are compulsory
// traffic, weights once in their packed size, activations in and out once, KV that is read or
// written. Extra traffic of a real kernel is its own loss, not part of the work. What cannot be
// counted is absent.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "measure/record.h"

namespace hone::cost {

enum class OpKind : uint8_t {
    embedding,
    rms_norm,
    quantize,
    rms_norm_quantize,
    rms_norm_add,  // a residual plus the normalized row
    layer_norm,
    layer_norm_quantize,
    linear,           // optional residual or bias in the store
    linear_screened,  // a linear's rows as far as their screened scores reach; graph/screen.h
    linear_gated,     // gate and up in one tile, activation(gate) * up, optionally quantized
    gated,
    activate,  // an activation alone
    soft_cap,
    route,          // the best experts of each row
    gather,         // rows in the order of their experts
    expert_linear,  // rows of each expert times its own matrix
    combine,        // weighted sum of what a row's experts made
    add,
    concat,
    rope_store,  // with the norms of q and k heads where the model has them
    attend,
    select_rows,
    rope_table,  // cos and sin of every position; folded to a constant unless that pass is off
    scale,       // constant arithmetic
};

const char* op_kind_name(OpKind kind);
inline constexpr size_t kOpKindCount = static_cast<size_t>(OpKind::scale) + 1;
// nullopt for a name that this version does not know.
std::optional<OpKind> op_kind_of(std::string_view name);

// Activations times a packed matrix of weights.
bool is_linear(OpKind kind);

// Which arithmetic roof counts for a node.
enum class Arithmetic : uint8_t { none, f32, int8 };

struct NodeDesc {
    OpKind kind = OpKind::linear;
    Arithmetic arithmetic = Arithmetic::f32;
    uint64_t rows = 0;     // output features of a linear (gate + up together), or row width
    uint64_t columns = 0;  // input features
    // Packed, as the kernel reads them. Of expert_linear: of the experts of one row, which is all
    // of it at decode and the least that a longer step can read; `rows` are those of all its
    // experts.
    uint64_t weight_bytes = 0;
    std::string format;       // packed format name, "" without weights
    bool per_output = false;  // counts outputs (logits rows) instead of tokens
    bool per_thread = false;  // every thread does all of it (no barrier after)
    uint32_t n_heads = 0;
    uint32_t n_kv_heads = 0;
    uint32_t head_dim = 0;
    double kv_element_bytes = 2;  // of the cache, scales included
    uint32_t window = 0;
    int layer = -1;
};

// What a step asks of every node.
struct StepShape {
    uint64_t tokens = 0;
    uint64_t outputs = 0;
    // Over all slices: sum over tokens of visible positions (score pairs), without a window.
    uint64_t attended_pairs = 0;
    // Over all slices: positions in the cache that the slice reads (once per slice).
    uint64_t positions_read = 0;

    void add_slice(uint64_t first_position, uint64_t n_tokens);
};

struct Work {
    double bytes = 0;
    double weight_bytes = 0;  // part of bytes
    double flops = 0;
    Arithmetic arithmetic = Arithmetic::none;
};

Work node_work(const NodeDesc& node, const StepShape& step);

// The sizes of a node as a record keeps them, and back. nullopt: a kind this version does not
// know, or a record without shapes.
measure::NodeShape shape_of(const NodeDesc& node);
std::optional<NodeDesc> desc_of(const measure::PlanNodeFacts& facts);

}  // namespace hone::cost
