#include "measure/metrics.h"

#include <gtest/gtest.h>

#include <set>
#include <string>

namespace hone::measure {
namespace {

bool ends_with(std::string_view text, std::string_view end) {
    return text.size() >= end.size() && text.substr(text.size() - end.size()) == end;
}

TEST(Metrics, TheStableInterfaceIsCatalogued) {
    for (const char* name :
         {"prefill_tokens_per_s", "decode_tokens_per_s", "ttft_ms", "itl_ms", "cold_start_ms",
          "load_ms", "weights_bytes", "workspace_bytes", "kv_bytes", "kv_bytes_per_token",
          "peak_rss_bytes", "prefill_compute_share", "decode_bandwidth_share",
          "batch1_tokens_per_s", "batch2_tokens_per_s", "batch4_tokens_per_s",
          "batch8_tokens_per_s", "cost_per_1k_tokens"}) {
        EXPECT_NE(find_metric_definition(name), nullptr) << name;
    }
    EXPECT_EQ(find_metric_definition("ttft"), nullptr);
    EXPECT_EQ(find_metric_definition(""), nullptr);
    static_assert(find_metric_definition("ttft_ms")->better == Better::lower);
}

TEST(Metrics, NamesUnitsAndDirectionsAgree) {
    std::set<std::string_view> names;
    for (const MetricDefinition& metric : kMetricDefinitions) {
        EXPECT_TRUE(names.insert(metric.name).second) << metric.name << " twice";
        EXPECT_FALSE(metric.definition.empty()) << metric.name;
        EXPECT_FALSE(ends_with(metric.definition, ".")) << metric.name;
        const bool higher = metric.better == Better::higher;
        const bool rate = ends_with(metric.name, "_per_s");
        EXPECT_EQ(higher, rate || ends_with(metric.name, "_share")) << metric.name;
        EXPECT_EQ(rate, metric.unit == "tokens/s") << metric.name;
        EXPECT_EQ(ends_with(metric.name, "_ms") || ends_with(metric.name, "_ms_cold"),
                  metric.unit == "ms")
            << metric.name;
        EXPECT_EQ(ends_with(metric.name, "_bytes"), metric.unit == "bytes") << metric.name;
    }
}

}  // namespace
}  // namespace hone::measure
