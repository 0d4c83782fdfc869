// The metric catalogue: every metric name that Hone writes, with its unit, what it means and which
// way is better. One definition each, for records, reports and tables alike.
//
// Not the measuring itself. Units are those of the samples as stored; "share" is 0 to 1. Rates are
// better when higher, times, bytes and prices when lower. A constant table; no state.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

namespace hone::measure {

enum class Better : uint8_t { higher, lower };

struct MetricDefinition {
    std::string_view name;
    std::string_view unit;
    Better better = Better::lower;
    std::string_view definition;
};

inline constexpr std::array kMetricDefinitions = {
    MetricDefinition{"prefill_tokens_per_s", "tokens/s", Better::higher,
                     "prompt tokens into an empty cache, logits of the last position only, per "
                     "second"},
    MetricDefinition{
        "decode_tokens_per_s", "tokens/s", Better::higher,
        "single-token steps per second from an empty cache or the given depth, without "
        "sampling or text"},
    MetricDefinition{"output_tokens_per_s", "tokens/s", Better::higher,
                     "output tokens of real requests per second, every stage included"},
    MetricDefinition{"batch1_tokens_per_s", "tokens/s", Better::higher,
                     "tokens per second of 1 sequence decoded in a static batch"},
    MetricDefinition{"batch2_tokens_per_s", "tokens/s", Better::higher,
                     "tokens per second of 2 sequences decoded in a static batch, all together"},
    MetricDefinition{"batch4_tokens_per_s", "tokens/s", Better::higher,
                     "tokens per second of 4 sequences decoded in a static batch, all together"},
    MetricDefinition{"batch8_tokens_per_s", "tokens/s", Better::higher,
                     "tokens per second of 8 sequences decoded in a static batch, all together"},
    MetricDefinition{"ttft_ms", "ms", Better::lower,
                     "scheduled start of a request to its first non-empty content, warm"},
    MetricDefinition{"ttft_ms_cold", "ms", Better::lower,
                     "scheduled start of the first request after loading to its first content"},
    MetricDefinition{"itl_ms", "ms", Better::lower,
                     "(last token - first token) / (tokens - 1) of a request, warm"},
    MetricDefinition{
        "itl_ms_cold", "ms", Better::lower,
        "(last token - first token) / (tokens - 1) of the first request after loading"},
    MetricDefinition{"latency_ms", "ms", Better::lower,
                     "scheduled start of a request to its last content, warm"},
    MetricDefinition{"latency_ms_cold", "ms", Better::lower,
                     "scheduled start of the first request after loading to its last content"},
    MetricDefinition{"cold_start_ms", "ms", Better::lower,
                     "start of the process to ready for the first request, which is not included"},
    MetricDefinition{"load_ms", "ms", Better::lower,
                     "opening the model file to ready to generate, within a running process"},
    MetricDefinition{"weights_bytes", "bytes", Better::lower,
                     "weights as they lie in memory after packing"},
    MetricDefinition{"workspace_bytes", "bytes", Better::lower,
                     "activations and scratch, planned for the largest step"},
    MetricDefinition{"kv_bytes", "bytes", Better::lower,
                     "key and value cache of the run's sequences at their full length"},
    MetricDefinition{"kv_bytes_per_token", "bytes/token", Better::lower,
                     "growth of the key and value cache per token of one sequence"},
    MetricDefinition{"peak_rss_bytes", "bytes", Better::lower,
                     "highest resident set of the process"},
    MetricDefinition{"prefill_compute_share", "share", Better::higher,
                     "must-do operations of prefill per second over the measured peak of the "
                     "instruction in use"},
    MetricDefinition{"decode_bandwidth_share", "share", Better::higher,
                     "must-move bytes of decode per second over the measured read bandwidth of a "
                     "set of that size"},
    MetricDefinition{"draft_accepted_share", "share", Better::higher,
                     "drafted tokens of real requests that were right, of those computed"},
    MetricDefinition{"cost_per_1k_tokens", "EUR", Better::lower,
                     "price per hour / tokens per hour x 1000, prompt and output together"},
    MetricDefinition{"cost_per_1k_prompt_tokens", "EUR", Better::lower,
                     "price per hour / prompt tokens per hour of prefill x 1000"},
    MetricDefinition{"cost_per_1k_output_tokens", "EUR", Better::lower,
                     "price per hour / output tokens per hour of decode x 1000"},
};

// nullptr when the catalogue does not have it.
constexpr const MetricDefinition* find_metric_definition(std::string_view name) {
    for (const MetricDefinition& metric : kMetricDefinitions) {
        if (metric.name == name) return &metric;
    }
    return nullptr;
}

}  // namespace hone::measure
