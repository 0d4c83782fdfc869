// How long one engine step of any shape takes on this machine, from the samples of a record.
//
//   node = speed of light of its work / utilization at that size + barrier and dispatch as measured
//
// Changes (threads, kernels, formats, the type of the cache, layers, head) move the bound and the
// class whose utilization counts (cost/utilization.h). A node whose change has no data makes the
// estimate absent. Nodes of equal shape are one group: a step is a sum over a dozen groups. Not a
// measurement. Pure; const after of(); borrows the record.
#pragma once

#include <array>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cost/note.h"
#include "cost/speed_of_light.h"
#include "cost/utilization.h"
#include "measure/record.h"

namespace hone::cost {

// What is different from the run; defaults change nothing.
struct StepChange {
    int threads = 0;              // 0 = as in the run
    std::string isa;              // highest level, "" = as in the run
    std::string isa_family;       // linear | rows | attention: only these kernels; "" = all
    std::string format;           // for linears that are stored in more bytes
    std::string head_format;      // for the head alone
    double kv_element_bytes = 0;  // 0 = as in the run
    double layers_share = 1;      // of the layers that stay
    double head_rows_share = 1;   // of the vocabulary that stays
};

struct StepTime {
    double ns = 0;
    // By kind of node (OpKind), one standard deviation: nodes of a kind are wrong the same way,
    // those of two kinds each in its own.
    std::array<double, kOpKindCount> spread_ns = {};
    Provenance tier = Provenance::measured;  // the worst of the parts over 5 % of the step

    StepTime& operator+=(const StepTime& other);
    StepTime times(double count) const;
};

class StepModel {
  public:
    // nullopt and a reason: no_operator_samples, no_node_shapes, no_ceilings.
    static std::optional<StepModel> of(const measure::RunRecord& record,
                                       std::span<const measure::RunRecord> others, Note& reason);

    // nullopt: a changed part has no data.
    std::optional<StepTime> step(const StepShape& shape, const StepChange& change) const;
    // One node of the record's plan alone, without what it waits for others.
    std::optional<StepTime> node(const measure::PlanNodeFacts& facts, const StepShape& shape,
                                 const StepChange& change) const;

  private:
    struct Group {
        NodeDesc desc;
        measure::PlanNodeFacts facts;  // of the first
        double count = 0;
        // Barrier and dispatch of all nodes of the group in one step.
        double prefill_overhead_ns = 0;
        double decode_overhead_ns = 0;
    };
    struct Part {
        double ns = 0;
        double error = 0;  // relative
        Provenance tier = Provenance::measured;
    };

    std::optional<Part> compute(const Group& group, const StepShape& shape,
                                const StepChange& change) const;
    Part overhead(const Group& group, const StepShape& shape, const StepChange& change) const;
    std::string level_after(const Group& group, const StepChange& change) const;

    const measure::RunRecord* record_ = nullptr;
    UtilizationModel utilization_;
    std::vector<Group> groups_;
};

}  // namespace hone::cost
