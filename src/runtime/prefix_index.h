// Which full pages of the KV cache hold which beginnings of texts.
//
// An entry is one page of positions (kernels::kPageTokens tokens) in every layer group, behind the
// entry of the page before it: a tree whose paths from a root are token sequences, so equal tokens
// at equal positions after equal tokens, which is what makes the keys and values equal. Found by a
// hash chained from the root, and believed only after comparing parent and tokens.
// Not here: pages' memory and who else holds them (runtime/kv_pool.h). No allocation after
// construction. Thread rule: one thread. Idea: automatic prefix caching of vLLM (2023),
// RadixAttention of SGLang (arXiv 2312.07104).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "kernels/kv_view.h"

namespace hone::runtime {

class PrefixIndex {
  public:
    static constexpr uint32_t kNone = UINT32_MAX;

    PrefixIndex() = default;
    PrefixIndex(uint32_t entries_max, uint32_t groups);

    // The entry after `parent` (kNone: at position 0) for exactly these kPageTokens tokens, or
    // kNone.
    uint32_t find(uint32_t parent, std::span<const int32_t> tokens) const;
    // Adds one; it must not be there yet and the index not full. `pages`: one per group.
    uint32_t add(uint32_t parent, std::span<const int32_t> tokens, std::span<const uint32_t> pages);
    // Forgets an entry. Those behind it cannot be found any more and are forgotten one by one.
    void remove(uint32_t entry);
    // Marks the path that ends at `entry` as used now, the root last: so that among the least
    // recently used, those at the ends of paths come first.
    void touch(uint32_t entry);

    bool full() const { return free_.empty(); }
    uint32_t entries_max() const { return static_cast<uint32_t>(entries_.size()); }
    bool used(uint32_t entry) const { return entries_[entry].used; }
    // Of this entry and no later one in its place; 0 for kNone.
    uint64_t serial(uint32_t entry) const { return entry == kNone ? 0 : entries_[entry].serial; }
    uint64_t last_use(uint32_t entry) const { return entries_[entry].last_use; }
    uint32_t parent(uint32_t entry) const { return entries_[entry].parent; }
    uint32_t page(uint32_t entry, uint32_t group) const {
        return pages_[size_t{entry} * groups_ + group];
    }

  private:
    struct Entry {
        bool used = false;
        uint32_t parent = kNone;
        uint64_t serial = 0;         // of this use of the slot: a child knows its parent by it
        uint64_t parent_serial = 0;  // 0: at position 0
        uint64_t hash = 0;
        uint64_t last_use = 0;
        uint32_t next = kNone;  // in the bucket
    };
    bool holds(uint32_t entry, std::span<const int32_t> tokens) const;

    uint32_t groups_ = 1;
    uint64_t clock_ = 0;
    uint64_t serials_ = 0;
    std::vector<Entry> entries_;
    std::vector<int32_t> tokens_;    // [entries][kPageTokens]
    std::vector<uint32_t> pages_;    // [entries][groups]
    std::vector<uint32_t> buckets_;  // first entry, a power of two of them
    std::vector<uint32_t> free_;
};

}  // namespace hone::runtime
