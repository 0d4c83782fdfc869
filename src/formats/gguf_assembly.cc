#include "formats/gguf_assembly.h"

#include <algorithm>
#include <memory>
#include <utility>

#include "base/text.h"
#include "formats/gguf_parser.h"

namespace hone::formats {

using base::ErrorCode;
using base::fail;

base::Status GgufAssembly::add(GgufFile& file, AssembledTensor& from) {
    GgufTensor tensor;
    tensor.name = file.assembled_->names.emplace_back(std::move(from.name));
    std::vector<uint64_t> dims = from.own_dims;
    std::span<const std::byte> bytes;
    if (from.stored != nullptr) {
        dims.assign(from.stored->shape.rbegin(), from.stored->shape.rend());
        bytes = from.stored->bytes;
        tensor.dtype = from.stored->dtype;
        tensor.type_name = std::string(from.stored->type_name);
        tensor.shard = from.file + 1;
        tensor.offset = from.stored->offset;
    } else {
        bytes = file.assembled_->own.emplace_back(std::move(from.own));
        tensor.dtype = from.own_dtype;
        tensor.type_name = std::string(tensor::traits(from.own_dtype).name);
    }
    const std::string where = "tensor '" + base::printable(tensor.name) + "'";
    if (dims.size() > kGgufRankMax) {
        return fail(ErrorCode::unsupported, "{}: {} dimensions; {} at most work", where,
                    dims.size(), kGgufRankMax);
    }
    if (std::count(dims.begin(), dims.end(), 0u) > 0) {
        return fail(ErrorCode::corrupt, "{}: a dimension is zero", where);
    }
    if (dims.empty()) dims.push_back(1);
    std::copy(dims.begin(), dims.end(), tensor.dims.begin());
    tensor.rank = static_cast<int>(dims.size());
    tensor.bytes = bytes.size();
    if (tensor.dtype) {
        tensor.type_id = gguf_tensor_type_id(*tensor.dtype);
        tensor.view = {*tensor.dtype, tensor.dims, tensor.rank, bytes.data(), bytes.size()};
    }
    file.tensors_.push_back(std::move(tensor));
    return {};
}

base::Result<GgufFile> GgufAssembly::make(const std::string& name, const GgufWriter& head,
                                          std::vector<SafetensorsFile> files,
                                          std::vector<AssembledTensor> tensors) {
    auto assembled = std::make_unique<GgufFile::Assembled>();
    HONE_TRY_STATUS(head.write_to([&](std::span<const std::byte> bytes) -> base::Status {
        assembled->head.insert(assembled->head.end(), bytes.begin(), bytes.end());
        return {};
    }));
    HONE_TRY(GgufFile file, GgufFile::parse(assembled->head, name));
    file.assembled_ = std::move(assembled);
    for (AssembledTensor& tensor : tensors) {
        const base::Status added = add(file, tensor);
        if (!added) return tl::unexpected(added.error().within(name));
    }
    for (SafetensorsFile& from : files) {
        GgufFile part;
        part.name_ = from.name_;
        part.bytes_ = from.bytes_;
        part.map_ = std::move(from.map_);
        file.more_.push_back(std::move(part));
    }
    const base::Status unique = GgufParser::index_tensors(file);
    if (!unique) return tl::unexpected(unique.error().within(name));
    return file;
}

}  // namespace hone::formats
