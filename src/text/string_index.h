// StringIndex and PairIndex: the two hash tables of a tokenizer, built once, then only read.
//
// Open addressing with linear probing over plain arrays, because a vocabulary has some 10^5 entries
// and node-based maps would cost more at load time than reading the file. Entries are never
// removed. The entries are foreign and the hash is public, so a file can be made whose entries meet
// in one slot; crowded() tells whoever fills a table to stop. Const lookups are thread-safe.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace hone::text {

// A look-up longer than this does not happen by chance in a table that is at most half full.
inline constexpr size_t kProbesMax = 1024;

// Gives distinct strings the numbers 0, 1, 2, ... in order of arrival.
class StringIndex {
  public:
    StringIndex() = default;
    // Room for about `count` strings; it grows beyond.
    explicit StringIndex(size_t count);

    // The number of `key`, adding it when it is new.
    int32_t add(std::string_view key);
    // The number of `key`, or -1.
    int32_t find(std::string_view key) const;

    std::string_view operator[](int32_t index) const;
    size_t size() const { return offsets_.empty() ? 0 : offsets_.size() - 1; }
    // Some look-up while adding took more than kProbesMax probes.
    bool crowded() const { return crowded_; }

  private:
    size_t slot_of(std::string_view key) const;
    size_t home_of(std::string_view key) const;
    void grow(size_t slots);

    std::string arena_;              // all strings, one after another
    std::vector<uint64_t> offsets_;  // [size + 1] into arena_
    std::vector<int32_t> slots_;     // power of two; -1 is free
    bool crowded_ = false;
};

struct Merge {
    int32_t rank = -1;    // position in the list of merges; -1: there is none
    int32_t result = -1;  // piece that the pair becomes
};

// Which pair of pieces merges, at what rank, into what.
class PairIndex {
  public:
    PairIndex() = default;
    // Room for exactly `count` pairs, no more.
    explicit PairIndex(size_t count);

    // Keeps the first merge of a pair: a later one has a worse rank.
    void add(int32_t left, int32_t right, Merge merge);
    Merge find(int32_t left, int32_t right) const;
    bool crowded() const { return crowded_; }

  private:
    struct Slot {
        uint64_t key = UINT64_MAX;  // left << 32 | right; both are non-negative
        Merge merge;
    };
    size_t slot_of(uint64_t key) const;
    size_t home_of(uint64_t key) const;

    std::vector<Slot> slots_;
    size_t count_ = 0;
    bool crowded_ = false;
};

}  // namespace hone::text
