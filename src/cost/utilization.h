// Utilization (bound / time) of kernels on this machine, learned from operator samples of records.
//
// A sample belongs to a class (kind, packed format, kernel level) and has a size in two dimensions:
// activation rows of a call, and work per row (weights of a linear, visible positions of attention,
// width of a row operator), both in log space. A question is answered from the nearest sample and
// the nearest one on its other side, and clamped to what was measured; a class without samples
// borrows another format's, and says so; without any there is no number. Between two samples of a
// linear its utilization is a straight line in log space; attention and row operators take a fixed
// time and one that grows with their work, so 1 / utilization is a straight line in 1 / work.
// Where the machine profile has the kernel's own curve over the rows (cost/kernel_curve.h), what is
// stored and interpolated is how far the run lies from that curve: between the sizes of the run the
// curve decides, and another format, level or thread count keeps the run's distance from its own.
// Idea: NVIDIA AIConfigurator's hybrid model (latency = speed of light / learned utilization).
// A value; const after learning.
#pragma once

#include <map>
#include <optional>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "cost/node_desc.h"
#include "machine/profile.h"
#include "measure/record.h"

namespace hone::cost {

// Where a number comes from, from worst to best:
//   cross_format    another format's samples of the same kind
//   interpolated    between measured sizes, or clamped to the last of them
//   measured_shape  this size, measured on another shape, model or run of this machine
//   measured        this very thing
enum class Provenance : uint8_t { none, cross_format, interpolated, measured_shape, measured };
const char* provenance_name(Provenance tier);

struct Utilization {
    double value = 0;  // higher is nearer to the roof
    Provenance tier = Provenance::none;
    double low = 0;  // range measured for this class
    double high = 0;
    // Relative error, one standard deviation: the wider apart the samples that it lies between, and
    // the farther from them, the larger.
    double error = 0;
};

struct UtilizationClass {
    std::string kind;
    std::string format;  // with "/f32" behind it for float activations; "" without weights
    std::string isa;
    auto operator<=>(const UtilizationClass&) const = default;
};
UtilizationClass utilization_class(const measure::PlanNodeFacts& node);

// Work per activation row of a node, for comparing shapes (see above); `visible` as in attention.
double work_per_row(const NodeDesc& node, double visible);

// Kernels of linears at another number of threads than the run's.
struct UtilizationQuery {
    UtilizationClass of;
    double rows = 1;
    double size = 0;  // work per row, 0 = any
    int threads = 0;  // 0 = the run's
};

class UtilizationModel {
  public:
    // `others`: earlier records; those of another machine are left out.
    static UtilizationModel learn(const measure::RunRecord& record,
                                  std::span<const measure::RunRecord> others = {});

    // nullopt for an unknown class of which no other format or level is known either.
    std::optional<Utilization> at(const UtilizationQuery& query) const;
    bool empty() const { return samples_.empty(); }

  private:
    struct Sample {
        double rows = 0;         // log2
        double size = 0;         // log2, 0 = unknown
        double utilization = 0;  // log2, over the kernel's curve at these rows
        double weight_ns = 0;
        bool own = true;
    };
    void add(const measure::RunRecord& record, bool own);
    void add_sample(const UtilizationClass& of, const Sample& sample);
    // `straight`: in log space; else by work (see above).
    static std::optional<Utilization> nearest(const std::vector<Sample>& samples,
                                              const Sample& wanted, bool straight);

    const std::pair<const UtilizationClass, std::vector<Sample>>* borrowed_from(
        const UtilizationClass& of) const;
    struct Curve {
        double log_utilization = 0;  // log2
        bool exact = false;
    };
    std::optional<Curve> curve(const UtilizationClass& of, double rows, int threads) const;

    std::map<UtilizationClass, std::vector<Sample>> samples_;
    machine::MachineProfile machine_;
    int threads_ = 1;
    uint64_t streamed_bytes_ = 0;
};

}  // namespace hone::cost
