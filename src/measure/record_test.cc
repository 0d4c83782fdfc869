#include "measure/record.h"

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <functional>
#include <limits>

#include "base/json.h"
#include "base/text.h"

namespace hone::measure {
namespace {

using base::ErrorCode;
using base::Json;

constexpr double kFailed = std::numeric_limits<double>::infinity();

RunRecord sample_record() {
    RunRecord record;
    record.context.scenario = "realtime";
    record.context.slo = "ttft_p95<200ms";
    record.context.primary_metric = "ttft_ms";
    record.context.prompt_tokens = 64;
    record.context.output_tokens = 16;
    record.context.threads = 2;
    record.context.seed = 0xffffffffffffffffull;
    record.context.warm = false;
    record.context.price_per_hour = 0.25;
    record.build = "0.1.0 test";
    record.isa = "avx512";
    record.machine.fingerprint = "0123456789abcdef";
    record.machine.bandwidth = {{1 << 20, 2, 30, 31}};
    record.model.file = "tiny.gguf";
    record.model.parameters = 135'000'000;
    record.model.bytes_by_dtype = {{"f32", 4}, {"q4_1", 1ull << 40}};
    record.passes = {{"fuse_qkv", true, 30, 0.125}, {"dead_code", false, 0, 0}};
    record.nodes = {{0, "embed", "embed", "f32/portable", -1},
                    {1, "blk.0.ffn_down", "linear", "u4m/avx512vnni", 0}};
    record.operators = {{0, "prefill", 0, 3, 192, 10.5, 9.5, 1, 2, 4096, 0},
                        {1, "decode", 256, 7, 7, 1e9, 9e8, 1e6, 2e6, 1e12, 2e12}};
    RequestSample request;
    request.phase = "warm";
    request.stage_ns = {{"tokenize", 1000}, {"prefill", 2e6}};
    request.ttft_ns = 3e6;
    request.total_ns = kFailed;
    request.token_gap_ns = {1e6, 2e6, kFailed};
    request.prompt_tokens = 64;
    record.requests = {request};
    record.add_sample("ttft_ms", "ms", 12.5);
    record.add_sample("ttft_ms", "ms", kFailed);
    record.add_sample("itl_ms", "ms", 4);
    record.experiments = {
        {"hot_copy", "linear", Json{{"bytes", 5}}, Json{{"ratio", 1.5}}, false, "too short"}};
    record.load_stage_ms = {{"open", 1.5}, {"pack", 20}};
    record.forward_wall_ns = 1.01e9;
    record.timing_overhead_share = 0.002;
    record.interference.steal_share = 0;
    record.interference.minor_faults = 12;
    record.interference.wall_s = 1.25;
    record.memory = {1000, 200, 30, 4, 5000};
    return record;
}

std::string error_of(const Json& json, ErrorCode code = ErrorCode::corrupt) {
    const auto record = record_from_json(json);
    if (record) return "accepted";
    EXPECT_EQ(record.error().code, code) << record.error().message;
    return record.error().message;
}

class TemporaryFile {
  public:
    TemporaryFile() {
        std::string name = (std::filesystem::temp_directory_path() / "hone-rec-XXXXXX").string();
        directory_ = mkdtemp(name.data());
    }
    ~TemporaryFile() {
        std::error_code ignored;
        std::filesystem::remove_all(directory_, ignored);
    }
    std::string path() const { return directory_ + "/record.json"; }
    const std::string& directory() const { return directory_; }

  private:
    std::string directory_;
};

TEST(Record, SamplesAreGatheredByName) {
    const RunRecord record = sample_record();
    ASSERT_NE(record.metric("ttft_ms"), nullptr);
    EXPECT_EQ(record.metric("ttft_ms")->samples, (std::vector<double>{12.5, kFailed}));
    EXPECT_EQ(record.metric("itl_ms")->unit, "ms");
    EXPECT_EQ(record.metric("ttft"), nullptr);
}

TEST(Record, JsonRoundTripKeepsEverything) {
    const RunRecord record = sample_record();
    const Json json = to_json(record);
    const auto parsed = base::parse_json(base::dump_json(json));
    ASSERT_TRUE(parsed.has_value());
    const auto read = record_from_json(*parsed);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(to_json(*read), json);
    EXPECT_TRUE(read->unknown->empty());
    EXPECT_EQ(read->context.seed, 0xffffffffffffffffull);
    EXPECT_FALSE(read->context.warm);
    EXPECT_EQ(read->requests[0].total_ns, kFailed);
    EXPECT_EQ(read->operators[1].compute_mean_ns, 9e8);
    EXPECT_EQ(read->model.bytes_by_dtype.at("q4_1"), 1ull << 40);
    EXPECT_EQ(read->experiments[0].values->at("ratio"), 1.5);
    EXPECT_FALSE(read->interference.major_faults.has_value());
    EXPECT_EQ(read->interference.steal_share, 0.0);
    EXPECT_EQ(read->memory.peak_rss_bytes, 5000u);
    const Json empty = to_json(RunRecord{});
    EXPECT_EQ(to_json(*record_from_json(empty)), empty);
}

TEST(Record, AbsentIsNullAndFailedIsInfinite) {
    const Json json = to_json(sample_record());
    EXPECT_TRUE(json.at("interference").at("major_faults").is_null());
    EXPECT_TRUE(to_json(RunRecord{}).at("timing_overhead_share").is_null());
    EXPECT_EQ(json.at("metrics").at(0).at("samples").at(1), "+inf");
    EXPECT_EQ(json.at("requests").at(0).at("token_gap_ns").at(2), "+inf");
    EXPECT_EQ(json.at("schema"), kRecordSchema);
}

TEST(Record, FieldsOfANewerWriterAreKeptAndWrittenBack) {
    Json json = to_json(sample_record());
    json["energy"] = {{"joules", 5}};
    json["context"]["tenant"] = "a";
    json["machine"]["facts"]["microcode"] = 7;
    json["interference"]["irq_share"] = 0.5;
    json["operators"][0]["cache_misses"] = 9;
    auto read = record_from_json(json);
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(read->unknown->size(), 4u);
    read->context.scenario = "batch";
    const Json again = to_json(*read);
    EXPECT_EQ(again.at("energy").at("joules"), 5);
    EXPECT_EQ(again.at("context").at("tenant"), "a");
    EXPECT_EQ(again.at("context").at("scenario"), "batch");
    EXPECT_EQ(again.at("machine").at("facts").at("microcode"), 7);
    EXPECT_EQ(again.at("interference").at("irq_share"), 0.5);
    // Rows have no identity to keep foreign fields by.
    EXPECT_FALSE(again.at("operators").at(0).contains("cache_misses"));
    const auto third = record_from_json(again);
    ASSERT_TRUE(third.has_value());
    EXPECT_EQ(*third->unknown, *read->unknown);
}

TEST(Record, UnknownNeverReplacesWhatIsKnown) {
    RunRecord record = sample_record();
    record.unknown = Json{{"schema", 99}, {"context", {{"batch", 77}}}, {"memory", 3}};
    EXPECT_EQ(to_json(record).at("schema"), 1);
    EXPECT_EQ(to_json(record).at("context").at("batch"), 1);
    EXPECT_TRUE(to_json(record).at("memory").is_object());
    record.unknown = Json::array({1});
    EXPECT_EQ(to_json(record), to_json(sample_record()));
}

TEST(Record, AnOlderWriterMayLackFields) {
    const auto minimal = record_from_json(Json{{"schema", 1}});
    ASSERT_TRUE(minimal.has_value()) << minimal.error().message;
    EXPECT_EQ(minimal->context.batch, 1);
    EXPECT_TRUE(minimal->context.warm);
    const auto row = record_from_json(*base::parse_json(
        R"({"schema": 1, "nodes": [{"index": 4, "kind": "linear"}],
            "operators": [{"node": 4, "slice": "decode", "calls": 2, "compute_ns": 8}]})"));
    ASSERT_TRUE(row.has_value()) << row.error().message;
    EXPECT_EQ(row->nodes[0].layer, -1);
    EXPECT_EQ(row->operators[0].compute_mean_ns, 8);
}

TEST(Record, ANewerSchemaIsRefused) {
    Json json = to_json(sample_record());
    json["schema"] = kRecordSchema + 1;
    json["context"] = "something else by then";
    EXPECT_NE(error_of(json, ErrorCode::unsupported).find("newer"), std::string::npos);
    json["schema"] = 0;
    EXPECT_EQ(error_of(json), "$.schema: 0 is no schema");
    json["schema"] = "1";
    EXPECT_EQ(error_of(json), "$.schema: expected a whole number of 32 bits, got string");
}

struct Broken {
    const char* message;
    std::function<void(Json&)> change;
};

TEST(Record, BrokenRecordsNameTheField) {
    const std::vector<Broken> table = {
        {"$: expected an object, got array", [](Json& j) { j = Json::array(); }},
        {"$: expected an object, got null", [](Json& j) { j = nullptr; }},
        {"$: expected an object, got number", [](Json& j) { j = 1; }},
        {"$.schema: missing", [](Json& j) { j.erase("schema"); }},
        {"$.build: expected a string, got number", [](Json& j) { j["build"] = 3; }},
        {"$.context: expected an object, got array",
         [](Json& j) {
             j["context"] = {1, 2};
         }},
        {"$.context.batch: expected a whole number of 32 bits, got number",
         [](Json& j) { j["context"]["batch"] = 1e300; }},
        {"$.context.seed: expected a whole number, not negative, got number",
         [](Json& j) { j["context"]["seed"] = -1; }},
        {"$.context.warm: expected true or false, got string",
         [](Json& j) { j["context"]["warm"] = "yes"; }},
        {"$.context.price_per_hour: expected a number, got string",
         [](Json& j) { j["context"]["price_per_hour"] = "cheap"; }},
        {"$.machine: expected an object, got string", [](Json& j) { j["machine"] = "here"; }},
        {"$.machine.fingerprint: missing", [](Json& j) { j["machine"].erase("fingerprint"); }},
        {"$.machine.bandwidth[0].gb_per_s: a ceiling must be positive and finite",
         [](Json& j) { j["machine"]["bandwidth"][0]["gb_per_s"] = 0; }},
        {"$.model.bytes_by_dtype: expected a whole number, not negative, got object",
         [](Json& j) { j["model"]["bytes_by_dtype"]["f32"] = "many"; }},
        {"$.load_stage_ms: expected an object, got array",
         [](Json& j) { j["load_stage_ms"] = Json::array(); }},
        {"$.forward_wall_ns: must be finite and not negative",
         [](Json& j) { j["forward_wall_ns"] = "+inf"; }},
        {"$.metrics: expected an array, got object",
         [](Json& j) { j["metrics"] = Json::object(); }},
        {"$.metrics[1]: expected an object, got null", [](Json& j) { j["metrics"][1] = nullptr; }},
        {"$.metrics[0].unit: missing", [](Json& j) { j["metrics"][0].erase("unit"); }},
        {"$.metrics[0].samples: expected a number, got array",
         [](Json& j) { j["metrics"][0]["samples"][1] = "fast"; }},
        {"$.metrics[0].samples: null is no sample",
         [](Json& j) { j["metrics"][0]["samples"][1] = nullptr; }},
        {"$.nodes[1].kind: missing", [](Json& j) { j["nodes"][1].erase("kind"); }},
        {"$.nodes[1].index: 0 appears twice", [](Json& j) { j["nodes"][1]["index"] = 0; }},
        {"$.operators[1].node: no node has index 9",
         [](Json& j) { j["operators"][1]["node"] = 9; }},
        {"$.operators[0].calls: expected a whole number, not negative, got number",
         [](Json& j) { j["operators"][0]["calls"] = 1.5; }},
        {"$.operators[0].compute_ns: must be finite and not negative",
         [](Json& j) { j["operators"][0]["compute_ns"] = nullptr; }},
        {"$.operators[0].barrier_ns: must be finite and not negative",
         [](Json& j) { j["operators"][0]["barrier_ns"] = -1; }},
        {"$.requests[0].phase: missing", [](Json& j) { j["requests"][0].erase("phase"); }},
        {"$.requests[0].stage_ns: expected an object, got array",
         [](Json& j) {
             j["requests"][0]["stage_ns"] = {1, 2};
         }},
        {"$.experiments[0].valid: expected true or false, got null",
         [](Json& j) { j["experiments"][0]["valid"] = nullptr; }},
        {"$.interference.major_faults: expected a whole number, not negative, got number",
         [](Json& j) { j["interference"]["major_faults"] = -5; }},
        {"$.memory.kv_bytes: expected a whole number, not negative, got null",
         [](Json& j) { j["memory"]["kv_bytes"] = nullptr; }},
    };
    for (const Broken& broken : table) {
        Json json = to_json(sample_record());
        broken.change(json);
        EXPECT_EQ(error_of(json), broken.message);
    }
}

TEST(Record, FilesRoundTrip) {
    const TemporaryFile file;
    ASSERT_TRUE(write_record(sample_record(), file.path()).has_value());
    const auto read = read_record(file.path());
    ASSERT_TRUE(read.has_value()) << read.error().message;
    EXPECT_EQ(to_json(*read), to_json(sample_record()));
    EXPECT_EQ(read_record(file.directory() + "/none").error().code, ErrorCode::not_found);
    EXPECT_FALSE(read_record(file.directory()).has_value());
    EXPECT_FALSE(write_record(sample_record(), file.directory() + "/no/such").has_value());
}

// Any prefix of a good file is an error and nothing worse.
TEST(Record, TruncatedFilesAreRefused) {
    const TemporaryFile file;
    const std::string whole = base::dump_json(to_json(sample_record()), -1);
    for (size_t size = 0; size < whole.size(); size += 1 + whole.size() / 100) {
        ASSERT_TRUE(base::write_file(file.path(), whole.substr(0, size)).has_value());
        const auto read = read_record(file.path());
        ASSERT_FALSE(read.has_value()) << size;
        EXPECT_EQ(read.error().code, ErrorCode::corrupt) << size;
    }
}

// Every value of a good record replaced in turn by each of some odd ones: refused or accepted, and
// what is accepted can be written and read again.
TEST(Record, MutatedRecordsNeverBreakTheReader) {
    const Json whole = to_json(sample_record());
    const Json flat = whole.flatten();
    const std::vector<Json> odd = {nullptr,
                                   true,
                                   -1,
                                   1e308,
                                   "",
                                   "+inf",
                                   Json::array(),
                                   Json::object(),
                                   18446744073709551615ull};
    size_t accepted = 0;
    size_t refused = 0;
    for (const auto& [pointer, value] : flat.items()) {
        for (const Json& replacement : odd) {
            Json json = whole;
            json[Json::json_pointer(pointer)] = replacement;
            const auto read = record_from_json(json);
            if (!read) {
                ++refused;
                EXPECT_EQ(read.error().message.substr(0, 1), "$") << pointer;
                continue;
            }
            ++accepted;
            const auto again = record_from_json(to_json(*read));
            EXPECT_TRUE(again.has_value()) << pointer << " " << replacement;
        }
    }
    EXPECT_GT(accepted, 100u);
    EXPECT_GT(refused, 500u);
}

TEST(Record, HugeDeepAndManyAreLimited) {
    const TemporaryFile file;
    const auto code_of = [&](const std::string& text) {
        EXPECT_TRUE(base::write_file(file.path(), text).has_value());
        const auto read = read_record(file.path());
        return read ? ErrorCode::internal : read.error().code;
    };
    EXPECT_EQ(code_of("{\"schema\": 1, \"x\": \"" + std::string(kRecordBytesMax, 'a') + "\"}"),
              ErrorCode::exhausted);
    EXPECT_EQ(code_of("{\"schema\": 1, \"x\": " + std::string(100000, '[')), ErrorCode::exhausted);
    std::string keys = "{\"schema\": 1";
    for (int i = 0; i < 200000; ++i) keys += ",\"k" + std::to_string(i) + "\":0";
    EXPECT_EQ(code_of(keys + "}"), ErrorCode::exhausted);
    EXPECT_EQ(code_of(R"({"schema": 1, "operators": [)" + std::string(1000, ' ')),
              ErrorCode::corrupt);
    std::string rows = R"({"schema": 1, "requests": [{})";
    for (int i = 0; i < 500000; ++i) rows += ",{}";
    EXPECT_EQ(code_of(rows + "]}"), ErrorCode::corrupt);
    EXPECT_EQ(code_of(std::string(1000, '\0')), ErrorCode::corrupt);
    EXPECT_EQ(code_of("{\"schema\": 1, \"build\": \"\xff\xfe\"}"), ErrorCode::corrupt);
    EXPECT_EQ(code_of("{\"schema\": 1e400}"), ErrorCode::corrupt);
}

TEST(Record, ALongRunStaysBelowTheLimitAndTooLongOnesAreNotWritten) {
    const TemporaryFile file;
    RunRecord record = sample_record();
    // 400 nodes, three slice kinds, eight buckets.
    record.nodes.clear();
    record.operators.clear();
    for (uint32_t node = 0; node < 400; ++node) {
        record.nodes.push_back({node, "blk.12.attention_output", "linear", "u4m/avx512vnni", 12});
        for (uint32_t group = 0; group < 24; ++group) {
            record.operators.push_back({node, "prefill", group * 256, 1000, 64000, 123456789.125,
                                        123456789.5, 1234567.25, 12345.5, 1e12, 2e12});
        }
    }
    ASSERT_TRUE(write_record(record, file.path()).has_value());
    EXPECT_TRUE(read_record(file.path()).has_value());

    record.context.command.assign(kRecordBytesMax, 'x');
    const std::string other = file.directory() + "/other.json";
    const auto status = write_record(record, other);
    ASSERT_FALSE(status.has_value());
    EXPECT_EQ(status.error().code, ErrorCode::exhausted);
    EXPECT_FALSE(std::filesystem::exists(other));
}

}  // namespace
}  // namespace hone::measure
