#include "probe/profile_cache.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "base/json.h"
#include "base/text.h"
#include "kernels/ceiling/ceiling.h"

namespace hone::probe {
namespace {

class ProfileCacheTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = ::testing::TempDir() + "hone_profile_cache_XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
        facts_.cpu_model = "Test CPU";
        facts_.cpus_allowed = 1;
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    machine::MachineProfile profile() const {
        machine::MachineProfile profile;
        profile.facts = facts_;
        profile.fingerprint = machine::machine_fingerprint(facts_);
        profile.measured_at = "2026-01-01T00:00:00Z";
        profile.bandwidth.push_back({1 << 20, 1, 20.0, 21.0});
        profile.peaks.push_back({"int8_dot", "portable", 1, 50.0});
        return profile;
    }
    CeilingOptions tiny() const {
        CeilingOptions options;
        options.threads = {1};
        options.working_sets = {16 << 10};
        options.budget_s = 0;
        options.whole = false;
        options.run_delay_share_max = 1e9;  // the machine that tests may be busy
        options.faster_ratio_max = 1e9;     // and less so a moment later
        return options;
    }

    std::string directory_;
    machine::MachineFacts facts_;
};

TEST_F(ProfileCacheTest, KeepsAndFinds) {
    const ProfileCache cache(directory_ + "/deep/er");
    EXPECT_FALSE(cache.load(facts_).has_value());
    ASSERT_TRUE(cache.save(profile()));
    machine::MachineFacts now = facts_;
    now.memory_available_bytes = 123;
    const auto found = cache.load(now);
    ASSERT_TRUE(found.has_value());
    EXPECT_EQ(found->bandwidth.size(), 1u);
    EXPECT_EQ(found->measured_at, "2026-01-01T00:00:00Z");
    EXPECT_EQ(found->facts.memory_available_bytes, 123u) << "facts are those of now";
}

TEST_F(ProfileCacheTest, CorruptFilesAreNoCache) {
    const ProfileCache cache(directory_);
    const std::string file = cache.path(machine::machine_fingerprint(facts_));
    const std::string whole = base::dump_json(machine::to_json(profile()));
    for (const std::string& content :
         {std::string(), std::string("{"), std::string("[]"), std::string("{\"peaks\": 3}"),
          whole.substr(0, whole.size() / 2), std::string(2 << 20, '['), std::string("\0\xff", 2)}) {
        ASSERT_TRUE(base::write_file(file, content));
        EXPECT_FALSE(cache.load(facts_).has_value()) << content.substr(0, 20);
    }
    std::filesystem::remove(file);
    std::filesystem::create_directory(file);
    EXPECT_FALSE(cache.load(facts_).has_value()) << "a directory in place of the file";
}

TEST_F(ProfileCacheTest, ForeignAndUnmeasuredProfilesAreNoCache) {
    const ProfileCache cache(directory_);
    const std::string file = cache.path(machine::machine_fingerprint(facts_));
    machine::MachineProfile foreign = profile();
    foreign.fingerprint = "another";
    ASSERT_TRUE(base::write_file(file, base::dump_json(machine::to_json(foreign))));
    EXPECT_FALSE(cache.load(facts_).has_value());

    machine::MachineProfile bare = profile();
    bare.bandwidth.clear();
    ASSERT_TRUE(cache.save(bare));
    EXPECT_FALSE(cache.load(facts_).has_value());

    ASSERT_TRUE(cache.save(profile()));
    EXPECT_TRUE(cache.load(facts_).has_value());
    machine::MachineFacts other = facts_;
    other.cpu_model = "Other CPU";
    EXPECT_FALSE(cache.load(other).has_value());
}

TEST_F(ProfileCacheTest, MeasuresOnceThenReadsThenRefreshes) {
    const base::SteadyClock clock;
    const ProfileCache cache(directory_);
    const auto isa = machine::Isa::portable;
    const auto first = ceilings_of_machine(facts_, isa, clock, cache, false, tiny());
    ASSERT_TRUE(first) << first.error().message;
    EXPECT_FALSE(first->from_cache);
    EXPECT_EQ(first->cache_note, "");
    const auto second = ceilings_of_machine(facts_, isa, clock, cache, false, tiny());
    ASSERT_TRUE(second);
    EXPECT_TRUE(second->from_cache);
    const auto third = ceilings_of_machine(facts_, isa, clock, cache, true, tiny());
    ASSERT_TRUE(third);
    EXPECT_FALSE(third->from_cache);
}

TEST_F(ProfileCacheTest, ProfilesBelowWhatTheMachineGivesAreMeasuredAnew) {
    const base::SteadyClock clock;
    const ProfileCache cache(directory_);
    const auto isa = machine::Isa::portable;
    ASSERT_TRUE(ceilings_of_machine(facts_, isa, clock, cache, false, tiny()));
    machine::MachineProfile stored = *cache.load(facts_);
    CeilingOptions options = tiny();
    options.faster_ratio_max = 1.2;
    for (const double gb_per_s : {0.001, 1e6}) {
        stored.bandwidth.front().gb_per_s = gb_per_s;
        ASSERT_TRUE(cache.save(stored));
        const auto found = ceilings_of_machine(facts_, isa, clock, cache, false, options);
        ASSERT_TRUE(found);
        EXPECT_EQ(found->from_cache, gb_per_s == 1e6);
    }
}

TEST_F(ProfileCacheTest, ProfilesOfABusyMachineAreNotKept) {
    const base::SteadyClock clock;
    const ProfileCache cache(directory_);
    CeilingOptions options = tiny();
    options.run_delay_share_max = -1;
    const auto isa = machine::Isa::portable;
    const auto measured = ceilings_of_machine(facts_, isa, clock, cache, false, options);
    ASSERT_TRUE(measured);
    EXPECT_TRUE(measured->profile.has_ceilings());
    EXPECT_NE(measured->cache_note, "");
    EXPECT_FALSE(cache.load(facts_).has_value());
}

TEST_F(ProfileCacheTest, AProfileOfALowerLevelIsMeasuredAnew) {
    const auto isa = machine::detect_isa();
    if (isa == machine::Isa::portable) GTEST_SKIP() << "this CPU has only the lowest level";
    const base::SteadyClock clock;
    const ProfileCache cache(directory_);
    ASSERT_TRUE(cache.save(profile()));
    const auto measured = ceilings_of_machine(facts_, isa, clock, cache, false, tiny());
    ASSERT_TRUE(measured);
    EXPECT_FALSE(measured->from_cache);
}

TEST_F(ProfileCacheTest, AnUnwritablePlaceIsANoteNotAnError) {
    const base::SteadyClock clock;
    ASSERT_TRUE(base::write_file(directory_ + "/file", "x"));
    const ProfileCache cache(directory_ + "/file/sub");
    const auto measured =
        ceilings_of_machine(facts_, machine::Isa::portable, clock, cache, false, tiny());
    ASSERT_TRUE(measured);
    EXPECT_NE(measured->cache_note, "");
}

TEST_F(ProfileCacheTest, WithoutADirectoryNothingIsKept) {
    const ProfileCache cache("");
    EXPECT_TRUE(cache.save(profile()));
    EXPECT_FALSE(cache.load(facts_).has_value());
}

TEST_F(ProfileCacheTest, FileNamesHoldNoPathOfTheFingerprint) {
    const ProfileCache cache("/d");
    EXPECT_EQ(cache.path("../a b"), "/d/machine-___a_b.json");
}

}  // namespace
}  // namespace hone::probe
