#include "formats/gguf_shards.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "formats/gguf_bytes.h"

namespace hone::formats {
namespace {

namespace fs = std::filesystem;
using base::ErrorCode;
using testing::HasSubstr;

TEST(GgufShards, Names) {
    const auto name = parse_shard_name("/m/big-q4-00002-of-00012.gguf");
    ASSERT_TRUE(name);
    EXPECT_EQ(name->prefix, "/m/big-q4");
    EXPECT_EQ(name->number, 2u);
    EXPECT_EQ(name->count, 12u);
    EXPECT_EQ(name->path_of(11), "/m/big-q4-00011-of-00012.gguf");
    for (const char* other :
         {"", "m.gguf", "m-00001-of-00002.bin", "m-0001-of-00002.gguf", "m-00003-of-00002.gguf",
          "m-00000-of-00002.gguf", "m-00001-in-00002.gguf", "m-0000x-of-00002.gguf",
          "m_00001-of-00002.gguf", "00001-of-00002.gguf", "m-00001-of- 0002.gguf"}) {
        EXPECT_FALSE(parse_shard_name(other)) << other;
    }
}

// Three shards on disk, each with a tensor F32 {8} whose bytes are its number.
class GgufShardsTest : public testing::Test {
  protected:
    GgufShardsTest() {
        directory_ = testing::TempDir() + "hone_shards_" + std::to_string(getpid());
        fs::create_directories(directory_);
        for (uint64_t i = 0; i < 3; ++i) shards_.push_back(shard(i));
    }
    ~GgufShardsTest() override { fs::remove_all(directory_); }

    static std::string split_entry(const char* key, uint16_t value) {
        return wire_entry(key, 2, wire(value));
    }

    static GgufBytes shard(uint64_t number) {
        GgufBytes out;
        if (number > 0) out.entries.clear();
        out.entries.push_back(split_entry("split.no", static_cast<uint16_t>(number)));
        out.entries.push_back(split_entry("split.count", 3));
        out.entries.push_back(wire_entry("split.tensors.count", 5, wire<int32_t>(3)));
        out.tensors = {wire_tensor(std::string(1, static_cast<char>('a' + number)), {8}, 0, 0)};
        out.data = std::string(32, static_cast<char>(number + 1));
        return out;
    }

    std::string path(uint64_t number, uint64_t count = 3) const {
        return ShardName{directory_ + "/m", number, count}.path_of(number);
    }

    base::Result<GgufFile> open(uint64_t number = 1) const {
        for (size_t i = 0; i < shards_.size(); ++i) {
            std::ofstream(path(i + 1), std::ios::binary) << shards_[i].build();
        }
        return GgufFile::open(path(number));
    }

    void expect_error(ErrorCode code, const std::string& fragment, uint64_t number = 1) const {
        const auto file = open(number);
        ASSERT_FALSE(file) << fragment;
        EXPECT_EQ(file.error().code, code) << file.error().message;
        EXPECT_THAT(file.error().message, HasSubstr(fragment));
        EXPECT_EQ(file.error().message.find('\n'), std::string::npos);
    }

    std::string directory_;
    std::vector<GgufBytes> shards_;
};

TEST_F(GgufShardsTest, AllTensorsAreThoseOfOneFile) {
    auto opened = open();
    ASSERT_TRUE(opened) << opened.error().message;
    fs::remove_all(directory_);
    const GgufFile file = std::move(*opened);
    EXPECT_EQ(file.shards(), 3u);
    uint64_t bytes = 0;
    for (const GgufBytes& shard : shards_) bytes += shard.build().size();
    EXPECT_EQ(file.size_bytes(), bytes);
    EXPECT_EQ(*file.get_string("general.architecture"), "llama");
    ASSERT_EQ(file.tensors().size(), 3u);
    for (uint32_t i = 0; i < 3; ++i) {
        const GgufTensor& tensor = file.tensors()[i];
        EXPECT_EQ(tensor.shard, i);
        const auto view = file.tensor(std::string(1, static_cast<char>('a' + i)));
        ASSERT_TRUE(view);
        EXPECT_EQ(view->data[31], static_cast<std::byte>(i + 1));
        file.release(tensor);
        EXPECT_EQ(view->data[0], static_cast<std::byte>(i + 1));
    }
}

TEST_F(GgufShardsTest, OneShardIsAnOrdinaryFile) {
    GgufBytes single;
    single.entries.push_back(split_entry("split.no", 0));
    single.entries.push_back(split_entry("split.count", 1));
    const std::string name = directory_ + "/single.gguf";
    std::ofstream(name, std::ios::binary) << single.build();
    const auto file = GgufFile::open(name);
    ASSERT_TRUE(file) << file.error().message;
    EXPECT_EQ(file->shards(), 1u);
    EXPECT_EQ(file->tensors().size(), 2u);
}

TEST_F(GgufShardsTest, ALaterShardNamesTheFirst) {
    expect_error(ErrorCode::invalid_argument, "is shard 2 of 3; open the first, " + path(1), 2);
}

TEST_F(GgufShardsTest, AMissingShardIsNamed) {
    ASSERT_TRUE(open());
    fs::remove(path(3));
    shards_.pop_back();
    expect_error(ErrorCode::not_found, path(3) + ": missing: shard 3 of 3");
}

TEST_F(GgufShardsTest, ANameWithoutNumbersHasNoSiblings) {
    const std::string name = directory_ + "/renamed.gguf";
    std::ofstream(name, std::ios::binary) << shards_[0].build();
    const auto file = GgufFile::open(name);
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, ErrorCode::invalid_argument);
    EXPECT_THAT(file.error().message, HasSubstr("does not end in -00001-of-00003.gguf"));
}

TEST_F(GgufShardsTest, ShardsInEachOthersPlaces) {
    std::swap(shards_[1], shards_[2]);
    expect_error(ErrorCode::corrupt, "says that it is shard 3 of 3, expected 2 of 3");
    std::swap(shards_[0], shards_[2]);
    expect_error(ErrorCode::invalid_argument, "is shard 2 of 3");
}

TEST_F(GgufShardsTest, ASecondFirstShard) {
    shards_[1] = shard(0);
    expect_error(ErrorCode::corrupt, "says that it is shard 1 of 3, expected 2 of 3");
    shards_[1] = shard(1);
    expect_error(ErrorCode::invalid_argument, "is shard 2 of 3", 2);
    shards_[1] = shard(0);
    expect_error(ErrorCode::corrupt, "says that it is shard 1 of 3", 2);
}

TEST_F(GgufShardsTest, AShardOfAnotherModel) {
    shards_[1].entries[1] = split_entry("split.count", 4);
    expect_error(ErrorCode::corrupt, "says that it is shard 2 of 4, expected 2 of 3");
    shards_[1] = GgufBytes();
    expect_error(ErrorCode::not_found, "'split.no': not in the file");
}

TEST_F(GgufShardsTest, ATensorTwice) {
    shards_[2].tensors = {wire_tensor("b", {8}, 0, 0)};
    expect_error(ErrorCode::corrupt, "tensor 'b': appears twice");
}

TEST_F(GgufShardsTest, TensorsAreCounted) {
    shards_[0].entries.back() = wire_entry("split.tensors.count", 5, wire<int32_t>(4));
    expect_error(ErrorCode::corrupt, "3 tensors in 3 shards, expected 4");
    shards_[0].entries.back() = wire_entry("split.tensors.count", 5, wire<int32_t>(-1));
    expect_error(ErrorCode::corrupt, "'split.tensors.count': holds i32");
    shards_[0].entries.pop_back();
    EXPECT_TRUE(open());
}

TEST_F(GgufShardsTest, KeysOfAnotherKind) {
    shards_[0].entries[shards_[0].entries.size() - 2] =
        wire_entry("split.count", 8, wire_text("3"));
    expect_error(ErrorCode::corrupt, "'split.count': holds string");
    shards_[0] = shard(0);
    shards_[0].entries.erase(shards_[0].entries.end() - 3);
    expect_error(ErrorCode::not_found, "'split.no': not in the file");
}

TEST_F(GgufShardsTest, TooManyShards) {
    shards_[0].entries[shards_[0].entries.size() - 2] = split_entry("split.count", 5000);
    expect_error(ErrorCode::exhausted, "5000 shards, more than the 1024 that Hone accepts");
}

TEST_F(GgufShardsTest, ABrokenShardIsNamed) {
    shards_[1].magic = "GGXF";
    expect_error(ErrorCode::corrupt, path(2));
    shards_[1] = shard(1);
    shards_[1].data.resize(16);
    expect_error(ErrorCode::corrupt, path(2) + ": tensor 'b': data ends at byte");
}

TEST_F(GgufShardsTest, AnEmptyShardIsNamed) {
    ASSERT_TRUE(open());
    std::ofstream(path(2), std::ios::trunc).flush();
    const auto file = GgufFile::open(path(1));
    ASSERT_FALSE(file);
    EXPECT_EQ(file.error().code, ErrorCode::corrupt);
    EXPECT_THAT(file.error().message, HasSubstr(path(2)));
}

}  // namespace
}  // namespace hone::formats
