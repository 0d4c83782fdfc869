#include "diagnose/diagnosis.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/json.h"
#include "diagnose/fake_record.h"

namespace hone::diagnose {
namespace {

using base::Json;

void expect_keys(const Json& object, std::initializer_list<const char*> keys) {
    for (const char* key : keys) EXPECT_TRUE(object.contains(key)) << key << " in " << object;
}

TEST(DiagnosisJson, HasTheStableShape) {
    const auto record = experimented_record();
    const Json json = to_json(diagnose(record), record);
    expect_keys(json,
                {"context", "metrics", "decomposition", "attribution", "decisions", "measurement"});
    for (const Json& metric : json["metrics"]) {
        expect_keys(metric, {"name", "unit", "median", "ci95", "n", "samples"});
        EXPECT_TRUE(metric["ci95"].is_null() || metric["ci95"].size() == 2);
        EXPECT_EQ(metric["ci95"].is_null(), metric["n"] < 6);
    }
    expect_keys(json["decomposition"], {"stages", "operators", "sequence", "unattributed_share"});
    EXPECT_TRUE(json["decomposition"]["unattributed_share"].is_number());
    for (const Json& row : json["decomposition"]["operators"]) {
        expect_keys(row, {"kind", "time_share", "calls", "flops", "bytes", "roof_share"});
    }
    const std::set<std::string> classes = {
        "compute_bound",         "memory_bandwidth",    "io",           "startup_overhead",
        "structural_redundancy", "kernel_inefficiency", "interference", "unexplained"};
    for (const Json& item : json["attribution"]) {
        expect_keys(item, {"subject", "class", "confidence", "evidence", "time_share"});
        EXPECT_TRUE(classes.count(item["class"].get<std::string>()));
        EXPECT_GE(item["confidence"].get<double>(), 0);
        EXPECT_LE(item["confidence"].get<double>(), 1);
    }
    for (const Json& card : json["decisions"]) {
        expect_keys(card, {"action", "predicted", "reason", "evidence", "complexity", "risk",
                           "apply", "undo", "available"});
        if (card["predicted"].is_null()) {
            EXPECT_TRUE(card["reason"].is_object()) << card;
        } else {
            expect_keys(card["predicted"], {"metric", "change_percent", "ci95", "better"});
        }
        expect_keys(card["complexity"], {"level", "minutes"});
        expect_keys(card["risk"], {"level", "reversible"});
        EXPECT_TRUE(card["apply"].is_array());
        EXPECT_TRUE(card["undo"].is_array());
        EXPECT_TRUE(card["available"].is_boolean());
    }
    expect_keys(json["measurement"], {"grade", "reasons"});
    EXPECT_EQ(json["measurement"]["grade"], "A");
    EXPECT_FALSE(json["measurement"]["reasons"].empty());
    EXPECT_EQ(json["context"]["slo"][0]["verdict"], "met");
}

TEST(DiagnosisJson, InfinityIsTextAndMissingIsNull) {
    auto record = fake_record();
    for (auto& request : record.requests) {
        request.total_ns = std::numeric_limits<double>::infinity();
    }
    record.operators.clear();
    const Json json = to_json(diagnose(record), record);
    for (const Json& metric : json["metrics"]) {
        if (metric["name"] != "latency_ms") continue;
        EXPECT_EQ(metric["median"], "+inf");
    }
    EXPECT_TRUE(json["decomposition"]["unattributed_share"].is_null());
    EXPECT_TRUE(base::parse_json(base::dump_json(json)));
}

TEST(Diagnosis, IsAPureFunctionOfTheRecord) {
    const auto record = experimented_record();
    EXPECT_EQ(to_json(diagnose(record), record), to_json(diagnose(record), record));
    // Also of one that came through a file.
    const auto back = measure::record_from_json(measure::to_json(record));
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(to_json(diagnose(*back), *back), to_json(diagnose(record), record));
}

TEST(Diagnosis, EmptyRecordIsDiagnosedAsUnknown) {
    const measure::RunRecord record;
    const Diagnosis diagnosis = diagnose(record);
    EXPECT_EQ(diagnosis.measurement.grade, 'D');
    EXPECT_TRUE(diagnosis.attribution.empty());
    EXPECT_TRUE(base::parse_json(base::dump_json(to_json(diagnosis, record))));
}

TEST(Diagnosis, BrokenSloIsSaidNotHidden) {
    auto record = fake_record();
    record.context.slo = "fast";
    const Diagnosis diagnosis = diagnose(record);
    EXPECT_EQ(diagnosis.slo_error.id, "slo_error");
    EXPECT_TRUE(to_json(diagnosis, record)["context"]["slo_error"].is_object());
}

}  // namespace
}  // namespace hone::diagnose
