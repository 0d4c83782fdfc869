#include "diagnose/scenario.h"

#include <cmath>

namespace hone::diagnose {
namespace {

using base::ErrorCode;
using base::fail;

// realtime:   a short question, a short answer, one user; judged by the slow tail of the whole
//             answer. 72 requests: the fewest that give P95 an interval.
// generative: the user reads along: the steady pace decides, TTFT stands beside it.
// batch:      nobody waits: eight sequences in flight, tokens per second decide.
constexpr Scenario kScenarios[] = {
    {"realtime", 64, 16, 1, 72, 368, "latency_ms", 0.95},
    {"generative", 128, 128, 1, 8, 72, "itl_ms", 0.5},
    {"batch", 128, 64, 8, 48, 368, "output_tokens_per_s", 0.5},
};

}  // namespace

std::span<const Scenario> scenarios() {
    return kScenarios;
}

base::Result<const Scenario*> find_scenario(std::string_view id) {
    for (const Scenario& scenario : kScenarios) {
        if (id == scenario.id) return &scenario;
    }
    if (id == "retrieval") {
        return fail(ErrorCode::unsupported,
                    "scenario 'retrieval' does not fit this model: it is judged by embeddings, and "
                    "a generative model yields tokens; fitting scenarios: realtime, generative, "
                    "batch");
    }
    std::string names;
    for (const Scenario& scenario : kScenarios) {
        names += names.empty() ? scenario.id : std::string(", ") + scenario.id;
    }
    return fail(ErrorCode::invalid_argument, "unknown scenario '{}'; scenarios: {}, retrieval",
                id.substr(0, 64), names);
}

std::string metric_at(std::string_view metric, double percentile) {
    if (percentile == 0.5) return std::string(metric);
    std::string digits = fmt::format("{:g}", percentile * 100);
    return fmt::format("{}_p{}", metric, digits);
}

}  // namespace hone::diagnose
