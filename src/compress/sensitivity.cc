#include "compress/sensitivity.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <map>
#include <memory>
#include <optional>
#include <utility>

#include "base/check.h"
#include "compress/recipe.h"
#include "compress/weight_overlay.h"
#include "runtime/log_softmax.h"
#include "runtime/text_reader.h"
#include "tensor/codec.h"

namespace hone::compress {
namespace {

using base::ErrorCode;
using base::fail;
using tensor::DType;

// Positions of a window whose predictions have enough context to be compared come after these.
constexpr uint32_t kUnscored = 32;
// Share of the whole work, for progress.
constexpr double kErrorsShare = 0.2;

// The text's windows, and what the unchanged model says to them.
class KlMeter {
  public:
    static base::Result<KlMeter> create(runtime::Session& session, std::span<const int32_t> tokens,
                                        const SensitivityOptions& options) {
        KlMeter meter;
        const size_t context = options.context;
        if (tokens.size() < context || context <= kUnscored) {
            return fail(ErrorCode::invalid_argument,
                        "{} tokens of the text are left for measuring sensitivity, which needs {}",
                        tokens.size(), std::max<size_t>(context, kUnscored + 1));
        }
        const uint64_t window_bytes =
            (context - kUnscored) * uint64_t{session.executor().vocab()} * sizeof(float);
        const auto fitting = std::max<size_t>(1, options.logits_bytes_max / window_bytes);
        const size_t windows =
            std::min<size_t>({options.windows, tokens.size() / context, fitting});
        for (size_t w = 0; w < windows; ++w) {
            const size_t begin = windows == 1 ? 0 : (tokens.size() - context) * w / (windows - 1);
            meter.windows_.push_back(tokens.subspan(begin, context));
        }
        HONE_TRY(auto reader, runtime::TextReader::create(session, options.context));
        meter.vocab_ = reader.vocab();
        meter.base_.reserve(windows * (context - kUnscored) * meter.vocab_);
        meter.read(reader, [&](std::span<const float> rows) {
            meter.base_.insert(meter.base_.end(), rows.begin(), rows.end());
        });
        return meter;
    }

    size_t tokens() const { return base_.size() / vocab_; }

    // Mean KL(unchanged || executor's) over the scored tokens.
    base::Result<double> kl(graph::Executor& executor, const models::ModelConfig& config) const {
        const auto context = static_cast<uint32_t>(windows_.front().size());
        HONE_TRY(auto reader, runtime::TextReader::create(executor, config, context));
        double sum = 0;
        size_t at = 0;
        read(reader, [&](std::span<const float> rows) {
            for (size_t i = 0; i < rows.size(); i += vocab_, at += vocab_) {
                const auto base = std::span<const float>(base_).subspan(at, vocab_);
                const runtime::LogSoftmax p(base);
                const runtime::LogSoftmax q(rows.subspan(i, vocab_));
                sum += runtime::kl_divergence(p, q);
            }
        });
        return sum / static_cast<double>(tokens());
    }

  private:
    template <class Take>
    void read(runtime::TextReader& reader, Take&& take) const {
        for (const std::span<const int32_t> tokens : windows_) {
            reader.begin(static_cast<uint32_t>(tokens.size()));
            for (size_t at = 0; at < tokens.size();) {
                const bool scored = at >= kUnscored;
                const size_t end = scored ? tokens.size() : kUnscored;
                const size_t n = std::min(end - at, reader.rows_max());
                const auto logits =
                    reader.read(tokens.subspan(at, n),
                                scored ? runtime::WantedLogits::all : runtime::WantedLogits::none);
                if (scored) take(logits);
                at += n;
            }
        }
    }

    std::vector<std::span<const int32_t>> windows_;
    std::vector<float> base_;  // logits [tokens][vocab]
    size_t vocab_ = 0;
};

// Expected error of a tensor in a type, from some of its rows.
double sampled_error(const tensor::TensorView& view, DType type, const TensorGuidance& guidance,
                     size_t sampled_rows) {
    const uint64_t tiles = std::max<uint64_t>(1, view.rows() / kFeedbackRows);
    const uint64_t wanted = std::max<uint64_t>(1, sampled_rows / kFeedbackRows);
    const uint64_t step = std::max<uint64_t>(1, tiles / wanted);
    std::vector<std::byte> out(*tensor::row_bytes(type, view.columns()) * kFeedbackRows);
    double sum = 0;
    uint64_t rows = 0;
    for (uint64_t tile = 0; tile < tiles; tile += step) {
        const uint64_t first = tile * kFeedbackRows;
        const uint64_t n = std::min<uint64_t>(kFeedbackRows, view.rows() - first);
        sum += encode_range(view, type, guidance, first, n, out.data()).error.weighted;
        rows += n;
    }
    return sum * static_cast<double>(view.rows()) / static_cast<double>(rows);
}

class Measurement {
  public:
    Measurement(runtime::Session& session, const formats::GgufFile& file, const Guidance& guidance,
                const SensitivityOptions& options, const base::Clock& clock)
        : session_(session), file_(file), guidance_(guidance), options_(options), clock_(clock) {
        table_.probe_type = options.probe_type;
    }

    base::Result<SensitivityTable> measure(std::span<const int32_t> tokens) {
        HONE_TRY(const KlMeter meter, KlMeter::create(session_, tokens, options_));
        table_.tokens = meter.tokens();
        list_tensors();
        HONE_TRY_STATUS(estimate_errors());
        HONE_TRY_STATUS(probe_groups(meter));
        std::map<std::string, double> factor;
        for (const GroupProbe& probe : table_.groups) {
            factor[probe.group] = probe.error > 0 ? probe.kl / probe.error : 0;
        }
        for (TensorSensitivity& tensor : table_.tensors) {
            for (TypeCost& cost : tensor.types) cost.kl = factor[tensor.group] * cost.error;
        }
        return std::move(table_);
    }

  private:
    void list_tensors() {
        for (const formats::GgufTensor& tensor : file_.tensors()) {
            if (!is_quantizable(tensor) || !tensor.dtype) continue;
            const std::string name(tensor.name);
            TensorSensitivity item{
                name, group_of(name, session_.config().n_layers, options_.depth_groups), {}};
            const uint64_t rows = tensor.elements() / tensor.dims[0];
            for (const DType type : options_.types) {
                const auto row_bytes = tensor::row_bytes(type, tensor.dims[0]);
                if (row_bytes) item.types.push_back({type, *row_bytes * rows, 0, 0});
            }
            if (!item.types.empty()) table_.tensors.push_back(std::move(item));
        }
    }

    bool go_on(double share) const { return !options_.go_on || options_.go_on(share); }

    base::Status estimate_errors() {
        machine::ThreadTeam& team = session_.executor().team();
        // Tensors are claimed one by one; only thread 0 speaks to the caller.
        std::atomic<size_t> next = 0;
        std::atomic<bool> stopped = false;
        team.run([&](int thread) {
            for (size_t i = next++; i < table_.tensors.size() && !stopped; i = next++) {
                TensorSensitivity& tensor = table_.tensors[i];
                const auto view = file_.tensor(tensor.name);
                HONE_CHECK(view.has_value());
                for (TypeCost& cost : tensor.types) {
                    const TensorGuidance guidance = guidance_.of(tensor.name, cost.type);
                    cost.error = sampled_error(*view, cost.type, guidance, options_.sampled_rows);
                }
                const double share = static_cast<double>(i) / table_.tensors.size();
                if (thread == 0 && !go_on(kErrorsShare * share)) stopped = true;
            }
        });
        if (stopped) return fail(ErrorCode::cancelled, "stopped on request");
        return {};
    }

    base::Status probe_groups(const KlMeter& meter) {
        std::map<std::string, std::vector<const TensorSensitivity*>> groups;
        for (const TensorSensitivity& tensor : table_.tensors)
            groups[tensor.group].push_back(&tensor);
        for (const auto& [group, tensors] : groups) {
            const double share = static_cast<double>(table_.groups.size()) / groups.size();
            if (!go_on(kErrorsShare + (1 - kErrorsShare) * share)) {
                return fail(ErrorCode::cancelled, "stopped on request");
            }
            WeightOverlay overlay(session_.model());
            GroupProbe probe{group, 0, 0};
            for (const TensorSensitivity* tensor : tensors) {
                HONE_TRY_STATUS(add_probe(*tensor, overlay, probe));
            }
            HONE_TRY(probe.kl, kl_with(overlay, meter));
            table_.groups.push_back(probe);
        }
        return {};
    }

    base::Status add_probe(const TensorSensitivity& tensor, WeightOverlay& overlay,
                           GroupProbe& probe) {
        HONE_TRY(const tensor::TensorView view, file_.tensor(tensor.name));
        const DType type = tensor::fitting_type(options_.probe_type, view.columns());
        const uint64_t row_bytes = *tensor::row_bytes(type, view.columns());
        std::vector<std::byte> bytes(row_bytes * view.rows());
        const TensorGuidance guidance = guidance_.of(tensor.name, type);
        for (const RangeResult& result : encode_with_team(
                 view, type, guidance, 0, view.rows(), bytes.data(), session_.executor().team())) {
            if (result.bad) {
                return fail(ErrorCode::corrupt, "tensor '{}', row {}: {} is not a finite number",
                            tensor.name, result.bad->row, result.bad->element.value);
            }
            probe.error += result.error.weighted;
        }
        if (guidance.scaling == nullptr) {
            return overlay.replace(tensor.name, type, std::move(bytes));
        }
        return overlay.replace(tensor.name, DType::f32,
                               unscaled(view, type, bytes, *guidance.scaling));
    }

    // What scaled and rounded weights are among neighbours that are not scaled.
    static std::vector<std::byte> unscaled(const tensor::TensorView& view, DType type,
                                           std::span<const std::byte> encoded,
                                           const TensorScaling& scaling) {
        const uint64_t columns = view.columns();
        const uint64_t row_bytes = encoded.size() / view.rows();
        std::vector<std::byte> out(view.elements() * sizeof(float));
        std::vector<float> row(columns);
        for (uint64_t r = 0; r < view.rows(); ++r) {
            tensor::dequantize(type, encoded.data() + r * row_bytes, columns, row.data());
            scaling.undo(r, row);
            std::memcpy(out.data() + r * columns * sizeof(float), row.data(),
                        columns * sizeof(float));
        }
        return out;
    }

    base::Result<double> kl_with(const WeightOverlay& overlay, const KlMeter& meter) {
        const graph::PrepareOptions& prepared = session_.plan().options;
        HONE_TRY(auto graph, session_.model().build_graph(prepared.positions_max));
        overlay.retype(graph);
        HONE_TRY(auto plan, graph::prepare(std::move(graph), prepared, clock_));
        HONE_TRY(const auto executor,
                 graph::Executor::create(std::move(plan), overlay, session_.executor().team()));
        return meter.kl(*executor, session_.config());
    }

    runtime::Session& session_;
    const formats::GgufFile& file_;
    const Guidance& guidance_;
    const SensitivityOptions& options_;
    const base::Clock& clock_;
    SensitivityTable table_;
};

}  // namespace

std::string group_of(const std::string& tensor, uint32_t n_layers, uint32_t depth_groups) {
    constexpr std::string_view kPrefix = "blk.";
    if (tensor.compare(0, kPrefix.size(), kPrefix) != 0) return tensor;
    const size_t dot = tensor.find('.', kPrefix.size());
    if (dot == std::string::npos) return tensor;
    uint64_t layer = 0;
    for (size_t i = kPrefix.size(); i < dot; ++i) {
        if (tensor[i] < '0' || tensor[i] > '9' || layer > n_layers) return tensor;
        layer = 10 * layer + static_cast<uint64_t>(tensor[i] - '0');
    }
    if (layer >= n_layers) return tensor;
    return fmt::format("{}/{}", tensor.substr(dot + 1), layer * depth_groups / n_layers);
}

base::Result<SensitivityTable> measure_sensitivity(
    runtime::Session& session, const formats::GgufFile& file, const Guidance& guidance,
    std::span<const int32_t> tokens, const SensitivityOptions& options, const base::Clock& clock) {
    return Measurement(session, file, guidance, options, clock).measure(tokens);
}

std::vector<AllocationItem> allocation_items(const SensitivityTable& table) {
    std::vector<AllocationItem> items;
    for (const TensorSensitivity& tensor : table.tensors) {
        AllocationItem item{tensor.name, {}};
        for (const TypeCost& cost : tensor.types) {
            item.options.push_back({cost.type, cost.bytes, cost.kl});
        }
        items.push_back(std::move(item));
    }
    return items;
}

}  // namespace hone::compress
