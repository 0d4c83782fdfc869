#include "runtime/prefix_index.h"

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace hone::runtime {
namespace {

constexpr size_t kTokens = kernels::kPageTokens;

// FNV-1a over the parent's serial and the tokens; collisions only cost a comparison.
uint64_t hash_of(uint64_t parent_serial, std::span<const int32_t> tokens) {
    constexpr uint64_t kPrime = 0x100000001b3;
    uint64_t hash = 0xcbf29ce484222325;
    const auto mix = [&](uint64_t value) { hash = (hash ^ value) * kPrime; };
    mix(parent_serial);
    for (const int32_t token : tokens) mix(static_cast<uint32_t>(token));
    return hash ^ (hash >> 32);
}

}  // namespace

PrefixIndex::PrefixIndex(uint32_t entries_max, uint32_t groups)
    : groups_(groups),
      entries_(entries_max),
      tokens_(entries_max * kTokens),
      pages_(size_t{entries_max} * groups, kNone),
      buckets_(std::bit_ceil(std::max<size_t>(entries_max, 1)), kNone) {
    for (uint32_t i = 0; i < entries_max; ++i) free_.push_back(entries_max - 1 - i);
}

bool PrefixIndex::holds(uint32_t entry, std::span<const int32_t> tokens) const {
    return std::equal(tokens.begin(), tokens.end(), tokens_.begin() + entry * kTokens);
}

uint32_t PrefixIndex::find(uint32_t parent, std::span<const int32_t> tokens) const {
    HONE_CHECK_EQ(tokens.size(), kTokens);
    if (entries_.empty()) return kNone;
    const uint64_t parent_serial = serial(parent);
    const uint64_t hash = hash_of(parent_serial, tokens);
    for (uint32_t i = buckets_[hash & (buckets_.size() - 1)]; i != kNone; i = entries_[i].next) {
        const Entry& entry = entries_[i];
        if (entry.hash == hash && entry.parent_serial == parent_serial && holds(i, tokens)) {
            return i;
        }
    }
    return kNone;
}

uint32_t PrefixIndex::add(uint32_t parent, std::span<const int32_t> tokens,
                          std::span<const uint32_t> pages) {
    HONE_CHECK_EQ(pages.size(), size_t{groups_});
    HONE_CHECK_EQ(find(parent, tokens), kNone);
    HONE_CHECK(!full());
    const uint32_t index = free_.back();
    free_.pop_back();
    Entry& entry = entries_[index];
    entry.used = true;
    entry.parent = parent;
    entry.serial = ++serials_;
    entry.parent_serial = serial(parent);
    entry.hash = hash_of(entry.parent_serial, tokens);
    entry.last_use = ++clock_;
    uint32_t& bucket = buckets_[entry.hash & (buckets_.size() - 1)];
    entry.next = bucket;
    bucket = index;
    std::copy(tokens.begin(), tokens.end(), tokens_.begin() + index * kTokens);
    std::copy(pages.begin(), pages.end(), pages_.begin() + size_t{index} * groups_);
    return index;
}

void PrefixIndex::remove(uint32_t index) {
    Entry& entry = entries_[index];
    HONE_CHECK(entry.used);
    uint32_t* link = &buckets_[entry.hash & (buckets_.size() - 1)];
    while (*link != index) link = &entries_[*link].next;
    *link = entry.next;
    entry = {};
    std::fill_n(pages_.begin() + size_t{index} * groups_, groups_, kNone);
    free_.push_back(index);
}

void PrefixIndex::touch(uint32_t entry) {
    while (entry != kNone) {
        Entry& at = entries_[entry];
        at.last_use = ++clock_;
        entry = serial(at.parent) == at.parent_serial ? at.parent : kNone;
    }
}

}  // namespace hone::runtime
