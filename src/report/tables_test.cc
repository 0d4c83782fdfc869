// The reports of bench, cache, machine and inspect.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <limits>

#include "base/json.h"
#include "base/text.h"
#include "diagnose/fake_record.h"
#include "report/bench_report.h"
#include "report/cache_report.h"
#include "report/inspect_report.h"
#include "report/machine_report.h"

namespace hone::report {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

void expect_fits(const std::string& text, size_t width) {
    for (const auto line : base::split(text, '\n')) EXPECT_LE(display_width(line), width) << line;
}

measure::RunRecord bench_record() {
    measure::RunRecord record = cost::fake_record();
    record.context.prompt_tokens = 512;
    record.context.output_tokens = 128;
    for (int i = 0; i < 10; ++i) {
        record.metrics.resize(3);
        record.metrics[0].name = "prefill_tokens_per_s";
        record.metrics[0].unit = "tokens/s";
        record.metrics[0].samples.push_back(500 + i);
        record.metrics[1].name = "decode_tokens_per_s";
        record.metrics[1].unit = "tokens/s";
        record.metrics[1].samples.push_back(100 + i);
    }
    record.metrics[2] = {"weights_bytes", "bytes", {90e6}};
    return record;
}

TEST(Cache, SaysWhatGoesAndWhatStays) {
    const auto row = [](const char* name, const char* about, uint64_t bytes, double days,
                        CacheFate fate) {
        return CacheRow{
            {"/cache/packed/" + std::string(name), name, bytes, days * 86400, false}, about, fate};
    };
    CacheState cache{"/cache", {{"packed", "/cache/packed", uint64_t{1} << 30, {}}}};
    cache.kinds[0].rows = {row("a.packed", "old.gguf", 3 << 20, 40, CacheFate::removed),
                           row("b.packed", "", 2 << 20, 1, CacheFate::in_use),
                           row("c.packed", "new.gguf", 1 << 20, 0, CacheFate::kept)};
    cache.foreign = {"notes"};
    const std::string list = render_cache(cache, Style());
    EXPECT_THAT(list, HasSubstr("6.00 MiB of 1.00 GiB at most"));
    EXPECT_THAT(list, HasSubstr("40 d"));
    EXPECT_THAT(list, HasSubstr("left alone: notes"));
    expect_fits(list, 100);
    const std::string cleaning = render_cleaning(cache, Style());
    EXPECT_THAT(cleaning, HasSubstr("removed packed/a.packed (old.gguf; 3.00 MiB"));
    EXPECT_THAT(cleaning, HasSubstr("in use, left: packed/b.packed"));
    EXPECT_THAT(cleaning, HasSubstr("3.00 MiB go, 3.00 MiB stay"));
    EXPECT_THAT(cleaning, Not(HasSubstr("c.packed")));
    const auto json = cleaning_json(cache, false);
    EXPECT_EQ(json["gone_bytes"], 3 << 20);
    EXPECT_EQ(json["left_bytes"], 3 << 20);
    EXPECT_EQ(json["files"].size(), 2u);
    EXPECT_EQ(json["files"][1]["fate"], "in_use");
    EXPECT_TRUE(json["files"][1]["about"].is_null());
    EXPECT_EQ(cache_json(cache)["kinds"][0]["bytes"], 6 << 20);
}

TEST(BenchJson, HasTheStableShape) {
    const auto json = bench_json(bench_record());
    for (const char* key : {"schema", "machine", "model", "signature", "metrics"}) {
        EXPECT_TRUE(json.contains(key)) << key;
    }
    ASSERT_EQ(json["metrics"].size(), 3u);
    for (const auto& metric : json["metrics"]) {
        for (const char* key : {"name", "unit", "median", "ci95", "n", "samples"}) {
            EXPECT_TRUE(metric.contains(key)) << key;
        }
    }
    EXPECT_EQ(json["metrics"][0]["name"], "prefill_tokens_per_s");
    EXPECT_EQ(json["metrics"][0]["ci95"].size(), 2u);
    EXPECT_EQ(json["metrics"][0]["n"], 10);
    EXPECT_TRUE(json["metrics"][2]["ci95"].is_null());  // below 6 samples
    EXPECT_TRUE(json["cost"]["price_per_hour"].is_null());
    EXPECT_TRUE(json["cost"]["cost_per_1k_tokens"].is_null());
}

TEST(BenchJson, FailedIsTextInfinity) {
    auto record = bench_record();
    record.metrics = {{"ttft_ms", "ms", {std::numeric_limits<double>::infinity()}}};
    EXPECT_EQ(bench_json(record)["metrics"][0]["median"], "+inf");
}

TEST(TokenCost, IsPriceOverRate) {
    auto record = bench_record();
    EXPECT_FALSE(token_cost(record).prompt_per_1k);
    record.context.price_per_hour = 3.6;
    const TokenCost cost = token_cost(record);
    EXPECT_NEAR(*cost.prompt_per_1k, 1.0 / 504.5, 1e-9);
    EXPECT_NEAR(*cost.output_per_1k, 1.0 / 104.5, 1e-9);
    EXPECT_NEAR(*cost.mixed_per_1k, (512 / 504.5 + 128 / 104.5) / 640, 1e-9);
    record.metrics.clear();
    EXPECT_FALSE(token_cost(record).output_per_1k);
}

TEST(BenchReport, TellsTheMetricsAndTheCost) {
    auto record = bench_record();
    Style style;
    std::string text = render_bench(record, style);
    EXPECT_THAT(text, HasSubstr("model.gguf"));
    EXPECT_THAT(text, HasSubstr("504.5"));
    EXPECT_THAT(text, HasSubstr("85.8 MiB"));
    EXPECT_THAT(text, HasSubstr("no price"));
    record.context.price_per_hour = 3.6;
    EXPECT_THAT(render_bench(record, style), HasSubstr("at 3.6 EUR/h"));
    record.metrics.clear();
    EXPECT_THAT(render_bench(record, style), HasSubstr("no metrics were measured"));
    for (const int width : {40, 80, 120}) {
        style.width = width;
        expect_fits(render_bench(bench_record(), style), static_cast<size_t>(width));
    }
}

TEST(MachineReport, ShowsFactsCeilingsAndRoofline) {
    Style style;
    const std::string text = render_machine(cost::fake_machine(), style);
    EXPECT_THAT(text, HasSubstr("Example CPU"));
    EXPECT_THAT(text, HasSubstr("256 MiB"));
    EXPECT_THAT(text, HasSubstr("int8_dot avx2"));
    EXPECT_THAT(text, HasSubstr("2 threads"));
    EXPECT_THAT(text, HasSubstr("Roofline"));
    EXPECT_THAT(text, HasSubstr("========"));
    EXPECT_THAT(text, HasSubstr("\n           0.25"));
    EXPECT_THAT(text, HasSubstr("barrier"));
    for (const int width : {40, 80, 120}) {
        style.width = width;
        style.unicode = style.colour = true;
        expect_fits(render_machine(cost::fake_machine(), style), static_cast<size_t>(width));
    }
}

TEST(MachineReport, WithoutCeilingsSaysHowToGetThem) {
    machine::MachineProfile profile = cost::fake_machine();
    profile.peaks.clear();
    const std::string text = render_machine(profile, Style{});
    EXPECT_THAT(text, HasSubstr("hone machine --refresh"));
    EXPECT_THAT(text, Not(HasSubstr("Roofline")));
    EXPECT_FALSE(render_machine(machine::MachineProfile{}, Style{}).empty());
}

InspectRow inspect_row(const std::string& file) {
    InspectRow row;
    row.file = file;
    row.name = "Example";
    row.architecture = "llama";
    row.parameters = 135'000'000;
    row.file_bytes = 98'000'000;
    row.bytes_by_dtype = {{"q4_1", 80'000'000}, {"f32", 1'000'000}};
    row.context_max = 8192;
    row.layers = 30;
    row.context = 2048;
    row.kv_bytes_per_token = 23040;
    row.decode_light_tokens_per_s = 250;
    return row;
}

TEST(InspectReport, PutsModelsSideBySide) {
    const std::vector<InspectRow> rows = {inspect_row("a.gguf"), inspect_row("b.gguf")};
    const std::string text = render_inspect(rows, Style{});
    EXPECT_THAT(text, HasSubstr("a.gguf"));
    EXPECT_THAT(text, HasSubstr("b.gguf"));
    EXPECT_THAT(text, HasSubstr("135 M"));
    EXPECT_THAT(text, HasSubstr("0.02304"));
    EXPECT_THAT(text, HasSubstr("as q4_1"));
    EXPECT_THAT(text, Not(HasSubstr("load time")));  // not available for any of them
}

TEST(InspectReport, ManyModelsGoBelowEachOther) {
    std::vector<InspectRow> rows;
    for (int i = 0; i < 7; ++i) rows.push_back(inspect_row(fmt::format("model-{}.gguf", i)));
    for (const int width : {40, 80, 120}) {
        Style style;
        style.width = width;
        const std::string text = render_inspect(rows, style);
        expect_fits(text, static_cast<size_t>(width));
        for (int i = 0; i < 7; ++i) EXPECT_THAT(text, HasSubstr(fmt::format("model-{}", i)));
    }
    EXPECT_EQ(render_inspect({}, Style{}), "");
}

TEST(InspectJson, AbsentIsNull) {
    const std::vector<InspectRow> rows = {inspect_row("a.gguf")};
    const auto json = inspect_json(rows);
    ASSERT_EQ(json.size(), 1u);
    EXPECT_TRUE(json[0]["load_ms"].is_null());
    EXPECT_EQ(json[0]["kv_bytes_per_token"], 23040);
    EXPECT_EQ(json[0]["bytes_by_dtype"]["q4_1"], 80'000'000);
}

}  // namespace
}  // namespace hone::report
