// The pieces that architectures are made of, as nodes of a graph: decoders and encoders.
//
// An architecture's build function reads as its formulas: each method here is one of their terms
// and takes the name that GGUF files give it. Names are "blk.<layer>.<name>", without the prefix
// for layer -1. Not a description of any architecture: what a layer is made of, and in which order,
// is said in the architecture's own file. Tensors must have been checked (check_tensors). Used from
// one thread.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "formats/gguf.h"
#include "graph/graph.h"
#include "models/architecture.h"
#include "models/config.h"

namespace hone::models {

class Transformer {
  public:
    Transformer(const formats::GgufFile& file, const ModelConfig& config, uint32_t context);

    // Rows of token_embd times `scale`.
    graph::ValueId embedding(float scale = 1.0f);
    // Rows of position_embd.
    graph::ValueId position_embedding();
    // x plus row 0 of a stored matrix: that of the first, and only, segment of a text.
    graph::ValueId add_first_row(const std::string& name, graph::ValueId x);
    graph::ValueId rms_norm(const std::string& name, int layer, graph::ValueId x);
    // With the bias <name>.bias.
    graph::ValueId layer_norm(const std::string& name, int layer, graph::ValueId x);
    graph::ValueId linear(const std::string& name, int layer, graph::ValueId x);
    // With its bias where the model's linears have one.
    graph::ValueId projection(const std::string& name, int layer, graph::ValueId x);
    graph::ValueId add(const std::string& name, int layer, graph::ValueId a, graph::ValueId b);

    // attn_q, attn_k and attn_v of h side by side, with their biases where the model has them.
    graph::ValueId qkv(int layer, graph::ValueId h);
    // attn_q_norm and attn_k_norm where the model has them, rotation where it has one, cache,
    // softmax, attn_output.
    graph::ValueId attention(int layer, graph::ValueId qkv);
    // ffn_down of activation(ffn_up x), with biases where the model has them.
    graph::ValueId ffn(int layer, graph::ValueId x, kernels::Activation activation);
    // ffn_down of activation(ffn_gate x) * ffn_up x.
    graph::ValueId gated_ffn(int layer, graph::ValueId x, kernels::Activation activation);

    // The same where one tensor, ffn_up, holds the rows of the gate and then those of up.
    graph::ValueId fused_gated_ffn(int layer, graph::ValueId x, kernels::Activation activation);

    // The sum over the best experts of each row, chosen by ffn_gate_inp, of their gated layers,
    // stacked in ffn_gate_exps, ffn_up_exps and ffn_down_exps.
    graph::ValueId expert_ffn(int layer, graph::ValueId x, kernels::Activation activation);

    // The head over normalized rows, the logits' soft cap, and the rows that are asked for.
    graph::Graph finish(graph::ValueId normed);
    // Of an encoder: the rows that are asked for, as they are.
    graph::Graph finish_encoder(graph::ValueId x);

  private:
    graph::ValueId gated_down(int layer, graph::ValueId gate, graph::ValueId up,
                              kernels::Activation activation);
    graph::ValueId weight(const std::string& name);
    // Rows [first, first + count) of a stored matrix times x.
    graph::ValueId linear_rows(const std::string& name, int layer, const std::string& stored,
                               uint64_t first, uint64_t count, graph::ValueId x);
    graph::ValueId vectors(const std::string& name, const std::vector<std::string>& parts);
    graph::ValueId input(const char* name, graph::ElementType type, graph::ValueOrigin origin,
                         graph::Symbol symbol);
    graph::ValueId rope_table(const std::string& name, float base, const RopeScaling& scaling);
    std::span<const float> rope_factors() const;
    void add_rope_tables();
    void add_attention_attributes(uint32_t group);

    const formats::GgufFile& file_;
    const ModelConfig& c_;
    uint32_t context_;
    graph::Graph graph_;
    graph::ValueId tokens_ = 0;
    graph::ValueId output_rows_ = 0;
    std::vector<graph::ValueId> rope_tables_;              // per layer group
    std::map<int, graph::AttentionAttributes> attention_;  // per layer
};

// Tensors that most decoders share, for Architecture::tensors.
std::vector<ExpectedTensor> global_tensors(const ModelConfig& config);
// attn_norm, attn_q, attn_k, attn_v and their biases, the norms of heads, attn_output.
void add_attention_tensors(const ModelConfig& config, uint32_t layer,
                           std::vector<ExpectedTensor>& out);
// ffn_norm (not with a parallel residual), ffn_gate, ffn_up, ffn_down.
void add_gated_ffn_tensors(const ModelConfig& config, uint32_t layer,
                           std::vector<ExpectedTensor>& out);
std::string tensor_name(uint32_t layer, const char* name);

}  // namespace hone::models
