// The intermediate representation: a pure SSA list of operators over named values.
//
// Every value is produced once (by a node, an input, a constant or model weights) and nodes stand
// in topological order. KV is an explicit value that rope_store produces and attend takes, so that
// their order is data flow. In-place, memory and threads are decisions of the planner, not of the
// graph. Dimensions are a factor times a symbol (tokens or outputs of a step), outermost first.
// Value type; building and rewriting from one thread.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <variant>
#include <vector>

#include "base/result.h"
#include "cost/node_desc.h"
#include "kernels/activation.h"
#include "kernels/attention/attention.h"
#include "tensor/dtype.h"

namespace hone::graph {

using cost::OpKind;
using ValueId = uint32_t;

enum class Symbol : uint8_t { one, tokens, outputs };

// factor * symbol.
struct Dim {
    uint64_t factor = 1;
    Symbol symbol = Symbol::one;
    bool operator==(const Dim&) const = default;
};

enum class ElementType : uint8_t {
    f32,
    i32,
    q8,      // kernels::QuantizedRows
    kv,      // the cache state of one layer: no bytes of its own
    routes,  // graph/routes.h: [rows][experts of a row][experts]
    weight,  // packed matrix or f32 vector, from the model
};

enum class ValueOrigin : uint8_t {
    node,
    input_tokens,
    input_positions,  // of each token in its sequence
    input_output_rows,
    input_kv,
    constant,
    weight
};

// How the parts of a merged weight lie in the rows of the result.
enum class MergeStyle : uint8_t {
    concatenate,    // rows of part 0, then of part 1, ...; vectors one behind the other
    interleave_32,  // 32 rows of part 0, 32 rows of part 1, and so on: gate and up in one tile
                    // group
};

// Rows x columns of one stored tensor, or of the rows from `first_row` on; a vector has one row.
struct WeightPart {
    std::string name;
    tensor::DType dtype = tensor::DType::f32;
    uint64_t rows = 1;
    uint64_t columns = 0;
    uint64_t first_row = 0;
    bool rounded = false;  // `dtype` is not as stored: the rows are rounded to it when packed
    bool operator==(const WeightPart&) const = default;
};

struct Value {
    std::string name;
    ElementType type = ElementType::f32;
    ValueOrigin origin = ValueOrigin::node;
    std::vector<Dim> dims;
    std::vector<WeightPart> parts;                   // origin weight
    MergeStyle merge = MergeStyle::concatenate;      // origin weight
    std::shared_ptr<const std::vector<float>> data;  // origin constant

    uint64_t width() const { return dims.empty() ? 0 : dims.back().factor; }
};

struct NoAttributes {
    bool operator==(const NoAttributes&) const = default;
};
struct NormAttributes {
    float epsilon = 1e-5f;
    bool operator==(const NormAttributes&) const = default;
};
// scale and embedding: the factor; soft_cap: the cap.
struct ScaleAttributes {
    float factor = 1.0f;
    bool operator==(const ScaleAttributes&) const = default;
};
// linear: its output is the scores of a linear_screened, and is made in no other step.
struct ScreenAttributes {
    bool operator==(const ScreenAttributes&) const = default;
};
struct ActivationAttributes {
    kernels::Activation activation = kernels::Activation::silu;
    bool operator==(const ActivationAttributes&) const = default;
};
struct RopeTableAttributes {
    uint32_t positions = 0;
    float magnitude = 1.0f;  // of cos and sin
    bool operator==(const RopeTableAttributes&) const = default;
};
// route, gather, expert_linear and combine.
struct ExpertAttributes {
    uint32_t n_experts = 0;
    uint32_t n_used = 0;  // of one row
    bool operator==(const ExpertAttributes&) const = default;
};
// rope_store and attend.
struct AttentionAttributes {
    uint32_t n_heads = 0;
    uint32_t n_kv_heads = 0;
    uint32_t head_dim = 0;
    uint32_t rope_dims = 0;
    kernels::RopeStyle rope_style = kernels::RopeStyle::adjacent;
    float scale = 1.0f;
    float soft_cap = 0.0f;      // of scores; 0: none
    float norm_epsilon = 0.0f;  // of the norms of q and k heads
    bool causal = true;         // false: every token sees its whole slice; window 0
    uint32_t window = 0;
    uint32_t group = 0;         // layer group, index into StepSlice::pages
    uint32_t group_layers = 0;  // layers in that group
    uint32_t layer_in_group = 0;
    kernels::KvDtype kv_dtype = kernels::KvDtype::f16;  // prepare() sets it
    bool operator==(const AttentionAttributes&) const = default;
};
using Attributes =
    std::variant<NoAttributes, NormAttributes, ScaleAttributes, ScreenAttributes,
                 ActivationAttributes, RopeTableAttributes, ExpertAttributes, AttentionAttributes>;

// Inputs by kind (outputs in brackets); a vector is a weight of one row:
//   embedding(weight, tokens or positions) [f32]    select_rows(x, output_rows) [f32]
//   rms_norm(x, vector) [f32]                  layer_norm(x, vector, bias vector?) [f32]
//   quantize(x) [q8]                           rms_norm_quantize, layer_norm_quantize [q8]
//   rms_norm_add(x, vector, residual) [f32]    soft_cap(x) [f32]
//   linear(x, weight, residual or vector?) [f32]
//   linear_screened(x, weight, scores) [f32]   the scores are those of a linear(x, screen)
//   linear_gated(x, weight interleaved) [f32 or q8]    gated(gate, up) [f32]
//   activate(x) [f32]
//   add(a, b or vector) [f32]                  concat(a, b, ...) [f32]
//   scale(constant) [f32]                      rope_table(inverse frequencies) [f32]
//   rope_store(qkv, kv, table unless the style is none, q norm vector?, k norm vector?) [qkv, kv]
//   attend(qkv, kv) [f32]
//   route(scores) [routes]                     gather(x, routes) [f32], one row per (row, expert)
//   expert_linear(x, stacked weight, routes) [f32]     combine(x, routes) [f32]
struct Node {
    OpKind kind = OpKind::linear;
    std::string name;
    int layer = -1;
    std::vector<ValueId> inputs;
    std::vector<ValueId> outputs;
    Attributes attributes;
};

struct Graph {
    std::vector<Value> values;
    std::vector<Node> nodes;
    ValueId output = 0;  // f32 [outputs][vocab], of an encoder [outputs][width]

    ValueId add_value(Value value);
    // Appends a node; its outputs come from infer_outputs, which must succeed (the caller has
    // checked the shapes of the model file).
    std::vector<ValueId> add_node(OpKind kind, std::string name, int layer,
                                  std::vector<ValueId> inputs, Attributes attributes = {});
    ValueId add_op(OpKind kind, std::string name, int layer, std::vector<ValueId> inputs,
                   Attributes attributes = {});
};

// Types and shapes of a node's outputs from its inputs; invalid_argument names the broken rule.
// linear_gated gives f32; the fusion that makes it q8 says so in the node's output value.
base::Result<std::vector<Value>> infer_outputs(const Graph& graph, const Node& node);

// Single assignment, topological order, known ids, inferred = stated shapes, output reachable.
base::Status verify(const Graph& graph);

// Who produces and who uses each value; recomputed after a rewrite.
struct GraphIndex {
    static constexpr uint32_t kNone = UINT32_MAX;
    std::vector<uint32_t> producer;            // node index per value, kNone for inputs
    std::vector<std::vector<uint32_t>> users;  // node indices per value, in order

    explicit GraphIndex(const Graph& graph);
    const Node* producer_node(const Graph& graph, ValueId value) const;
    bool used_once(ValueId value) const { return users[value].size() == 1; }
};

// Every use of `from` (and the graph's output) becomes a use of `to`.
void replace_uses(Graph& graph, ValueId from, ValueId to);
// Deletes nodes by index (sorted ascending not needed).
void erase_nodes(Graph& graph, std::vector<uint32_t> nodes);

// One line per node, for people and for test failures.
std::string to_string(const Graph& graph);

}  // namespace hone::graph
