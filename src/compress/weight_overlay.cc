#include "compress/weight_overlay.h"

#include <utility>

namespace hone::compress {

base::Status WeightOverlay::replace(const std::string& name, tensor::DType type,
                                    std::vector<std::byte> bytes) {
    HONE_TRY(const tensor::TensorView view, source_.tensor(name));
    const auto row_bytes = tensor::row_bytes(type, view.columns());
    if (!row_bytes || *row_bytes * view.rows() != bytes.size()) {
        return base::fail(base::ErrorCode::invalid_argument, "tensor '{}': {} bytes are not it",
                          name, bytes.size());
    }
    replacements_[name] = {type, std::move(bytes)};
    return {};
}

void WeightOverlay::retype(graph::Graph& graph) const {
    for (graph::Value& value : graph.values) {
        for (graph::WeightPart& part : value.parts) {
            const auto found = replacements_.find(part.name);
            if (found != replacements_.end()) part.dtype = found->second.type;
        }
    }
}

base::Result<tensor::TensorView> WeightOverlay::tensor(const std::string& name) const {
    HONE_TRY(tensor::TensorView view, source_.tensor(name));
    const auto found = replacements_.find(name);
    if (found == replacements_.end()) return view;
    view.dtype = found->second.type;
    view.data = found->second.bytes.data();
    view.bytes = found->second.bytes.size();
    return view;
}

void WeightOverlay::release(const std::string& name) const {
    if (replacements_.find(name) == replacements_.end()) source_.release(name);
}

}  // namespace hone::compress
