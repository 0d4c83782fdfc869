// The pages of the KV cache: who holds which, and how many are left.
//
// Each layer group has one buffer, cut into pages of kernels::kPageTokens positions
// (kernels/kv_view.h has the layout inside a page) and a table of page pointers per sequence slot:
//
//   slot's table of a group   [ p0 ][ p1 ][ p2 ][ p3 ][ - ][ - ]    context / kPageTokens entries
//   window 0                    17     4     9     2                backed(): 4 pages
//   window 48                    -     -     9     2                below the window: null, free
//
// A slot first reserves what it may need at its longest and then draws pages from the reservation,
// so an admitted sequence always finishes. A windowed group gives pages back as they fall wholly
// below the window and so reserves only window + step. Pages are zeroed when they are handed out
// again, and only where they were written: a page never shows another sequence's values, nor a NaN
// under the mask.
//
// With the prefix cache, a page that is full is remembered by the tokens it was computed from
// (runtime/prefix_index.h). A slot adopts the remembered pages of a beginning it shares, several
// slots may hold the same page, and nobody writes to a full page again. A page that no slot holds
// any more stays remembered until a page is needed and none is free; then the least recently used
// goes first. Reservations count shared pages for every slot, so sharing makes requests faster and
// never promises more than there is.
// Not here: what is in the pages. Invariants (check_invariants): free + cached + held = total, held
// <= reserved <= total, only a full page is in two slots. No allocation after create. Thread rule:
// one thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "base/result.h"
#include "kernels/kv_view.h"
#include "models/model.h"
#include "runtime/prefix_index.h"
#include "tensor/buffer.h"

namespace hone::runtime {

// One layout per layer group of the model.
std::vector<kernels::KvLayout> kv_layouts(const models::ModelConfig& config,
                                          kernels::KvDtype dtype);

struct KvPoolOptions {
    std::vector<kernels::KvLayout> groups;  // at least one
    uint32_t context = 0;                   // positions per slot at most
    uint32_t slots = 1;
    uint32_t step_tokens_max = 1;  // most positions that back() adds beyond advance()
    uint64_t bytes_max = 0;        // 0: every slot can hold a full context
    bool prefix_cache = false;
};

struct KvGroupFacts {
    uint32_t window = 0;
    uint32_t layers = 0;
    uint64_t page_bytes = 0;
    uint32_t pages_total = 0;
    uint32_t pages_free = 0;      // held by no slot, remembered ones among them
    uint32_t pages_cached = 0;    // remembered, held by no slot
    uint32_t pages_reserved = 0;  // promised to slots, held or not
};

// Sums over groups; a page of a sequence is one per group.
struct KvPoolFacts {
    uint64_t pages_total = 0;
    uint64_t pages_free = 0;
    uint64_t pages_cached = 0;
    uint64_t pages_reserved = 0;
    uint64_t page_bytes = 0;       // of one page in every group
    uint64_t bytes_total = 0;      // allocated for pages
    uint64_t bytes_held = 0;       // in pages that slots hold
    uint64_t bytes_per_token = 0;  // K and V of one position in all layers
    // Share of bytes_held that backs no position; absent while no page is held.
    std::optional<double> waste_share;
    std::vector<KvGroupFacts> groups;
};

class KvPool {
  public:
    // exhausted: bytes_max is too small for one page per group, or the memory is not there.
    // invalid_argument: no group, no slot, no context, a shape whose size wraps.
    static base::Result<KvPool> create(KvPoolOptions options);

    // Whether a free slot could reserve that many positions now.
    bool can_reserve(uint32_t positions) const;
    // Whether it could if nothing else were running: false means never.
    bool could_ever_reserve(uint32_t positions) const;
    // Promises pages for `positions` (at least 1, at most context) to a slot that has none.
    // Requires can_reserve.
    void reserve(uint32_t slot, uint32_t positions);
    // Takes over the remembered pages of the longest beginning of `tokens` that is in the cache,
    // but never of all of them: the last token's logits are wanted. For a slot fresh from
    // reserve(); its next token is at the returned position, a multiple of kernels::kPageTokens.
    uint32_t adopt(uint32_t slot, std::span<const int32_t> tokens);
    // Backs positions [0, positions) inside the window by pages from the reservation. Idempotent;
    // `positions` is at most the reservation and at most step_tokens_max beyond advance().
    void back(uint32_t slot, uint32_t positions);
    // The next token of the slot is at `computed`: pages that became full are remembered by
    // `tokens` (from position 0, at least `computed`; empty: not remembered), pages that no later
    // token sees are given back.
    void advance(uint32_t slot, uint32_t computed, std::span<const int32_t> tokens = {});
    // Gives back the pages and the reservation.
    void release(uint32_t slot);
    // Empties the prefix cache; pages in use stay where they are.
    void forget_prefixes();

    // [group] -> [page] tables of a slot; valid for the pool's life, contents until the next
    // change.
    std::span<std::byte* const* const> tables(uint32_t slot) const;
    uint32_t reserved_positions(uint32_t slot) const { return slots_[slot].reserved; }
    uint32_t backed_positions(uint32_t slot) const { return slots_[slot].backed; }

    KvPoolFacts facts() const;
    void check_invariants() const;

  private:
    static constexpr uint32_t kNoPage = UINT32_MAX;

    struct Group {
        kernels::KvLayout layout;
        tensor::Buffer buffer;  // [pages_total][page_bytes]
        uint32_t pages_total = 0;
        uint32_t pages_reserved = 0;
        std::vector<uint32_t> free;  // a stack: the page used last is still in the cache
        // Positions per page that may have been written since it was zeroed.
        std::vector<uint8_t> written;        // [pages_total]
        std::vector<std::byte*> tables;      // [slots][pages_per_slot]
        std::vector<uint32_t> page_indices;  // [slots][pages_per_slot], kNoPage where null
        std::vector<uint32_t> held;          // [slots]
        std::vector<uint32_t> holders;       // [pages_total] slots that hold the page
        std::vector<uint32_t> entries;       // [pages_total] in the prefix index, or kNone
    };
    struct Slot {
        uint32_t reserved = 0;  // positions
        uint32_t backed = 0;    // positions
        uint32_t computed = 0;  // positions
        // The entry of the last full page; its serial tells whether it is still that entry.
        uint32_t tail = PrefixIndex::kNone;
        uint64_t tail_serial = 0;
    };

    KvPool() = default;
    // Pages that a slot with that many positions holds at most at once.
    uint32_t pages_at_most(const kernels::KvLayout& layout, uint64_t positions) const;
    static base::Status make_group(const KvPoolOptions& options, uint32_t pages_total,
                                   Group& group);
    void take_page(uint32_t group, uint32_t slot, uint32_t table_index);
    void give_page(Group& group, uint32_t slot, uint32_t table_index);
    void hold_page(Group& group, uint32_t slot, uint32_t table_index, uint32_t page);
    void remember_page(uint32_t slot, uint32_t table_index, std::span<const int32_t> tokens);
    void forget_entry(uint32_t entry);
    // Makes a page of the group free that is only remembered.
    void evict(uint32_t group);
    static void zero_written(Group& group, uint32_t page);
    void check_group(const Group& group) const;
    void check_pages(const Group& group, const std::vector<uint32_t>& holders) const;

    KvPoolOptions options_;
    uint32_t pages_per_slot_ = 0;
    std::vector<Group> groups_;
    std::vector<Slot> slots_;
    std::vector<std::byte* const*> slot_tables_;  // [slots][groups]
    PrefixIndex prefixes_;
    std::vector<uint32_t> entry_pages_;  // [groups], of the entry being added
};

}  // namespace hone::runtime
