#include "base/pending_file.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

namespace hone::base {
namespace {

namespace fs = std::filesystem;

class PendingFileTest : public testing::Test {
  protected:
    void SetUp() override {
        directory_ = fs::path(testing::TempDir()) / ("hone_pending_" + std::to_string(getpid()));
        fs::create_directory(directory_);
        path_ = directory_ / "file";
    }
    void TearDown() override { fs::remove_all(directory_); }

    size_t files() const {
        return static_cast<size_t>(
            std::distance(fs::directory_iterator(directory_), fs::directory_iterator()));
    }
    std::string content() const {
        std::ifstream file(path_);
        return {std::istreambuf_iterator<char>(file), {}};
    }

    fs::path directory_, path_;
};

std::span<const std::byte> bytes_of(const std::string& text) {
    return std::as_bytes(std::span(text));
}

TEST_F(PendingFileTest, AppearsOnlyAtCommitAndReplaces) {
    std::ofstream(path_) << "old";
    auto file = PendingFile::create(path_);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->write(bytes_of("new ")));
    ASSERT_TRUE(file->write(bytes_of("content")));
    EXPECT_EQ(content(), "old");
    ASSERT_TRUE(file->commit());
    EXPECT_EQ(content(), "new content");
    EXPECT_EQ(files(), 1u);
    EXPECT_EQ(fs::status(path_).permissions(), fs::perms(0644));
}

TEST_F(PendingFileTest, ReservesRoomWithoutGrowing) {
    auto file = PendingFile::create(path_);
    ASSERT_TRUE(file);
    ASSERT_TRUE(file->reserve(1 << 20));
    ASSERT_TRUE(file->write(bytes_of("short")));
    ASSERT_TRUE(file->commit_unsynced());
    EXPECT_EQ(content(), "short");
    auto greedy = PendingFile::create(path_);
    ASSERT_TRUE(greedy);
    const Status refused = greedy->reserve(uint64_t{1} << 62);
    ASSERT_FALSE(refused);
    EXPECT_EQ(refused.error().code, ErrorCode::exhausted);
}

TEST_F(PendingFileTest, LeavesNothingWithoutCommit) {
    {
        auto file = PendingFile::create(path_);
        ASSERT_TRUE(file);
        PendingFile moved = std::move(*file);
        ASSERT_TRUE(moved.write(bytes_of("half")));
        EXPECT_EQ(files(), 1u);
    }
    EXPECT_EQ(files(), 0u);
}

TEST_F(PendingFileTest, ErrorsNameThePath) {
    const std::string nowhere = directory_ / "no" / "file";
    const auto file = PendingFile::create(nowhere);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, ErrorCode::not_found);
    EXPECT_NE(file.error().message.find(nowhere), std::string::npos);
    // A directory cannot be replaced by a file.
    fs::create_directory(path_);
    auto blocked = PendingFile::create(path_);
    ASSERT_TRUE(blocked);
    EXPECT_EQ(blocked->commit().error().code, ErrorCode::unavailable);
}

}  // namespace
}  // namespace hone::base
