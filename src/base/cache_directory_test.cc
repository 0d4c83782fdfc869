#include "base/cache_directory.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <ctime>
#include <filesystem>
#include <fstream>

namespace hone::base {
namespace {

namespace fs = std::filesystem;

class CacheDirectoryTest : public ::testing::Test {
  protected:
    void SetUp() override {
        std::string name = ::testing::TempDir() + "hone_cache_XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        path_ = name;
        cache_ = {path_, ".packed", 1000, [](std::string_view name) {
                      return name.find_first_not_of("0123456789abcdef") == std::string_view::npos;
                  }};
    }
    void TearDown() override { fs::remove_all(path_); }

    fs::path make(const std::string& name, size_t bytes, int hours) {
        const fs::path path = fs::path(path_) / name;
        std::ofstream(path) << std::string(bytes, 'x');
        set_times(path, hours, hours);
        return path;
    }
    static void set_times(const fs::path& path, int access_hours, int change_hours) {
        const time_t now = time(nullptr);
        const timespec times[] = {{now - access_hours * 3600, 0}, {now - change_hours * 3600, 0}};
        ASSERT_EQ(utimensat(AT_FDCWD, path.c_str(), times, 0), 0);
    }

    static std::vector<std::string> names(const std::vector<CachedFile>& files) {
        std::vector<std::string> out;
        for (const CachedFile& file : files) out.push_back(file.name);
        return out;
    }

    std::string path_;
    CacheDirectory cache_;
};

using Names = std::vector<std::string>;

TEST_F(CacheDirectoryTest, ListsItsOwnOldestFirstAndTheRestByName) {
    make("aa.packed", 10, 1);
    make("bb.packed", 20, 5);
    make("cc.packed.Ab3def", 30, 3);
    make("dd.packed.backup1", 1, 9);  // no name of mkstemp
    make("notes.packed", 1, 9);       // no name of the owner's
    make("notes.txt", 1, 9);
    fs::create_directory(fs::path(path_) / "ee.packed");
    fs::create_symlink("aa.packed", fs::path(path_) / "ff.packed");
    fs::create_symlink("nowhere", fs::path(path_) / "00.packed");
    const auto contents = list_cache(cache_);
    ASSERT_TRUE(contents) << contents.error().message;
    EXPECT_EQ(names(contents->files), (Names{"bb.packed", "cc.packed.Ab3def", "aa.packed"}));
    EXPECT_TRUE(contents->files[1].unfinished);
    EXPECT_EQ(contents->files[0].bytes, 20u);
    EXPECT_NEAR(contents->files[0].unused_s, 5 * 3600, 60);
    EXPECT_EQ(contents->foreign, (Names{"00.packed", "dd.packed.backup1", "ee.packed", "ff.packed",
                                        "notes.packed", "notes.txt"}));
}

TEST_F(CacheDirectoryTest, ReadingIsUseWhereTheOwnerSaysSo) {
    set_times(make("aa.packed", 1, 0), 3, 9);
    set_times(make("bb.packed", 1, 0), 9, 2);
    EXPECT_NEAR(list_cache(cache_)->files[0].unused_s, 9 * 3600, 60);
    cache_.reading_is_use = true;
    const auto files = list_cache(cache_)->files;
    ASSERT_EQ(names(files), (Names{"aa.packed", "bb.packed"}));
    EXPECT_NEAR(files[0].unused_s, 3 * 3600, 60);
    EXPECT_NEAR(files[1].unused_s, 2 * 3600, 60);
    mark_used(files[0].path);
    EXPECT_EQ(names(list_cache(cache_)->files), (Names{"bb.packed", "aa.packed"}));
}

TEST_F(CacheDirectoryTest, AMissingDirectoryIsEmptyAndAFileIsNone) {
    cache_.path = path_ + "/none";
    const auto none = list_cache(cache_);
    ASSERT_TRUE(none);
    EXPECT_TRUE(none->files.empty());
    cache_.path = make("file", 1, 1).string();
    const auto file = list_cache(cache_);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, ErrorCode::unavailable);
}

TEST_F(CacheDirectoryTest, ADirectoryThatIsALinkIsFollowed) {
    make("aa.packed", 10, 1);
    cache_.path = path_ + "/link";
    fs::create_directory_symlink(path_, cache_.path);
    EXPECT_EQ(names(list_cache(cache_)->files), (Names{"aa.packed"}));
}

TEST_F(CacheDirectoryTest, WhatIsChosenIsOldOrTooMuch) {
    make("aa.packed", 100, 1);
    make("bb.packed", 200, 30);
    make("cc.packed", 300, 20);
    const auto files = list_cache(cache_)->files;
    const auto of = [&](std::optional<double> hours, std::optional<uint64_t> keep) {
        if (hours) *hours *= 3600;
        return names(chosen(files, {hours, keep}));
    };
    EXPECT_EQ(of({}, {}), (Names{"bb.packed", "cc.packed", "aa.packed"}));
    EXPECT_EQ(of(25, {}), (Names{"bb.packed"}));
    EXPECT_EQ(of({}, 600), Names{});
    EXPECT_EQ(of({}, 599), (Names{"bb.packed"}));
    EXPECT_EQ(of({}, 399), (Names{"bb.packed", "cc.packed"}));
    EXPECT_EQ(of({}, 0), (Names{"bb.packed", "cc.packed", "aa.packed"}));
    EXPECT_EQ(of(10, 1000), (Names{"bb.packed", "cc.packed"}));
    EXPECT_EQ(of(1000, 0), (Names{"bb.packed", "cc.packed", "aa.packed"}));
}

TEST_F(CacheDirectoryTest, WhatIsMappedOrBeingWrittenIsInUse) {
    const fs::path path = make("aa.packed", 4096, 1);
    make("bb.packed.aaaaaa", 1, 0);
    make("cc.packed.aaaaaa", 1, 2);
    const auto files = list_cache(cache_)->files;
    ASSERT_EQ(names(files), (Names{"cc.packed.aaaaaa", "aa.packed", "bb.packed.aaaaaa"}));
    EXPECT_FALSE(in_use(files[0]));
    EXPECT_FALSE(in_use(files[1]));
    EXPECT_TRUE(in_use(files[2]));
    const int fd = open(path.c_str(), O_RDONLY);
    ASSERT_GE(fd, 0);
    // Not every file system has leases; where there are none, nothing is in use.
    const bool leases = fcntl(fd, F_SETLEASE, F_RDLCK) == 0 && fcntl(fd, F_SETLEASE, F_UNLCK) == 0;
    void* map = mmap(nullptr, 4096, PROT_READ, MAP_SHARED, fd, 0);
    close(fd);
    ASSERT_NE(map, MAP_FAILED);
    EXPECT_EQ(in_use(files[1]), leases);
    munmap(map, 4096);
    EXPECT_FALSE(in_use(files[1]));
}

TEST_F(CacheDirectoryTest, MakingRoomTouchesNothingForeign) {
    const fs::path old = make("aa.packed", 600, 9);
    const fs::path backup = make("bb.packed.backup1", 600, 99);
    const fs::path young = make("cc.packed", 300, 1);
    EXPECT_EQ(make_room(cache_, 1001).error().code, ErrorCode::exhausted);
    EXPECT_TRUE(fs::exists(old));
    ASSERT_TRUE(make_room(cache_, 500));
    EXPECT_FALSE(fs::exists(old));
    EXPECT_TRUE(fs::exists(young));
    EXPECT_TRUE(fs::exists(backup));
}

TEST_F(CacheDirectoryTest, MakingRoomMakesTheDirectory) {
    cache_.path = path_ + "/a/b";
    ASSERT_TRUE(make_room(cache_, 1));
    EXPECT_TRUE(fs::is_directory(cache_.path));
    cache_.path = make("file", 1, 1).string();
    EXPECT_EQ(make_room(cache_, 1).error().code, ErrorCode::unavailable);
}

TEST(ChecksumName, IsSixteenDigitsAndNothingElseIsOne) {
    EXPECT_TRUE(is_checksum_name(checksum_name("")));
    EXPECT_TRUE(is_checksum_name(checksum_name("a text")));
    EXPECT_NE(checksum_name("a text"), checksum_name("another"));
    for (const char* other : {"", "0123456789abcde", "0123456789abcdef0", "0123456789ABCDEF"}) {
        EXPECT_FALSE(is_checksum_name(other)) << other;
    }
}

}  // namespace
}  // namespace hone::base
