#include "measure/record.h"

#include "base/json.h"
#include "base/text.h"

namespace hone::measure {
namespace {

// No object of a record has more than some dozens of keys.
constexpr size_t kObjectKeysMax = 2048;
constexpr size_t kRecordDepthMax = 32;

}  // namespace

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

base::Result<RunRecord> parse_record(std::string_view text) {
    HONE_TRY(const base::Json json, base::parse_json(text, {.bytes_max = kRecordBytesMax,
                                                            .depth_max = kRecordDepthMax,
                                                            .keys_max = kObjectKeysMax}));
    return record_from_json(json);
}

base::Result<RunRecord> read_record(const std::string& path) {
    HONE_TRY(const std::string text, base::read_file(path, kRecordBytesMax));
    auto record = parse_record(text);
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
