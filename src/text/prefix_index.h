// PrefixIndex: which strings of a set does a text begin with?
//
// A trie without nodes: the strings in sorted order, and a cursor that is the range of those that
// begin with the bytes walked so far. A step narrows the range by two binary searches; the first
// byte is a table. So it takes 4 bytes per string beside their texts, whatever a model file puts
// into its vocabulary. It is not a map: see StringIndex. Const and thread-safe after create.
#pragma once

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hone::text {

class PrefixIndex {
  public:
    // The strings that begin with `depth` bytes already walked: sorted_[begin, end).
    struct Cursor {
        uint32_t begin = 0;
        uint32_t end = 0;
        uint32_t depth = 0;
    };

    PrefixIndex() = default;
    // strings: as in every call below; ids: which of them belong to the set, none twice and no two
    // equal strings.
    PrefixIndex(const std::vector<std::string>& strings, std::vector<int32_t> ids);

    // After one byte. Nothing begins with what was walked when it answers false.
    bool start(unsigned char byte, Cursor& cursor) const;
    // One byte more.
    bool step(const std::vector<std::string>& strings, unsigned char byte, Cursor& cursor) const;
    // The id of the string that is exactly what was walked, or -1.
    int32_t match(const std::vector<std::string>& strings, const Cursor& cursor) const;

    // Calls found(id, size) for each string of the set that the text begins with, the shortest
    // first; answers how many bytes were walked.
    template <class Found>
    size_t for_each_match(const std::vector<std::string>& strings, std::string_view text,
                          Found&& found) const {
        Cursor cursor;
        size_t size = 0;
        bool any = !text.empty() && start(static_cast<unsigned char>(text[0]), cursor);
        while (any) {
            const int32_t id = match(strings, cursor);
            ++size;
            if (id >= 0) found(id, size);
            any =
                size < text.size() && step(strings, static_cast<unsigned char>(text[size]), cursor);
        }
        return size;
    }

  private:
    std::vector<int32_t> sorted_;              // ids by the bytes of their strings
    std::array<uint32_t, 257> first_begin_{};  // sorted_[first_begin_[b], first_begin_[b + 1])
};

}  // namespace hone::text
