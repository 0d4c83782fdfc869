#include "compress/decode_cost.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <string>

#include "cost/kernel_curve.h"
#include "cost/step_model.h"
#include "kernels/linear/packed_matrix.h"

namespace hone::compress {
namespace {

using base::ErrorCode;
using base::fail;

const char* packed_name(tensor::DType type) {
    return kernels::pack_format_name(kernels::pack_format_for(type));
}

// The part of a node's product that one tensor is.
struct Share {
    const measure::PlanNodeFacts* node = nullptr;
    double share = 0;
    tensor::DType type = tensor::DType::f32;  // as it is
};

// Room cost predicts formats of fewer bytes than now.
bool is_larger(tensor::DType type, const std::vector<Share>& shares) {
    const auto then = cost::format_bytes_per_weight(packed_name(type));
    return std::any_of(shares.begin(), shares.end(), [&](const Share& share) {
        return then > cost::format_bytes_per_weight(packed_name(share.type));
    });
}

using SharesByTensor = std::map<std::string, std::vector<Share>, std::less<>>;

SharesByTensor shares_of(const graph::Plan& plan,
                         const std::vector<measure::PlanNodeFacts>& facts) {
    SharesByTensor out;
    for (const measure::PlanNodeFacts& node : facts) {
        double all = 0;
        std::map<std::string, Share> tensors;
        for (const graph::PlanSegment& segment : plan.nodes[node.index].segments) {
            for (const graph::WeightPart& part : segment.parts) {
                const auto count =
                    static_cast<double>(part.rows) * static_cast<double>(part.columns);
                Share& own = tensors[part.name];
                own = {&node, own.share + count, part.dtype};
                all += count;
            }
        }
        for (auto& [name, own] : tensors) {
            own.share /= all;
            out[name].push_back(own);
        }
    }
    return out;
}

// nullopt: room cost has no data for that format.
std::optional<double> tensor_ns(const cost::StepModel& model, const std::vector<Share>& shares,
                                const cost::StepShape& step, const cost::StepChange& change) {
    double ns = 0;
    for (const Share& share : shares) {
        const auto time = model.node(*share.node, step, change);
        if (!time) return std::nullopt;
        ns += share.share * time->ns;
    }
    return ns;
}

}  // namespace

base::Result<DecodeCost> decode_cost(const graph::Plan& plan, const measure::RunRecord& record,
                                     const SensitivityTable& table, const cost::StepShape& step) {
    cost::Note reason;
    const auto model = cost::StepModel::of(record, {}, reason);
    if (!model) {
        return fail(ErrorCode::unsupported, "the time of a step cannot be predicted: {}",
                    reason.id);
    }
    const auto now = model->step(step, {});
    if (!now) return fail(ErrorCode::unsupported, "the time of a step cannot be predicted");
    SharesByTensor shares = shares_of(plan, record.nodes);
    DecodeCost out;
    out.step_ns = out.fixed_ns = now->ns;
    for (const TensorSensitivity& tensor : table.tensors) {
        const std::vector<Share>& own = shares[tensor.name];  // none where nothing multiplies it
        out.fixed_ns -= tensor_ns(*model, own, step, {}).value_or(0);
        AllocationItem item{tensor.name, {}};
        for (const TypeCost& cost : tensor.types) {
            if (is_larger(cost.type, own)) continue;
            cost::StepChange change;
            change.format = packed_name(cost.type);
            const auto ns = tensor_ns(*model, own, step, change);
            if (!ns) continue;
            const auto price = static_cast<uint64_t>(std::llround(*ns * kPicosecondsPerNs));
            item.options.push_back({cost.type, price, cost.kl});
        }
        if (item.options.empty()) {
            return fail(ErrorCode::unsupported, "no time is known of any type of '{}'",
                        tensor.name);
        }
        out.items.push_back(std::move(item));
    }
    return out;
}

}  // namespace hone::compress
