#include "text/string_index.h"

#include "base/check.h"

namespace hone::text {

namespace {

// At most half full: probes stay short.
size_t slots_for(size_t count) {
    size_t slots = 16;
    while (slots < count * 2) slots *= 2;
    return slots;
}

// The finalizer of splitmix64 (Steele, Lea, Flood 2014): a bijection that mixes all bits.
uint64_t mix(uint64_t x) {
    x ^= x >> 30;
    x *= 0xBF58476D1CE4E5B9u;
    x ^= x >> 27;
    x *= 0x94D049BB133111EBu;
    return x ^ x >> 31;
}

uint64_t key_of(int32_t left, int32_t right) {
    return uint64_t{static_cast<uint32_t>(left)} << 32 | static_cast<uint32_t>(right);
}

// Is `slot` far behind `home`, around the end of a table of `slots`.
bool is_far(size_t slot, size_t home, size_t slots) {
    return ((slot - home) & (slots - 1)) > kProbesMax;
}

}  // namespace

StringIndex::StringIndex(size_t count) {
    offsets_.reserve(count + 1);
    offsets_.push_back(0);
    slots_.assign(slots_for(count), -1);
}

size_t StringIndex::home_of(std::string_view key) const {
    return mix(std::hash<std::string_view>{}(key)) & (slots_.size() - 1);
}

size_t StringIndex::slot_of(std::string_view key) const {
    const size_t mask = slots_.size() - 1;
    size_t slot = home_of(key);
    while (slots_[slot] >= 0 && (*this)[slots_[slot]] != key) slot = (slot + 1) & mask;
    return slot;
}

int32_t StringIndex::add(std::string_view key) {
    if ((size() + 1) * 2 > slots_.size()) grow(slots_for((size() + 1) * 2));
    const size_t slot = slot_of(key);
    crowded_ = crowded_ || is_far(slot, home_of(key), slots_.size());
    if (slots_[slot] >= 0) return slots_[slot];
    const auto index = static_cast<int32_t>(size());
    arena_.append(key);
    offsets_.push_back(arena_.size());
    slots_[slot] = index;
    return index;
}

int32_t StringIndex::find(std::string_view key) const {
    return slots_.empty() ? -1 : slots_[slot_of(key)];
}

std::string_view StringIndex::operator[](int32_t index) const {
    const auto i = static_cast<size_t>(index);
    HONE_DCHECK(i + 1 < offsets_.size());
    return std::string_view(arena_).substr(offsets_[i], offsets_[i + 1] - offsets_[i]);
}

void StringIndex::grow(size_t slots) {
    if (offsets_.empty()) offsets_.push_back(0);
    slots_.assign(slots, -1);
    for (size_t i = 0; i < size(); ++i) {
        const auto index = static_cast<int32_t>(i);
        slots_[slot_of((*this)[index])] = index;
    }
}

PairIndex::PairIndex(size_t count) : slots_(slots_for(count)) {}

size_t PairIndex::home_of(uint64_t key) const {
    return mix(key) & (slots_.size() - 1);
}

size_t PairIndex::slot_of(uint64_t key) const {
    const size_t mask = slots_.size() - 1;
    size_t slot = home_of(key);
    while (slots_[slot].key != UINT64_MAX && slots_[slot].key != key) slot = (slot + 1) & mask;
    return slot;
}

void PairIndex::add(int32_t left, int32_t right, Merge merge) {
    HONE_CHECK_LT(count_ * 2, slots_.size());
    const uint64_t key = key_of(left, right);
    const size_t at = slot_of(key);
    crowded_ = crowded_ || is_far(at, home_of(key), slots_.size());
    Slot& slot = slots_[at];
    if (slot.key != UINT64_MAX) return;
    slot = {key, merge};
    ++count_;
}

Merge PairIndex::find(int32_t left, int32_t right) const {
    if (slots_.empty()) return {};
    return slots_[slot_of(key_of(left, right))].merge;
}

}  // namespace hone::text
