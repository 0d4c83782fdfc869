#include "measure/record.h"

#include "base/text.h"

namespace hone::measure {

const MetricSamples* RunRecord::metric(std::string_view name) const {
    for (const MetricSamples& entry : metrics) {
        if (entry.name == name) return &entry;
    }
    return nullptr;
}

void RunRecord::add_sample(std::string_view name, std::string_view unit, double value) {
    for (MetricSamples& entry : metrics) {
        if (entry.name != name) continue;
        entry.samples.push_back(value);
        return;
    }
    metrics.push_back({std::string(name), std::string(unit), {value}});
}

base::Result<RunRecord> read_record(const std::string& path) {
    HONE_TRY(const std::string text, base::read_file(path, kRecordBytesMax));
    // Deep enough for what experiments write, shallow enough for every reader.
    auto json = base::parse_json(text, {.bytes_max = kRecordBytesMax, .depth_max = 32});
    if (!json) return tl::unexpected<base::Error>(json.error().within(path));
    auto record = record_from_json(*json);
    if (!record) return tl::unexpected<base::Error>(record.error().within(path));
    return record;
}

base::Status write_record(const RunRecord& record, const std::string& path) {
    const base::Json json = to_json(record);
    std::string text = base::dump_json(json, 1);
    if (text.size() >= kRecordBytesMax) text = base::dump_json(json, -1);
    if (text.size() >= kRecordBytesMax) {
        return base::fail(base::ErrorCode::exhausted,
                          "{}: a record of {} bytes is over the limit of {}", path, text.size(),
                          kRecordBytesMax);
    }
    text += '\n';
    return base::write_file(path, text);
}

}  // namespace hone::measure
