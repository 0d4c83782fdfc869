#include "runtime/kv_pool.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/checked.h"

namespace hone::runtime {

namespace {

using base::ErrorCode;

// Bounds that keep every product below in 64 bits; far beyond any model.
constexpr uint32_t kHeadsMax = 1u << 16;
constexpr uint32_t kHeadDimMax = 1u << 16;
constexpr uint32_t kLayersMax = 1u << 16;

uint64_t pages_for(uint64_t positions) {
    return base::ceil_div(positions, kernels::kPageTokens);
}

// The lowest position that a token at `position` sees.
uint32_t lowest_visible(const kernels::KvLayout& layout, uint32_t position) {
    if (layout.window == 0 || position < layout.window) return 0;
    return position - layout.window + 1;
}

base::Status check_layout(const kernels::KvLayout& layout) {
    const bool shaped = layout.n_kv_heads > 0 && layout.n_kv_heads <= kHeadsMax &&
                        layout.head_dim > 0 && layout.head_dim <= kHeadDimMax &&
                        layout.head_dim % kernels::kKeyStrip == 0 && layout.layers > 0 &&
                        layout.layers <= kLayersMax;
    // Three factors of 2^16 and a page of 2^7 bytes per value fit into 64 bits with room to spare.
    if (shaped) return {};
    return base::fail(ErrorCode::invalid_argument,
                      "a KV cache of {} layers, {} heads of {} values cannot be laid out",
                      layout.layers, layout.n_kv_heads, layout.head_dim);
}

}  // namespace

std::vector<kernels::KvLayout> kv_layouts(const models::ModelConfig& config,
                                          kernels::KvDtype dtype) {
    std::vector<kernels::KvLayout> layouts;
    for (const models::LayerGroup& group : config.groups) {
        layouts.push_back({.n_kv_heads = config.n_kv_heads,
                           .head_dim = config.head_dim,
                           .layers = config.kv_layers(group),
                           .window = group.window,
                           .dtype = dtype});
    }
    return layouts;
}

uint32_t KvPool::pages_at_most(const kernels::KvLayout& layout, uint64_t positions) const {
    uint64_t pages = pages_for(positions);
    if (layout.window > 0) {
        // While a slice of n tokens runs, window - 1 + n positions are visible to it; a run of L
        // positions that starts anywhere touches at most ceil((L - 1) / page) + 1 pages.
        const uint64_t visible = uint64_t{layout.window} - 1 + options_.step_tokens_max;
        pages = std::min(pages, pages_for(visible - 1) + 1);
    }
    return static_cast<uint32_t>(pages);
}

base::Status KvPool::make_group(const KvPoolOptions& options, uint32_t pages_total, Group& group) {
    const auto bytes =
        base::checked_mul<uint64_t>(pages_total, static_cast<uint64_t>(group.layout.page_bytes()));
    if (!bytes) return base::fail(ErrorCode::exhausted, "the KV cache wraps the address space");
    auto buffer = tensor::Buffer::allocate(*bytes);
    if (!buffer) return tl::unexpected(buffer.error().within("KV cache"));
    group.buffer = std::move(*buffer);
    group.pages_total = pages_total;
    group.free.resize(pages_total);
    // The top of the stack is page 0, so that a lightly used pool stays in its first huge pages.
    for (uint32_t i = 0; i < pages_total; ++i) group.free[i] = pages_total - 1 - i;
    group.written.assign(pages_total, 0);
    const size_t entries = size_t{options.slots} * pages_for(options.context);
    group.tables.assign(entries, nullptr);
    group.page_indices.assign(entries, kNoPage);
    group.held.assign(options.slots, 0);
    group.holders.assign(pages_total, 0);
    group.entries.assign(pages_total, PrefixIndex::kNone);
    return {};
}

base::Result<KvPool> KvPool::create(KvPoolOptions options) {
    if (options.groups.empty() || options.slots == 0 || options.context == 0 ||
        options.step_tokens_max == 0) {
        return base::fail(ErrorCode::invalid_argument,
                          "a KV pool of {} groups, {} slots, {} positions and steps of {} tokens",
                          options.groups.size(), options.slots, options.context,
                          options.step_tokens_max);
    }
    KvPool pool;
    pool.options_ = std::move(options);
    pool.pages_per_slot_ = static_cast<uint32_t>(pages_for(pool.options_.context));
    uint64_t bytes_full = 0;
    std::vector<uint64_t> pages_full;
    for (const kernels::KvLayout& layout : pool.options_.groups) {
        HONE_TRY_STATUS(check_layout(layout));
        pages_full.push_back(uint64_t{pool.options_.slots} *
                             pool.pages_at_most(layout, pool.options_.context));
        const auto bytes = base::checked_mul<uint64_t>(pages_full.back(), layout.page_bytes());
        const auto sum = bytes ? base::checked_add<uint64_t>(bytes_full, *bytes) : bytes;
        if (!sum) return base::fail(ErrorCode::exhausted, "the KV cache wraps the address space");
        bytes_full = *sum;
    }
    // A smaller budget shrinks every group by the same share: sequences of one length then use up
    // the groups at the same time.
    const uint64_t bytes_max = pool.options_.bytes_max;
    const bool whole = bytes_max == 0 || bytes_max >= bytes_full;
    const double share = whole ? 1.0 : static_cast<double>(bytes_max) / bytes_full;
    for (size_t g = 0; g < pool.options_.groups.size(); ++g) {
        Group& group = pool.groups_.emplace_back();
        group.layout = pool.options_.groups[g];
        const uint64_t pages =
            whole ? pages_full[g]
                  : static_cast<uint64_t>(share * static_cast<double>(pages_full[g]));
        if (pages == 0 || pages >= kNoPage) {
            return base::fail(ErrorCode::exhausted,
                              "{} bytes of KV cache are {} pages for a layer group; a page of it "
                              "has {} bytes",
                              whole ? bytes_full : bytes_max, pages, group.layout.page_bytes());
        }
        HONE_TRY_STATUS(make_group(pool.options_, static_cast<uint32_t>(pages), group));
    }
    if (pool.options_.prefix_cache) {
        // A page is in one entry at most and an entry has a page of every group: it cannot
        // overflow.
        uint32_t entries_max = UINT32_MAX;
        for (const Group& group : pool.groups_) {
            entries_max = std::min(entries_max, group.pages_total);
        }
        pool.prefixes_ = PrefixIndex(entries_max, static_cast<uint32_t>(pool.groups_.size()));
        pool.entry_pages_.resize(pool.groups_.size());
    }
    pool.slots_.resize(pool.options_.slots);
    for (uint32_t slot = 0; slot < pool.options_.slots; ++slot) {
        for (Group& group : pool.groups_) {
            pool.slot_tables_.push_back(group.tables.data() + size_t{slot} * pool.pages_per_slot_);
        }
    }
    return pool;
}

bool KvPool::can_reserve(uint32_t positions) const {
    HONE_CHECK_LE(positions, options_.context);
    return std::all_of(groups_.begin(), groups_.end(), [&](const Group& group) {
        return pages_at_most(group.layout, positions) <= group.pages_total - group.pages_reserved;
    });
}

bool KvPool::could_ever_reserve(uint32_t positions) const {
    if (positions > options_.context) return false;
    return std::all_of(groups_.begin(), groups_.end(), [&](const Group& group) {
        return pages_at_most(group.layout, positions) <= group.pages_total;
    });
}

void KvPool::reserve(uint32_t slot, uint32_t positions) {
    HONE_CHECK_LT(slot, slots_.size());
    HONE_CHECK_EQ(slots_[slot].reserved, 0u);
    HONE_CHECK_GT(positions, 0u);
    HONE_CHECK(can_reserve(positions));
    for (Group& group : groups_) group.pages_reserved += pages_at_most(group.layout, positions);
    slots_[slot] = {};
    slots_[slot].reserved = positions;
}

void KvPool::zero_written(Group& group, uint32_t page) {
    const size_t written = group.written[page];
    group.written[page] = 0;
    if (written == 0) return;
    // Keys lie in strips of kKeyStrip positions, values one position after the other; scales,
    // where there are any, are zeroed in full.
    const kernels::KvLayout& layout = group.layout;
    const size_t k_bytes = base::round_up(written, kernels::kKeyStrip) * layout.code_bytes();
    const size_t v_bytes = written * layout.code_bytes();
    const size_t scale_bytes = kernels::kPageTokens * layout.scale_bytes();
    std::byte* base = group.buffer.data() + page * layout.page_bytes();
    for (uint32_t layer = 0; layer < layout.layers; ++layer) {
        for (uint32_t head = 0; head < layout.n_kv_heads; ++head) {
            std::memset(base + layout.k_offset(layer, head), 0, k_bytes);
            std::memset(base + layout.v_offset(layer, head), 0, v_bytes);
            const size_t scales = layout.scales_offset();
            std::memset(base + layout.k_offset(layer, head) + scales, 0, scale_bytes);
            std::memset(base + layout.v_offset(layer, head) + scales, 0, scale_bytes);
        }
    }
}

void KvPool::hold_page(Group& group, uint32_t slot, uint32_t table_index, uint32_t page) {
    const size_t entry = size_t{slot} * pages_per_slot_ + table_index;
    HONE_CHECK_EQ(group.page_indices[entry], kNoPage);
    group.page_indices[entry] = page;
    group.tables[entry] = group.buffer.data() + page * group.layout.page_bytes();
    ++group.holders[page];
    ++group.held[slot];
}

void KvPool::take_page(uint32_t group_index, uint32_t slot, uint32_t table_index) {
    Group& group = groups_[group_index];
    if (group.free.empty()) evict(group_index);
    const uint32_t page = group.free.back();
    group.free.pop_back();
    zero_written(group, page);
    hold_page(group, slot, table_index, page);
}

void KvPool::give_page(Group& group, uint32_t slot, uint32_t table_index) {
    const size_t entry = size_t{slot} * pages_per_slot_ + table_index;
    const uint32_t page = group.page_indices[entry];
    if (page == kNoPage) return;
    group.page_indices[entry] = kNoPage;
    group.tables[entry] = nullptr;
    --group.held[slot];
    --group.holders[page];
    const bool remembered = group.entries[page] != PrefixIndex::kNone;
    // Within the capacity that `free` was made with.
    if (group.holders[page] == 0 && !remembered) group.free.push_back(page);
}

void KvPool::forget_entry(uint32_t entry) {
    for (uint32_t g = 0; g < groups_.size(); ++g) {
        const uint32_t page = prefixes_.page(entry, g);
        groups_[g].entries[page] = PrefixIndex::kNone;
        if (groups_[g].holders[page] == 0) groups_[g].free.push_back(page);
    }
    prefixes_.remove(entry);
}

void KvPool::forget_prefixes() {
    for (uint32_t entry = 0; entry < prefixes_.entries_max(); ++entry) {
        if (prefixes_.used(entry)) forget_entry(entry);
    }
}

void KvPool::evict(uint32_t group_index) {
    const Group& group = groups_[group_index];
    uint32_t oldest = PrefixIndex::kNone;
    for (uint32_t page = 0; page < group.pages_total; ++page) {
        const uint32_t entry = group.entries[page];
        if (entry == PrefixIndex::kNone || group.holders[page] != 0) continue;
        if (oldest == PrefixIndex::kNone ||
            prefixes_.last_use(entry) < prefixes_.last_use(oldest)) {
            oldest = entry;
        }
    }
    // The reservation guarantees a page; without one the accounting is wrong.
    HONE_CHECK(oldest != PrefixIndex::kNone);
    forget_entry(oldest);
}

uint32_t KvPool::adopt(uint32_t slot, std::span<const int32_t> tokens) {
    HONE_CHECK_LT(slot, slots_.size());
    Slot& state = slots_[slot];
    HONE_CHECK_EQ(state.backed, 0u);
    HONE_CHECK_LE(tokens.size(), size_t{state.reserved});
    if (!options_.prefix_cache || tokens.empty()) return 0;
    constexpr uint32_t kTokens = kernels::kPageTokens;
    const auto pages_max = static_cast<uint32_t>((tokens.size() - 1) / kTokens);
    uint32_t pages = 0;
    for (; pages < pages_max; ++pages) {
        const uint32_t next = prefixes_.find(state.tail, tokens.subspan(pages * kTokens, kTokens));
        if (next == PrefixIndex::kNone) break;
        state.tail = next;
        state.tail_serial = prefixes_.serial(next);
    }
    prefixes_.touch(state.tail);
    state.computed = state.backed = pages * kTokens;
    for (Group& group : groups_) {
        const auto group_index = static_cast<uint32_t>(&group - groups_.data());
        const uint32_t visible = lowest_visible(group.layout, state.computed) / kTokens;
        for (uint32_t entry = state.tail, i = pages; i > visible; --i) {
            hold_page(group, slot, i - 1, prefixes_.page(entry, group_index));
            entry = prefixes_.parent(entry);
        }
    }
    return state.computed;
}

void KvPool::remember_page(uint32_t slot, uint32_t table_index, std::span<const int32_t> tokens) {
    Slot& state = slots_[slot];
    // The page before was forgotten: nothing can be found behind it.
    if (prefixes_.serial(state.tail) != state.tail_serial) return;
    uint32_t entry = prefixes_.find(state.tail, tokens);
    if (entry == PrefixIndex::kNone) {
        for (size_t g = 0; g < groups_.size(); ++g) {
            entry_pages_[g] = groups_[g].page_indices[size_t{slot} * pages_per_slot_ + table_index];
        }
        entry = prefixes_.add(state.tail, tokens, entry_pages_);
        for (size_t g = 0; g < groups_.size(); ++g) groups_[g].entries[entry_pages_[g]] = entry;
    } else {
        prefixes_.touch(entry);
    }
    state.tail = entry;
    state.tail_serial = prefixes_.serial(entry);
}

void KvPool::back(uint32_t slot, uint32_t positions) {
    HONE_CHECK_LT(slot, slots_.size());
    Slot& state = slots_[slot];
    HONE_CHECK_LE(positions, state.reserved);
    HONE_CHECK_LE(positions, state.computed + options_.step_tokens_max);
    if (positions <= state.backed) return;
    const uint32_t pages_end = static_cast<uint32_t>(pages_for(positions));
    // Only what this call adds can be new: a page that is already there is met, not taken.
    const uint32_t first = state.backed / kernels::kPageTokens;
    for (uint32_t g = 0; g < groups_.size(); ++g) {
        Group& group = groups_[g];
        const uint32_t visible = static_cast<uint32_t>(
            lowest_visible(group.layout, state.computed) / kernels::kPageTokens);
        for (uint32_t i = std::max(first, visible); i < pages_end; ++i) {
            const size_t entry = size_t{slot} * pages_per_slot_ + i;
            if (group.page_indices[entry] == kNoPage) take_page(g, slot, i);
            const size_t filled = positions - i * kernels::kPageTokens;
            group.written[group.page_indices[entry]] =
                static_cast<uint8_t>(std::min(filled, kernels::kPageTokens));
        }
    }
    state.backed = positions;
}

void KvPool::advance(uint32_t slot, uint32_t computed, std::span<const int32_t> tokens) {
    HONE_CHECK_LT(slot, slots_.size());
    Slot& state = slots_[slot];
    HONE_CHECK_LE(state.computed, computed);
    HONE_CHECK_LE(computed, state.backed);
    if (options_.prefix_cache && !tokens.empty()) {
        // Before windowed groups give pages back: here every group still has them.
        constexpr uint32_t kTokens = kernels::kPageTokens;
        for (uint32_t i = state.computed / kTokens; i < computed / kTokens; ++i) {
            remember_page(slot, i, tokens.subspan(size_t{i} * kTokens, kTokens));
        }
    }
    for (Group& group : groups_) {
        const uint32_t before = static_cast<uint32_t>(lowest_visible(group.layout, state.computed) /
                                                      kernels::kPageTokens);
        const uint32_t after =
            static_cast<uint32_t>(lowest_visible(group.layout, computed) / kernels::kPageTokens);
        for (uint32_t i = before; i < after; ++i) give_page(group, slot, i);
    }
    state.computed = computed;
}

void KvPool::release(uint32_t slot) {
    HONE_CHECK_LT(slot, slots_.size());
    Slot& state = slots_[slot];
    HONE_CHECK_GT(state.reserved, 0u);
    const uint32_t pages_end = static_cast<uint32_t>(pages_for(state.backed));
    for (Group& group : groups_) {
        for (uint32_t i = pages_end; i > 0; --i) give_page(group, slot, i - 1);
        group.pages_reserved -= pages_at_most(group.layout, state.reserved);
    }
    state = {};
}

std::span<std::byte* const* const> KvPool::tables(uint32_t slot) const {
    HONE_CHECK_LT(slot, slots_.size());
    return {slot_tables_.data() + size_t{slot} * groups_.size(), groups_.size()};
}

KvPoolFacts KvPool::facts() const {
    KvPoolFacts facts;
    uint64_t bytes_used = 0;
    for (const Group& group : groups_) {
        const uint64_t page_bytes = group.layout.page_bytes();
        uint64_t pages_held = 0;
        for (uint32_t page = 0; page < group.pages_total; ++page) {
            if (group.holders[page] == 0) continue;
            ++pages_held;
            bytes_used += group.written[page] * group.layout.position_bytes();
        }
        const uint64_t pages_free = group.pages_total - pages_held;
        const uint64_t pages_cached = pages_free - group.free.size();
        facts.groups.push_back({.window = group.layout.window,
                                .layers = group.layout.layers,
                                .page_bytes = page_bytes,
                                .pages_total = group.pages_total,
                                .pages_free = static_cast<uint32_t>(pages_free),
                                .pages_cached = static_cast<uint32_t>(pages_cached),
                                .pages_reserved = group.pages_reserved});
        facts.pages_total += group.pages_total;
        facts.pages_free += pages_free;
        facts.pages_cached += pages_cached;
        facts.pages_reserved += group.pages_reserved;
        facts.page_bytes += page_bytes;
        facts.bytes_total += group.pages_total * page_bytes;
        facts.bytes_held += pages_held * page_bytes;
        facts.bytes_per_token += group.layout.position_bytes();
    }
    if (facts.bytes_held > 0) {
        facts.waste_share = 1.0 - static_cast<double>(bytes_used) / facts.bytes_held;
    }
    return facts;
}

void KvPool::check_group(const Group& group) const {
    std::vector<uint32_t> holders(group.pages_total, 0);
    uint64_t reserved = 0;
    for (uint32_t slot = 0; slot < slots_.size(); ++slot) {
        const Slot& state = slots_[slot];
        uint32_t held_here = 0;
        for (uint32_t i = 0; i < pages_per_slot_; ++i) {
            const size_t entry = size_t{slot} * pages_per_slot_ + i;
            const uint32_t page = group.page_indices[entry];
            const bool below =
                i < lowest_visible(group.layout, state.computed) / kernels::kPageTokens;
            const bool wanted = !below && i < pages_for(state.backed);
            HONE_CHECK_EQ(page != kNoPage, wanted);
            HONE_CHECK_EQ(group.tables[entry] != nullptr, wanted);
            if (!wanted) continue;
            HONE_CHECK_LT(page, group.pages_total);
            ++holders[page];
            HONE_CHECK_EQ(static_cast<size_t>(group.tables[entry] - group.buffer.data()),
                          page * group.layout.page_bytes());
            ++held_here;
        }
        HONE_CHECK_EQ(held_here, group.held[slot]);
        const uint32_t promised =
            state.reserved > 0 ? pages_at_most(group.layout, state.reserved) : 0;
        HONE_CHECK_LE(held_here, promised);
        reserved += promised;
    }
    HONE_CHECK_EQ(reserved, group.pages_reserved);
    HONE_CHECK_LE(group.pages_reserved, group.pages_total);
    check_pages(group, holders);
}

void KvPool::check_pages(const Group& group, const std::vector<uint32_t>& holders) const {
    std::vector<bool> free(group.pages_total, false);
    for (uint32_t page : group.free) {
        HONE_CHECK_LT(page, group.pages_total);
        HONE_CHECK(!free[page]);
        free[page] = true;
    }
    for (uint32_t page = 0; page < group.pages_total; ++page) {
        const uint32_t entry = group.entries[page];
        const bool remembered = entry != PrefixIndex::kNone;
        HONE_CHECK_EQ(holders[page], group.holders[page]);
        // Newer fmt formats no reference to a bit.
        HONE_CHECK_EQ(bool{free[page]}, holders[page] == 0 && !remembered);
        HONE_CHECK_LE(holders[page], slots_.size());
        if (!remembered) continue;
        HONE_CHECK(prefixes_.used(entry));
        HONE_CHECK_EQ(prefixes_.page(entry, static_cast<uint32_t>(&group - groups_.data())), page);
        HONE_CHECK_EQ(size_t{group.written[page]}, kernels::kPageTokens);
    }
}

void KvPool::check_invariants() const {
    for (const Slot& slot : slots_) {
        HONE_CHECK_LE(slot.computed, slot.backed);
        HONE_CHECK_LE(slot.backed, slot.reserved);
        HONE_CHECK_LE(slot.reserved, options_.context);
    }
    for (const Group& group : groups_) check_group(group);
}

}  // namespace hone::runtime
