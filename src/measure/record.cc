#include "measure/record.h"

#include <algorithm>

#include "base/text.h"

namespace hone::measure {
namespace {

// No object of a record has more than some dozens of keys. The JSON library looks keys up one after
// the other, so that a file of many keys in one object would take time with their square.
constexpr size_t kObjectKeysMax = 2048;
constexpr size_t kRecordDepthMax = 32;

// The most ':' outside strings that any one object has, nested ones not counted.
size_t object_keys_most(std::string_view text) {
    std::vector<size_t> open(1, 0);
    size_t most = 0;
    bool in_string = false;
    for (size_t i = 0; i < text.size(); ++i) {
        const char c = text[i];
        if (in_string) {
            if (c == '\\') ++i;
            if (c == '"') in_string = false;
            continue;
        }
        if (c == '"') in_string = true;
        if (c == '{') open.push_back(0);
        if (c == '}' && open.size() > 1) open.pop_back();
        if (c == ':') most = std::max(most, ++open.back());
    }
    return most;
}

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
    if (object_keys_most(text) > kObjectKeysMax) {
        return base::fail(base::ErrorCode::exhausted, "an object has more than {} keys",
                          kObjectKeysMax);
    }
    HONE_TRY(const base::Json json,
             base::parse_json(text, {.bytes_max = kRecordBytesMax, .depth_max = kRecordDepthMax}));
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
