// Fixtures of this room's tests: a directory that goes away, a synthetic model in it.
#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>

#include "formats/gguf.h"
#include "machine/thread_team.h"
#include "models/synth.h"

namespace hone::compress {

class TestDirectory {
  public:
    TestDirectory() {
        std::string name = (std::filesystem::temp_directory_path() / "compressXXXXXX").string();
        path_ = mkdtemp(name.data());
    }
    ~TestDirectory() {
        std::error_code ignored;
        std::filesystem::permissions(path_, std::filesystem::perms::owner_all, ignored);
        std::filesystem::remove_all(path_, ignored);
    }
    const std::string& path() const { return path_; }
    std::string file(const std::string& name) const { return path_ + "/" + name; }
    size_t count() const {
        size_t n = 0;
        for (const auto& entry : std::filesystem::directory_iterator(path_)) n += entry.exists();
        return n;
    }

  private:
    std::string path_;
};

class SynthModel {
  public:
    explicit SynthModel(const models::SynthSpec& spec) {
        const auto written = models::write_synth(spec, path());
        EXPECT_TRUE(written) << written.error().message;
        auto file = formats::GgufFile::open(path());
        EXPECT_TRUE(file);
        file_.emplace(std::move(*file));
    }
    const formats::GgufFile& file() const { return *file_; }
    std::string path() const { return directory_.file("model.gguf"); }
    const TestDirectory& directory() const { return directory_; }

  private:
    TestDirectory directory_;
    std::optional<formats::GgufFile> file_;
};

inline std::unique_ptr<machine::ThreadTeam> make_team(int threads) {
    auto team = machine::ThreadTeam::create({.threads = threads});
    EXPECT_TRUE(team);
    return std::move(*team);
}

}  // namespace hone::compress
