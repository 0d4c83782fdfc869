#include "probe/roof_shares.h"

#include "cost/speed_of_light.h"

namespace hone::probe {

std::optional<double> step_compute_ns(const graph::Plan& plan, const cost::StepShape& shape,
                                      const machine::MachineProfile& profile) {
    double sum = 0;
    for (const graph::PlanNode& node : plan.nodes) {
        const cost::Work work = cost::node_work(node.desc, shape);
        cost::RoofQuery query;
        query.arithmetic = node.desc.arithmetic;
        query.format = node.desc.format;
        query.isa = cost::parse_variant(node.variant).isa;
        query.threads = plan.options.threads;
        const auto compute_ns = cost::light_time(work, query, profile).compute_ns;
        if (!compute_ns) return std::nullopt;
        sum += *compute_ns;
    }
    return sum;
}

double step_stream_bytes(const graph::Plan& plan, const cost::StepShape& shape) {
    double sum = 0;
    for (const graph::PlanNode& node : plan.nodes) {
        const cost::Work work = cost::node_work(node.desc, shape);
        sum += node.desc.kind == cost::OpKind::attend ? work.bytes : work.weight_bytes;
    }
    return sum;
}

}  // namespace hone::probe
