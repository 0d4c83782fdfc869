// A directory that plays the root of a machine in tests: files by path, removed at the end.
// For tests only; one thread.
#pragma once

#include <stdlib.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace hone::machine {

class FakeTree {
  public:
    FakeTree() {
        std::string name = (std::filesystem::temp_directory_path() / "hone-tree-XXXXXX").string();
        if (mkdtemp(name.data()) != nullptr) root_ = name;
    }
    ~FakeTree() {
        std::error_code ignored;
        if (!root_.empty()) std::filesystem::remove_all(root_, ignored);
    }
    FakeTree(const FakeTree&) = delete;
    FakeTree& operator=(const FakeTree&) = delete;

    const std::string& root() const { return root_; }

    FakeTree& put(const std::string& path, const std::string& content) {
        const std::filesystem::path file = root_ + path;
        std::filesystem::create_directories(file.parent_path());
        std::ofstream(file) << content;
        return *this;
    }

  private:
    std::string root_;
};

}  // namespace hone::machine
