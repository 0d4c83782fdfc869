// libFuzzer entry for item files: what is accepted is also measured, with answers that say nothing.
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "base/check.h"
#include "quality/item_scores.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
    using namespace hone::quality;
    std::vector<Item> items;
    if (!add_items({reinterpret_cast<const char*>(data), size}, items)) return 0;
    std::vector<ItemAnswer> answers;
    for (const Item& item : items) answers.push_back(blank_answer(item));
    const auto measured = measure_items(items, answers, {});
    HONE_CHECK(measured && !measured->empty());
    for (const auto& metric : *measured) HONE_CHECK(score_items(metric.metric, metric.sums));
    HONE_CHECK(measure_distances(items, answers, answers));
    return 0;
}
