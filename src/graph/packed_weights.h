// The weights of a Plan as kernels read them: packed matrices, f32 vectors, constants.
//
// Packs once, tile ranges split over the team, and releases each stored tensor when it is packed:
// the packed form replaces the mapped file instead of doubling it. With a store, packed bytes of an
// earlier load are used where they lie, in a mapped file. An embedding that no linear shares stays
// in the model's file and is dequantized row by row. Owns its memory; const and shared by all
// threads afterwards.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/mapped_file.h"
#include "base/result.h"
#include "graph/packed_store.h"
#include "graph/plan.h"
#include "graph/weight_source.h"
#include "kernels/linear/packed_matrix.h"
#include "machine/thread_team.h"
#include "tensor/buffer.h"

namespace hone::graph {

class PackedWeights {
  public:
    // exhausted (memory, or the limit of locked memory), or the source's errors.
    static base::Result<PackedWeights> pack(const Plan& plan, const WeightSource& source,
                                            machine::ThreadTeam& team,
                                            const WeightMemory& options = {});

    // One matrix per segment of the node; empty for nodes without segments.
    const std::vector<kernels::PackedMatrix>& segments(size_t node) const { return nodes_[node]; }
    // Of the rows w of a matrix that a screen was made of, and their rounded copies v
    // (graph/screen.h), whole tiles: |w - v|, and what the products of both with any x of length 1
    // may be off by.
    const float* screen_bounds(ValueId weight) const;
    // A vector weight (norm) or a constant's data.
    const float* vector(ValueId value) const { return vectors_[value].data(); }
    // Row `row` of an embedding weight as f32.
    void embedding_row(ValueId value, size_t row, float* out) const;

    uint64_t bytes() const { return bytes_; }
    // They lie in a file of the store.
    bool mapped() const { return map_.has_value(); }

  private:
    base::Status lay_out(const Plan& plan);
    std::string layout() const;
    base::Status fill(const WeightSource& source, machine::ThreadTeam& team, PackedStore* store);
    base::Status pack_matrices(const WeightSource& source, machine::ThreadTeam& team);
    void bound_screens(machine::ThreadTeam& team);
    base::Status lock() const;
    const std::byte* memory() const { return map_ ? map_->bytes().data() : memory_.data(); }
    base::Status load_vector(const Value& value, const WeightSource& source,
                             std::vector<float>& out);
    base::Status load_vectors(const Plan& plan, const WeightSource& source);

    // A distinct packed matrix: nodes that name the same parts share it.
    struct Matrix {
        kernels::PackedMatrix view;
        std::vector<WeightPart> parts;
        size_t offset = 0;
        size_t bounds_offset = 0;  // f32 [16 * tiles], of a screen
        bool is_screen() const { return parts.front().rounded; }
    };

    tensor::Buffer memory_;                // [matrix_bytes_], or empty
    std::optional<base::MappedFile> map_;  // begins with the same
    size_t matrix_bytes_ = 0;
    std::vector<Matrix> matrices_;
    std::vector<std::vector<kernels::PackedMatrix>> nodes_;
    std::vector<std::vector<size_t>> matrix_of_;  // per node and segment: index into matrices_
    std::vector<std::vector<float>> vectors_;     // per value; empty where it is none
    std::map<ValueId, size_t> screen_of_;         // of a screened linear's weight: its screen
    std::map<ValueId, size_t> embedding_matrix_;
    std::map<ValueId, tensor::TensorView> embedding_view_;
    uint64_t bytes_ = 0;
};

}  // namespace hone::graph
