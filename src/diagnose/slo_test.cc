#include "diagnose/slo.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "diagnose/fake_record.h"

namespace hone::diagnose {
namespace {

TEST(Slo, ReadsTerms) {
    const auto slo = parse_slo(" ttft_p95<200ms, itl_p50 <= 0.04 s,latency_p99.9>5us");
    ASSERT_TRUE(slo) << slo.error().message;
    ASSERT_EQ(slo->terms.size(), 3u);
    EXPECT_EQ(slo->terms[0].metric, "ttft_ms");
    EXPECT_DOUBLE_EQ(slo->terms[0].percentile, 0.95);
    EXPECT_EQ(slo->terms[0].op, "<");
    EXPECT_DOUBLE_EQ(slo->terms[0].limit_ms, 200);
    EXPECT_EQ(slo->terms[1].op, "<=");
    EXPECT_DOUBLE_EQ(slo->terms[1].limit_ms, 40);
    EXPECT_DOUBLE_EQ(slo->terms[2].percentile, 0.999);
    EXPECT_DOUBLE_EQ(slo->terms[2].limit_ms, 0.005);
    EXPECT_TRUE(parse_slo("")->terms.empty());
    EXPECT_TRUE(parse_slo("  ")->terms.empty());
}

TEST(Slo, RefusesBadInputWithOneClearLine) {
    const std::pair<const char*, const char*> cases[] = {
        {"ttft_p95", "no comparison"},
        {"ttft<200ms", "no percentile"},
        {"speed_p95<200ms", "unknown metric 'speed'"},
        {"_p95<200ms", "unknown metric ''"},
        {"ttft_95<200ms", "not a percentile"},
        {"ttft_p<200ms", "not a percentile"},
        {"ttft_p0<200ms", "not a percentile"},
        {"ttft_p100<200ms", "not a percentile"},
        {"ttft_p95x<200ms", "not a percentile"},
        {"ttft_pnan<200ms", "not a percentile"},
        {"ttft_p95<", "not a number"},
        {"ttft_p95<ms", "not a number"},
        {"ttft_p95<-5ms", "not a number"},
        {"ttft_p95<infms", "not a number"},
        {"ttft_p95<=>5ms", "not a number"},
        {"ttft_p95<200", "needs a unit"},
        {"ttft_p95<200 hours", "needs a unit"},
        {"ttft_p95<1e3ms", "needs a unit"},
        {"ttft_p95<0ms", "above zero"},
        {"ttft_p95<99999999999s", "above zero"},
        {"ttft_p95<200ms,", "empty term"},
        {",", "empty term"},
        {"ttft_p95<200ms,,itl_p95<1ms", "empty term"},
        {"ttft_p95=200ms", "no comparison"},
        {"\x01\xff", "no comparison"},
    };
    for (const auto& [text, expected] : cases) {
        const auto slo = parse_slo(text);
        ASSERT_FALSE(slo) << text;
        EXPECT_EQ(slo.error().code, base::ErrorCode::invalid_argument) << text;
        EXPECT_THAT(slo.error().message, ::testing::HasSubstr(expected)) << text;
        EXPECT_EQ(slo.error().message.find('\n'), std::string::npos);
        EXPECT_EQ(slo.error().message.find('\x01'), std::string::npos);
    }
    std::string many = "itl_p95<1ms";
    for (size_t i = 0; i < kSloTermsMax; ++i) many += ",itl_p95<1ms";
    EXPECT_FALSE(parse_slo(many));
}

TEST(Slo, VerdictsNeedTheirSamples) {
    measure::RunRecord record = fake_record();
    const auto slo = parse_slo("ttft_p95<200ms,itl_p95<1ms,ttft_p99<200ms,latency_p50>1s");
    const auto verdicts = judge(*slo, record);
    ASSERT_EQ(verdicts.size(), 4u);
    EXPECT_EQ(verdicts[0].verdict, Verdict::met);
    EXPECT_TRUE(verdicts[0].certain);
    EXPECT_EQ(verdicts[0].n, 72u);
    EXPECT_EQ(verdicts[1].verdict, Verdict::not_met);
    EXPECT_EQ(verdicts[2].verdict, Verdict::not_enough_data);
    EXPECT_EQ(verdicts[2].n_needed, 368u);
    EXPECT_EQ(verdicts[3].verdict, Verdict::not_met);
    record.requests.resize(71);
    EXPECT_EQ(judge(*slo, record)[0].verdict, Verdict::not_enough_data);
    record.requests.clear();
    EXPECT_FALSE(judge(*slo, record)[0].value_ms);
    EXPECT_STREQ(verdict_name(Verdict::not_enough_data), "not_enough_data");
}

}  // namespace
}  // namespace hone::diagnose
