#include "graph/packed_weights.h"

#include <sys/mman.h>

#include <algorithm>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>

#include "base/check.h"
#include "base/checked.h"
#include "tensor/buffer.h"
#include "tensor/codec.h"

namespace hone::graph {
namespace {

// An interleaved pair is packed in groups of two tiles (32 rows) of each part.
constexpr size_t kInterleaveTiles = 2;

// Rows [16 * begin, 16 * end) rounded to another type than they are stored in.
base::Status pack_rounded(const kernels::PackedMatrix& matrix, const WeightPart& part,
                          const tensor::TensorView& stored, std::byte* memory, size_t begin,
                          size_t end) {
    tensor::TensorView rows = stored;
    rows.dtype = part.dtype;
    rows.dims = {part.columns, kernels::kTileRows, 1, 1};
    const size_t row_bytes = tensor::row_bytes(part.dtype, part.columns).value_or(0);
    std::vector<float> values(part.columns);
    std::vector<std::byte> rounded(row_bytes * kernels::kTileRows);
    rows.data = rounded.data();
    for (size_t tile = begin; tile < end; ++tile) {
        const size_t first = tile * kernels::kTileRows;
        const size_t count = std::min<size_t>(kernels::kTileRows, part.rows - first);
        for (size_t r = 0; r < count; ++r) {
            tensor::dequantize(stored.dtype, stored.row(first + r), part.columns, values.data());
            // The scores of a row that is no numbers say nothing, and its bound says so.
            for (float& value : values) value = std::isfinite(value) ? value : 0.0f;
            tensor::quantize(part.dtype, values.data(), part.columns,
                             rounded.data() + r * row_bytes);
        }
        rows.dims[1] = count;
        rows.bytes = count * row_bytes;
        HONE_TRY_STATUS(kernels::pack_tiles(rows, 0, 1, memory + tile * matrix.tile_bytes));
    }
    return {};
}

// For a row w and its copy v, whose products are each off by at most 12 units in the last place of
// |w| |x| per block of 32 (codes with an offset cancel) or one per column: columns * 2^-23 for both
// together. Rounded up.
float screen_bound(const float* w, const float* v, size_t columns) {
    double difference = 0;
    double length = 0;
    for (size_t i = 0; i < columns; ++i) {
        const double error = double{w[i]} - double{v[i]};
        difference += error * error;
        length += double{w[i]} * double{w[i]};
    }
    difference = std::sqrt(difference);
    const double rounding =
        static_cast<double>(columns) * 0x1p-23 * (2 * std::sqrt(length) + difference);
    return std::nextafter(static_cast<float>((difference + rounding) * (1 + 1e-6)),
                          std::numeric_limits<float>::infinity());
}

base::Status pack_range(const kernels::PackedMatrix& matrix, const std::vector<WeightPart>& parts,
                        const std::vector<tensor::TensorView>& views, std::byte* memory,
                        size_t begin, size_t end) {
    if (parts.size() == 1 && parts[0].rounded) {
        return pack_rounded(matrix, parts[0], views[0], memory, begin, end);
    }
    if (parts.size() == 1) {
        return kernels::pack_tiles(views[0], begin * kernels::kTileRows, end - begin,
                                   memory + begin * matrix.tile_bytes);
    }
    for (size_t tile = begin; tile < end; ++tile) {
        const size_t group = tile / (kInterleaveTiles * parts.size());
        const size_t within = tile % (kInterleaveTiles * parts.size());
        const size_t part_tile = group * kInterleaveTiles + within % kInterleaveTiles;
        HONE_TRY_STATUS(kernels::pack_tiles(views[within / kInterleaveTiles],
                                            part_tile * kernels::kTileRows, 1,
                                            memory + tile * matrix.tile_bytes));
    }
    return {};
}

// The rows that a part names, as a matrix of their own.
tensor::TensorView part_of(tensor::TensorView view, const WeightPart& part) {
    const size_t row_bytes = view.row_size_bytes();
    view.data += part.first_row * row_bytes;
    view.bytes = part.rows * row_bytes;
    view.dims = {part.columns, part.rows, 1, 1};
    view.rank = 2;
    return view;
}

}  // namespace

base::Result<PackedWeights> PackedWeights::pack(const Plan& plan, const WeightSource& source,
                                                machine::ThreadTeam& team,
                                                const WeightMemory& options) {
    PackedWeights weights;
    HONE_TRY_STATUS(weights.lay_out(plan));
    // Vectors first: reading one brings in much of the file around it, which packing drops again.
    HONE_TRY_STATUS(weights.load_vectors(plan, source));
    HONE_TRY_STATUS(weights.fill(source, team, options.store));
    source.release_all();
    if (options.lock) HONE_TRY_STATUS(weights.lock());
    for (Matrix& matrix : weights.matrices_) {
        matrix.view.data = weights.memory() + matrix.offset;
    }
    weights.nodes_.resize(plan.nodes.size());
    for (size_t n = 0; n < plan.nodes.size(); ++n) {
        for (const size_t m : weights.matrix_of_[n]) {
            weights.nodes_[n].push_back(weights.matrices_[m].view);
        }
    }
    for (const PlanNode& planned : plan.nodes) {
        if (planned.node.kind != OpKind::linear_screened) continue;
        const auto screen = std::find_if(weights.matrices_.begin(), weights.matrices_.end(),
                                         [](const Matrix& m) { return m.is_screen(); });
        HONE_CHECK(screen != weights.matrices_.end());
        weights.screen_of_[planned.node.inputs[1]] =
            static_cast<size_t>(screen - weights.matrices_.begin());
    }
    return weights;
}

base::Status PackedWeights::lay_out(const Plan& plan) {
    size_t total = 0;
    matrix_of_.resize(plan.nodes.size());
    for (size_t n = 0; n < plan.nodes.size(); ++n) {
        for (const PlanSegment& segment : plan.nodes[n].segments) {
            const auto same =
                std::find_if(matrices_.begin(), matrices_.end(),
                             [&](const Matrix& m) { return m.parts == segment.parts; });
            matrix_of_[n].push_back(static_cast<size_t>(same - matrices_.begin()));
            if (same != matrices_.end()) continue;
            Matrix matrix;
            matrix.parts = segment.parts;
            matrix.view.format = segment.format;
            matrix.view.rows = static_cast<uint32_t>(segment.rows);
            matrix.view.columns = static_cast<uint32_t>(segment.parts[0].columns);
            matrix.view.tile_bytes =
                kernels::packed_tile_bytes(segment.format, segment.parts[0].columns);
            matrix.offset = total;
            const auto bytes = base::checked_add<size_t>(total, matrix.view.bytes());
            if (!bytes) return base::fail(base::ErrorCode::exhausted, "weights overflow memory");
            total = base::round_up(*bytes, tensor::kBufferAlignmentBytes);
            if (matrix.is_screen()) {
                matrix.bounds_offset = total;
                total += matrix.view.tiles() * kernels::kTileRows * sizeof(float);
            }
            matrices_.push_back(std::move(matrix));
        }
    }
    matrix_bytes_ = std::max<size_t>(total, tensor::kBufferAlignmentBytes);
    bytes_ = total;
    return {};
}

// Names come from a file and are counted, so that no two layouts read alike.
std::string PackedWeights::layout() const {
    std::string text = fmt::format("tiles {} interleaved by {}\n", kernels::kPackedLayoutVersion,
                                   kInterleaveTiles);
    for (const Matrix& matrix : matrices_) {
        text += fmt::format("{} {} {} {} {}\n", matrix.offset,
                            kernels::pack_format_name(matrix.view.format), matrix.view.rows,
                            matrix.view.columns, matrix.parts.size());
        if (matrix.is_screen()) text += fmt::format("bounds {}\n", matrix.bounds_offset);
        for (const WeightPart& part : matrix.parts) {
            text += fmt::format("{}:{} {} {} {} {}\n", part.name.size(), part.name,
                                tensor::name(part.dtype), part.first_row, part.rows, part.columns);
        }
    }
    return text;
}

base::Status PackedWeights::fill(const WeightSource& source, machine::ThreadTeam& team,
                                 PackedStore* store) {
    const std::string key = store != nullptr ? layout() : std::string();
    if (store != nullptr) map_ = store->find(key, matrix_bytes_, team);
    if (map_) return {};
    HONE_TRY(memory_, tensor::Buffer::allocate(matrix_bytes_));
    HONE_TRY_STATUS(pack_matrices(source, team));
    if (store == nullptr) return {};
    auto kept = store->keep(key, memory_, team);
    if (!kept) return pack_matrices(source, team);
    map_ = std::move(*kept);
    if (map_) memory_ = {};
    return {};
}

base::Status PackedWeights::lock() const {
    if (mlock(memory(), matrix_bytes_) == 0) return {};
    return base::fail(base::ErrorCode::exhausted,
                      "cannot lock {} bytes of weights in memory: {} (see ulimit -l)",
                      matrix_bytes_, std::strerror(errno));
}

base::Status PackedWeights::pack_matrices(const WeightSource& source, machine::ThreadTeam& team) {
    std::vector<base::Status> failures(static_cast<size_t>(team.threads()));
    for (Matrix& matrix : matrices_) {
        std::vector<tensor::TensorView> views;
        for (const WeightPart& part : matrix.parts) {
            HONE_TRY(const tensor::TensorView view, source.tensor(part.name));
            views.push_back(part_of(view, part));
        }
        std::byte* memory = memory_.data() + matrix.offset;
        team.run([&](int thread) {
            const auto range = machine::split_range(static_cast<int64_t>(matrix.view.tiles()), 1,
                                                    thread, team.threads());
            failures[static_cast<size_t>(thread)] =
                pack_range(matrix.view, matrix.parts, views, memory,
                           static_cast<size_t>(range.begin), static_cast<size_t>(range.end));
        });
        for (const base::Status& status : failures) HONE_TRY_STATUS(status);
        for (const WeightPart& part : matrix.parts) source.release(part.name);
    }
    bound_screens(team);
    return {};
}

// Screens bound the matrix of the same tensor, which lies beside them.
void PackedWeights::bound_screens(machine::ThreadTeam& team) {
    for (const Matrix& screen : matrices_) {
        if (!screen.is_screen()) continue;
        const auto full = std::find_if(matrices_.begin(), matrices_.end(), [&](const Matrix& m) {
            return !m.is_screen() && m.parts.size() == 1 &&
                   m.parts[0].name == screen.parts[0].name && m.view.rows == screen.view.rows;
        });
        HONE_CHECK(full != matrices_.end());
        kernels::PackedMatrix w = full->view;
        w.data = memory_.data() + full->offset;
        kernels::PackedMatrix v = screen.view;
        v.data = memory_.data() + screen.offset;
        auto* bounds = reinterpret_cast<float*>(memory_.data() + screen.bounds_offset);
        team.run([&](int thread) {
            const auto range = machine::split_range(v.rows, 1, thread, team.threads());
            std::vector<float> rows(2 * size_t{v.columns});
            for (auto r = range.begin; r < range.end; ++r) {
                const auto row = static_cast<size_t>(r);
                kernels::unpack_row(w, row, rows.data());
                kernels::unpack_row(v, row, rows.data() + v.columns);
                bounds[row] = screen_bound(rows.data(), rows.data() + v.columns, v.columns);
            }
        });
        std::fill(bounds + v.rows, bounds + v.tiles() * kernels::kTileRows, 0.0f);
    }
}

const float* PackedWeights::screen_bounds(ValueId weight) const {
    return reinterpret_cast<const float*>(memory() +
                                          matrices_[screen_of_.at(weight)].bounds_offset);
}

// Filled up to whole tiles, which linear kernels write.
base::Status PackedWeights::load_vector(const Value& value, const WeightSource& source,
                                        std::vector<float>& out) {
    for (const WeightPart& part : value.parts) {
        HONE_TRY(const tensor::TensorView stored, source.tensor(part.name));
        const tensor::TensorView view = part_of(stored, part);
        const size_t begin = out.size();
        out.resize(begin + part.columns);
        tensor::dequantize(part.dtype, view.data, part.columns, out.data() + begin);
    }
    out.resize(padded_width(out.size()));
    bytes_ += out.size() * sizeof(float);
    return {};
}

base::Status PackedWeights::load_vectors(const Plan& plan, const WeightSource& source) {
    vectors_.resize(plan.graph.values.size());
    for (const PlanNode& planned : plan.nodes) {
        for (const ValueId id : planned.node.inputs) {
            const Value& value = plan.graph.values[id];
            if (!vectors_[id].empty()) continue;  // another node reads it too
            if (value.origin == ValueOrigin::constant) {
                vectors_[id] = *value.data;
                bytes_ += value.data->size() * sizeof(float);
                continue;
            }
            const bool packed_input = !planned.segments.empty() && id == planned.node.inputs[1];
            if (value.origin != ValueOrigin::weight || packed_input) continue;
            if (planned.node.kind != OpKind::embedding) {
                HONE_TRY_STATUS(load_vector(value, source, vectors_[id]));
                continue;
            }
            HONE_TRY(const tensor::TensorView view, source.tensor(value.parts[0].name));
            const auto packed =
                std::find_if(matrices_.begin(), matrices_.end(),
                             [&](const Matrix& m) { return m.parts == value.parts; });
            if (packed != matrices_.end()) {
                embedding_matrix_[id] = static_cast<size_t>(packed - matrices_.begin());
            } else {
                embedding_view_[id] = view;
            }
        }
    }
    return {};
}

void PackedWeights::embedding_row(ValueId value, size_t row, float* out) const {
    const auto packed = embedding_matrix_.find(value);
    if (packed != embedding_matrix_.end()) {
        kernels::unpack_row(matrices_[packed->second].view, row, out);
        return;
    }
    const tensor::TensorView& view = embedding_view_.at(value);
    tensor::dequantize(view.dtype, view.row(row), view.columns(), out);
}

}  // namespace hone::graph
