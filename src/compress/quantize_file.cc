#include "compress/quantize_file.h"

#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "base/text.h"
#include "formats/gguf_writer.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

using base::ErrorCode;
using base::fail;
using base::Status;
using tensor::DType;

// The layout of quantized blocks in use since GGUF exists.
constexpr uint32_t kQuantizationVersion = 2;

bool is_about_types(std::string_view key) {
    return key == "general.file_type" || key == "general.quantization_version" ||
           key == "general.alignment" || key.substr(0, 17) == "quantize.imatrix." ||
           key.substr(0, 6) == "split.";
}

// What the sources of all tensors share while a file is written.
struct Work {
    const formats::GgufFile& file;
    const Guidance& guidance;
    machine::ThreadTeam& team;
    const std::function<bool(double)>& go_on;
    uint64_t bytes_total = 0;
    uint64_t bytes_done = 0;
    std::vector<TensorResult> results = {};
};

Status bad_weight(const formats::GgufFile& file, const TensorChoice& choice, const BadWeight& bad) {
    const bool finite = std::isfinite(bad.element.value);
    return fail(finite ? ErrorCode::invalid_argument : ErrorCode::corrupt,
                "{}: tensor '{}', row {}, column {}: {} {}", file.name(),
                base::printable(choice.name), bad.row, bad.element.column, bad.element.value,
                finite ? "does not fit into F16 (BF16 or F32 would)" : "is not a finite number");
}

// What is copied as it is must be finite too.
Status check_copied(const formats::GgufFile& file, const TensorChoice& choice,
                    const tensor::TensorView& view) {
    std::vector<float> row(choice.columns);
    for (uint64_t r = 0; r < choice.rows; ++r) {
        tensor::dequantize(view.dtype, view.row(r), row.size(), row.data());
        if (const auto bad = find_bad(DType::f32, row)) return bad_weight(file, choice, {r, *bad});
    }
    return {};
}

// Whole rows of a tensor from `first` on, as many as `out` takes, shared among the team.
Status encode_rows(Work& work, const TensorChoice& choice, const tensor::TensorView& view,
                   uint64_t first, std::span<std::byte> out, EncodeError& error) {
    const uint64_t row_bytes = *tensor::row_bytes(choice.to, choice.columns);
    const TensorGuidance guidance = work.guidance.of(choice.name, choice.to);
    for (const RangeResult& result : encode_with_team(
             view, choice.to, guidance, first, out.size() / row_bytes, out.data(), work.team)) {
        if (result.bad) return bad_weight(work.file, choice, *result.bad);
        error.add(result.error);
    }
    return {};
}

formats::TensorSource tensor_source(std::shared_ptr<Work> work, const TensorChoice& choice,
                                    size_t index) {
    return [work, choice, index](uint64_t offset, std::span<std::byte> out) -> Status {
        const double share =
            static_cast<double>(work->bytes_done) / static_cast<double>(work->bytes_total);
        if (work->go_on && !work->go_on(share)) {
            return fail(ErrorCode::cancelled, "stopped on request");
        }
        HONE_TRY(const tensor::TensorView view, work->file.tensor(choice.name));
        const bool scaled = work->guidance.of(choice.name, choice.to).scaling != nullptr;
        if (choice.to == choice.from && !scaled) {
            if (offset == 0) HONE_TRY_STATUS(check_copied(work->file, choice, view));
            std::memcpy(out.data(), view.data + offset, out.size());
        } else {
            const uint64_t row_bytes = *tensor::row_bytes(choice.to, choice.columns);
            HONE_TRY_STATUS(encode_rows(*work, choice, view, offset / row_bytes, out,
                                        work->results[index].error));
        }
        work->bytes_done += out.size();
        if (offset + out.size() == choice.bytes) {
            work->file.release(*work->file.find_tensor(choice.name));
        }
        return {};
    };
}

Status check_guidance(const Recipe& recipe, const Guidance& guidance) {
    for (const TensorChoice& choice : recipe.tensors) {
        const size_t width = guidance.of(choice.name, choice.to).width();
        if (width != 0 && width != choice.columns) {
            return fail(ErrorCode::corrupt, "guidance for '{}': {} columns, the tensor has {}",
                        base::printable(choice.name), width, choice.columns);
        }
    }
    return {};
}

}  // namespace

base::Result<std::vector<TensorResult>> write_quantized(
    const formats::GgufFile& file, const Recipe& recipe, const Guidance& guidance,
    machine::ThreadTeam& team, const std::string& path, const std::function<bool(double)>& go_on) {
    HONE_TRY_STATUS(check_guidance(recipe, guidance));
    formats::GgufWriter writer(static_cast<uint32_t>(file.alignment()));
    for (const formats::GgufEntry& entry : file.metadata()) {
        if (!is_about_types(entry.key)) writer.add_value(entry.key, entry.value);
    }
    writer.add_u32("general.file_type", gguf_file_type(recipe.main_type()));
    writer.add_u32("general.quantization_version", kQuantizationVersion);
    const auto work = std::make_shared<Work>(Work{file, guidance, team, go_on});
    work->bytes_total = recipe.bytes();
    for (size_t i = 0; i < recipe.tensors.size(); ++i) {
        const TensorChoice& choice = recipe.tensors[i];
        const formats::GgufTensor& tensor = *file.find_tensor(choice.name);
        work->results.push_back({choice.name, {}});
        writer.add_tensor(choice.name, choice.to,
                          {tensor.dims.begin(), tensor.dims.begin() + tensor.rank},
                          tensor_source(work, choice, i));
    }
    HONE_TRY_STATUS(writer.write(path));
    return std::move(work->results);
}

}  // namespace hone::compress
