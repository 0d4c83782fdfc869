#include "probe/node_walk.h"

#include <algorithm>
#include <numeric>

namespace hone::probe {
namespace {

constexpr size_t kSumsPerLine = 8;
// How long a reading of all weights is at least, and how often it reads those of a small model.
constexpr double kReadingNs = 2e6;
constexpr int kPassesMax = 4096;

}  // namespace

std::vector<uint32_t> nodes_of_kind(const graph::Plan& plan, const std::string& kind,
                                    bool with_weights) {
    std::vector<uint32_t> nodes;
    for (uint32_t node = 0; node < plan.nodes.size(); ++node) {
        const cost::NodeDesc& desc = plan.nodes[node].desc;
        if (with_weights && desc.weight_bytes == 0) continue;
        if (kind == cost::op_kind_name(desc.kind)) nodes.push_back(node);
    }
    return nodes;
}

base::Status prepare_slice(const ExperimentBench& bench, Stepper& stepper,
                           const std::string& slice) {
    if (slice != "prefill" && slice != "decode") {
        return base::fail(base::ErrorCode::invalid_argument, "no slice '{}'", slice);
    }
    const graph::Executor& executor = stepper.executor();
    base::Random random(bench.options.seed);
    const auto prompt = random_tokens(
        random, executor.vocab(),
        std::min<size_t>(static_cast<size_t>(bench.options.depth), executor.tokens_max()));
    stepper.clear();
    stepper.append(0, prompt, true);
    if (slice == "decode") stepper.decode(random_tokens(random, executor.vocab(), 1));
    return {};
}

base::Result<WeightReader> WeightReader::create(graph::Executor& executor,
                                                const std::vector<uint32_t>& nodes) {
    HONE_TRY(const kernels::CeilingVariant* variant,
             kernels::select_ceiling(executor.plan().options.isa));
    WeightReader reader(executor, *variant);
    for (const uint32_t node : nodes) {
        std::vector<std::span<const std::byte>>& spans = reader.spans_.emplace_back();
        for (const std::span<const std::byte> matrix : executor.packed_weights(node)) {
            spans.push_back(matrix.first(matrix.size() / kernels::kCeilingChunkBytes *
                                         kernels::kCeilingChunkBytes));
            reader.bytes_ += spans.back().size();
        }
    }
    reader.sums_.resize(static_cast<size_t>(executor.team().threads()) * kSumsPerLine);
    return reader;
}

base::Result<WeightReader> WeightReader::of_plan(graph::Executor& executor) {
    std::vector<uint32_t> nodes(executor.plan().nodes.size());
    std::iota(nodes.begin(), nodes.end(), 0u);
    return create(executor, nodes);
}

uint64_t WeightReader::read_part(size_t index, int thread) const {
    uint64_t sum = 0;
    for (const std::span<const std::byte> span : spans_[index]) {
        const machine::IndexRange part =
            machine::split_range(static_cast<int64_t>(span.size()), kernels::kCeilingChunkBytes,
                                 thread, executor_->team().threads());
        const auto begin = static_cast<size_t>(part.begin);
        const auto size = static_cast<size_t>(part.end) - begin;
        if (size > 0) sum += variant_->read(span.data() + begin, size);
    }
    return sum;
}

double WeightReader::read_node_ns(size_t index, const base::Clock& clock) {
    machine::ThreadTeam& team = executor_->team();
    const int64_t begin_ns = clock.now_ns();
    team.run([&](int thread) {
        sums_[static_cast<size_t>(thread) * kSumsPerLine] += read_part(index, thread);
        team.barrier();
    });
    return static_cast<double>(clock.now_ns() - begin_ns);
}

double WeightReader::read_gb_per_s(const base::Clock& clock) {
    if (passes_ == 0) {
        passes_ = 1;
        const double once_ns = std::max(1.0, read_all_ns(clock));
        passes_ = static_cast<int>(std::clamp(kReadingNs / once_ns, 1.0, double{kPassesMax}));
    }
    const double ns = read_all_ns(clock);
    return ns > 0 ? static_cast<double>(bytes_) * passes_ / ns : 0;
}

double WeightReader::read_all_ns(const base::Clock& clock) {
    machine::ThreadTeam& team = executor_->team();
    const int64_t begin_ns = clock.now_ns();
    team.run([&](int thread) {
        for (int pass = 0; pass < passes_; ++pass) {
            for (size_t index = 0; index < spans_.size(); ++index) {
                sums_[static_cast<size_t>(thread) * kSumsPerLine] += read_part(index, thread);
            }
        }
        team.barrier();
    });
    return static_cast<double>(clock.now_ns() - begin_ns);
}

}  // namespace hone::probe
