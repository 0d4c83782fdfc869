// The report of `hone inspect`: several models side by side, from neutral rows that cli fills.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>

#include "base/json_fwd.h"
#include "report/style.h"

namespace hone::report {

// What is known of one model without running it. Absent = not available here.
struct InspectRow {
    std::string file;  // base name
    std::string name;
    std::string architecture;
    uint64_t parameters = 0;
    uint64_t file_bytes = 0;
    std::map<std::string, uint64_t> bytes_by_dtype;
    uint64_t context_max = 0;
    uint32_t layers = 0;
    uint64_t context = 0;  // that the memory split is for
    std::optional<uint64_t> weights_bytes;
    std::optional<uint64_t> workspace_bytes;
    std::optional<uint64_t> kv_bytes;
    std::optional<uint64_t> kv_bytes_per_token;
    std::optional<double> prefill_flops_per_token;
    std::optional<double> prefill_bytes_per_token;
    std::optional<double> decode_flops_per_token;
    std::optional<double> decode_bytes_per_token;
    std::optional<double> prefill_light_tokens_per_s;  // speed of light on this machine
    std::optional<double> decode_light_tokens_per_s;
    std::optional<double> load_ms;
};

std::string render_inspect(std::span<const InspectRow> rows, const Style& style);
base::Json inspect_json(std::span<const InspectRow> rows);

}  // namespace hone::report
