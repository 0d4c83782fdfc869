#include "runtime/packed_cache.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cstring>
#include <ctime>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <utility>
#include <vector>

#include "runtime/packed_file.h"

namespace hone::runtime {
namespace {

namespace fs = std::filesystem;

constexpr size_t kBytes = (size_t{5} << 20) + 64;  // a map of its own, in two pieces

class PackedCacheTest : public ::testing::Test {
  protected:
    void SetUp() override {
        directory_ = fs::path(::testing::TempDir()) / ("hone_packed_" + std::to_string(getpid()));
        fs::remove_all(directory_);
        options_.directory = directory_ / "packed";
        options_.mode = PackedCacheMode::on;
        team_ = std::move(*machine::ThreadTeam::create({2}));
    }
    void TearDown() override { fs::remove_all(directory_); }

    PackedCache cache(const std::string& identity = "model\n") {
        const auto told = [this, identity] {
            ++identities_told_;
            return identity;
        };
        return PackedCache(options_, told, clock_);
    }

    static tensor::Buffer packed(std::byte value = std::byte{9}, size_t bytes = kBytes) {
        auto buffer = std::move(*tensor::Buffer::allocate(bytes));
        std::memset(buffer.data(), static_cast<int>(value), bytes);
        return buffer;
    }

    // Keeps bytes of that value; the file's path.
    fs::path keep(const std::string& identity, std::byte value = std::byte{9}) {
        PackedCache store = cache(identity);
        EXPECT_FALSE(store.find("layout\n", kBytes, *team_));
        tensor::Buffer memory = packed(value);
        const auto kept = store.keep("layout\n", memory, *team_);
        EXPECT_TRUE(kept && *kept) << store.note();
        return kept && *kept ? fs::path((*kept)->path()) : fs::path();
    }

    static void set_used(const fs::path& path, int hours_ago) {
        const timespec then{time(nullptr) - hours_ago * 3600, 0};
        const timespec times[] = {then, then};
        ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
    }

    std::vector<std::string> files() const {
        std::vector<std::string> names;
        for (const auto& entry : fs::directory_iterator(options_.directory)) {
            names.push_back(entry.path().filename());
        }
        return names;
    }

    fs::path directory_;
    PackedCacheOptions options_;
    base::VirtualClock clock_;
    int identities_told_ = 0;
    std::unique_ptr<machine::ThreadTeam> team_;
};

TEST_F(PackedCacheTest, FindsWhatItKept) {
    const fs::path path = keep("model\n", std::byte{5});
    PackedCache store = cache();
    const auto found = store.find("layout\n", kBytes, *team_);
    ASSERT_TRUE(found);
    EXPECT_EQ(store.note(), "");
    EXPECT_EQ(found->path(), path);
    for (const std::byte byte : found->bytes().first(kBytes)) ASSERT_EQ(byte, std::byte{5});
    EXPECT_EQ(files().size(), 1u) << "no temporary file is left";
}

TEST_F(PackedCacheTest, GivesMemoryBackWhereTheFileTakesItsPlace) {
    PackedCache store = cache();
    ASSERT_FALSE(store.find("layout\n", kBytes, *team_));
    tensor::Buffer memory = packed();
    const auto kept = store.keep("layout\n", memory, *team_);
    ASSERT_TRUE(kept && *kept);
    EXPECT_TRUE(store.store_ms());
    EXPECT_EQ((*kept)->bytes()[4096], std::byte{9});
    EXPECT_EQ(memory.data()[4096], std::byte{0});
}

TEST_F(PackedCacheTest, OtherModelsLayoutsAndSizesAreOthers) {
    keep("model\n");
    EXPECT_FALSE(cache("another\n").find("layout\n", kBytes, *team_));
    EXPECT_FALSE(cache().find("another\n", kBytes, *team_));
    PackedCache store = cache();
    EXPECT_FALSE(store.find("layout\n", kBytes + 64, *team_));
    EXPECT_NE(store.note(), "") << "the same description with another size is damage";
}

// A file under the right name whose description is not the one asked for: two hashes that agree,
// or somebody who renamed it.
TEST_F(PackedCacheTest, ARenamedFileIsNotTaken) {
    const fs::path one = keep("model\n", std::byte{1});
    const fs::path two = keep("another\n", std::byte{2});
    fs::rename(one, two);
    PackedCache store = cache("another\n");
    EXPECT_FALSE(store.find("layout\n", kBytes, *team_));
    EXPECT_NE(store.note().find("another model"), std::string::npos) << store.note();
}

TEST_F(PackedCacheTest, BrokenFilesAreNotedOnceAndDeleted) {
    const auto break_at = [](const fs::path& path, std::streamoff at) {
        std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
        file.seekp(at);
        file.put('\x55');
    };
    const std::vector<std::function<void(const fs::path&)>> damages = {
        [&](const fs::path& path) { break_at(path, 4097); },
        [&](const fs::path& path) { break_at(path, static_cast<std::streamoff>(kBytes) - 1); },
        [&](const fs::path& path) { break_at(path, static_cast<std::streamoff>(kBytes) + 3); },
        [](const fs::path& path) { fs::resize_file(path, kBytes); },
        [](const fs::path& path) { fs::resize_file(path, 0); },
        [](const fs::path& path) { fs::resize_file(path, kBytes + 4096); },
        [](const fs::path& path) { std::ofstream(path) << std::string(5000, 'x'); },
    };
    for (size_t i = 0; i < damages.size(); ++i) {
        SCOPED_TRACE(i);
        const fs::path path = keep("model\n");
        damages[i](path);
        PackedCache store = cache();
        EXPECT_FALSE(store.find("layout\n", kBytes, *team_));
        EXPECT_NE(store.note().find(path.filename().string()), std::string::npos) << store.note();
        EXPECT_EQ(store.note().find('\n'), std::string::npos);
        EXPECT_FALSE(fs::exists(path));
        PackedCache again = cache();
        EXPECT_FALSE(again.find("layout\n", kBytes, *team_));
        EXPECT_EQ(again.note(), "");
    }
}

TEST_F(PackedCacheTest, TheModelIsReadOnlyWhereAFileCouldBeOfIt) {
    options_.mode = PackedCacheMode::automatic;
    const auto told = [&](const std::string& layout) {
        const int before = identities_told_;
        PackedCache store = cache("other\n");
        EXPECT_FALSE(store.find(layout, kBytes, *team_));
        tensor::Buffer memory = packed();
        EXPECT_FALSE(*store.keep(layout, memory, *team_));  // took no time
        return identities_told_ - before;
    };
    EXPECT_EQ(told("layout\n"), 0);
    options_.mode = PackedCacheMode::on;
    keep("model\n");
    EXPECT_EQ(identities_told_, 1) << "for the file's name, once";
    options_.mode = PackedCacheMode::automatic;
    EXPECT_EQ(told("another\n"), 0);
    EXPECT_EQ(told("layout\n"), 1);
    std::ofstream(fs::path(options_.directory) / "0123456789abcdef.packed") << "damaged";
    EXPECT_EQ(told("another\n"), 1);
}

TEST_F(PackedCacheTest, AutomaticKeepsWhatTookLong) {
    options_.mode = PackedCacheMode::automatic;
    for (const auto& [ms, worth] : {std::pair{999, false}, {1000, true}}) {
        PackedCache store = cache("model " + std::to_string(ms));
        ASSERT_FALSE(store.find("layout\n", kBytes, *team_));
        tensor::Buffer memory = packed();
        clock_.advance_ns(int64_t{ms} * 1000000);
        const auto kept = store.keep("layout\n", memory, *team_);
        ASSERT_TRUE(kept);
        EXPECT_EQ(kept->has_value(), worth) << ms;
        EXPECT_EQ(store.store_ms().has_value(), worth);
        EXPECT_EQ(store.note(), "");
        EXPECT_EQ(memory.data()[4096], worth ? std::byte{0} : std::byte{9});
    }
}

TEST_F(PackedCacheTest, TheFileNotUsedForLongestGoesFirst) {
    options_.bytes_max = 3 * kBytes - kBytes / 2;
    const fs::path first = keep("first\n");
    const fs::path second = keep("second\n");
    set_used(first, 3);
    set_used(second, 2);
    ASSERT_TRUE(cache("first\n").find("layout\n", kBytes, *team_)) << "and is used now";
    const fs::path stranger = fs::path(options_.directory) / "notes.txt";
    std::ofstream(stranger) << std::string(kBytes, 'x');
    const fs::path third = keep("third\n");
    EXPECT_TRUE(fs::exists(first));
    EXPECT_FALSE(fs::exists(second));
    EXPECT_TRUE(fs::exists(third));
    EXPECT_TRUE(fs::exists(stranger)) << "is none of the cache's";
}

TEST_F(PackedCacheTest, AbandonedTemporaryFilesGo) {
    fs::create_directories(options_.directory);
    const fs::path fresh = fs::path(options_.directory) / "0123456789abcdef.packed.aaaaaa";
    const fs::path old = fs::path(options_.directory) / "0123456789abcdef.packed.bbbbbb";
    std::ofstream(fresh) << "x";
    std::ofstream(old) << "x";
    set_used(old, 2);
    keep("model\n");
    EXPECT_TRUE(fs::exists(fresh)) << "another process may be writing it";
    EXPECT_FALSE(fs::exists(old));
}

TEST_F(PackedCacheTest, WhatCannotBeKeptStaysInMemory) {
    const auto check = [&](const char* fragment) {
        PackedCache store = cache();
        EXPECT_FALSE(store.find("layout\n", kBytes, *team_));
        tensor::Buffer memory = packed();
        const auto kept = store.keep("layout\n", memory, *team_);
        ASSERT_TRUE(kept);
        EXPECT_FALSE(*kept);
        EXPECT_NE(store.note().find(fragment), std::string::npos) << store.note();
        EXPECT_EQ(memory.data()[4096], std::byte{9});
    };
    options_.bytes_max = kBytes;
    check("limit");
    options_.bytes_max = uint64_t{1} << 30;
    fs::create_directories(directory_);
    std::ofstream(directory_ / "file") << "x";
    options_.directory = directory_ / "file";
    check("file");
}

// The directory may vanish while its files are mapped.
TEST_F(PackedCacheTest, AMappedFileOutlivesItsDirectory) {
    keep("model\n", std::byte{3});
    PackedCache store = cache();
    const auto found = store.find("layout\n", kBytes, *team_);
    ASSERT_TRUE(found);
    fs::remove_all(directory_);
    for (const std::byte byte : found->bytes().first(kBytes)) ASSERT_EQ(byte, std::byte{3});
}

}  // namespace
}  // namespace hone::runtime
