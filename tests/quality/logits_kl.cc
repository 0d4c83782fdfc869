// Compares Hone's logits with a file of reference log-probabilities, as `llama-perplexity
// --kl-divergence-base` writes it: mean KL(reference | Hone), top-1 agreement, perplexity.
//
// A development tool (docs/HACKING.md), not a test: the reference is hundreds of megabytes.
// File: "_logits_", i32 n_ctx, i32 n_vocab, i32 n_chunk, i32 tokens [n_chunk * n_ctx], then for
// every scored position (second half of each chunk, without the last token) f32 scale, f32 min and
// u16 codes [n_vocab]: log p = min + scale * code. Usage: logits_kl MODEL BASE [threads] [disabled
// pass ...]
#include <fmt/format.h>

#include <cmath>
#include <cstdio>
#include <cstring>
#include <fstream>

#include "base/clock.h"
#include "runtime/kv_pool.h"
#include "runtime/session.h"

namespace {

using namespace hone;

struct Sums {
    double kl = 0;
    double nll = 0;
    double nll_reference = 0;
    size_t same_top = 0;
    size_t n = 0;
};

struct Base {
    int32_t n_ctx = 0;
    int32_t n_vocab = 0;
    int32_t n_chunk = 0;
    std::vector<int32_t> tokens;
    std::ifstream file;
};

bool open_base(const char* path, Base& base) {
    base.file.open(path, std::ios::binary);
    char magic[8] = {};
    base.file.read(magic, 8);
    base.file.read(reinterpret_cast<char*>(&base.n_ctx), 4);
    base.file.read(reinterpret_cast<char*>(&base.n_vocab), 4);
    base.file.read(reinterpret_cast<char*>(&base.n_chunk), 4);
    if (!base.file || std::memcmp(magic, "_logits_", 8) != 0) return false;
    base.tokens.resize(size_t(base.n_ctx) * size_t(base.n_chunk));
    base.file.read(reinterpret_cast<char*>(base.tokens.data()),
                   static_cast<std::streamsize>(base.tokens.size() * 4));
    return bool(base.file);
}

void score(const float* logits, const std::vector<uint16_t>& row, int32_t next, Sums& sums) {
    const size_t vocab = row.size() - 4;
    float scale = 0;
    float low = 0;
    std::memcpy(&scale, row.data(), 4);
    std::memcpy(&low, row.data() + 2, 4);
    double top = logits[0];
    for (size_t i = 1; i < vocab; ++i) top = std::max<double>(top, logits[i]);
    double sum = 0;
    for (size_t i = 0; i < vocab; ++i) sum += std::exp(logits[i] - top);
    const double log_sum = top + std::log(sum);
    size_t best = 0;
    size_t best_reference = 0;
    for (size_t i = 0; i < vocab; ++i) {
        const double log_p = double(low) + double(scale) * row[4 + i];
        if (row[4 + i] > row[4 + best_reference]) best_reference = i;
        if (logits[i] > logits[best]) best = i;
        if (log_p > -16) sums.kl += std::exp(log_p) * (log_p - (logits[i] - log_sum));
    }
    sums.same_top += best == best_reference ? 1 : 0;
    sums.nll += log_sum - logits[next];
    sums.nll_reference -= double(low) + double(scale) * row[4 + size_t(next)];
    ++sums.n;
}

// One chunk through the executor in steps of `step` tokens, logits of every scored position.
void run_chunk(graph::Executor& executor, std::byte* const* const* pages, size_t groups,
               const int32_t* tokens, Base& base, Sums& sums) {
    const uint32_t n_ctx = uint32_t(base.n_ctx);
    const uint32_t step = executor.outputs_max();
    std::vector<uint16_t> row(size_t(base.n_vocab) + 4);
    for (uint32_t at = 0; at < n_ctx; at += step) {
        const uint32_t n = std::min(step, n_ctx - at);
        graph::StepSlice slice{0, n, at, {pages, groups}};
        std::vector<uint32_t> rows(n);
        for (uint32_t i = 0; i < n; ++i) rows[i] = i;
        graph::StepInput input{{tokens + at, n}, {&slice, 1}, rows};
        const auto logits = executor.run(input);
        for (uint32_t i = 0; i < n; ++i) {
            const uint32_t position = at + i;
            if (position < n_ctx / 2 || position + 1 >= n_ctx) continue;
            base.file.read(reinterpret_cast<char*>(row.data()),
                           static_cast<std::streamsize>(row.size() * 2));
            score(logits.data() + size_t(i) * size_t(base.n_vocab), row, tokens[position + 1],
                  sums);
        }
    }
}

}  // namespace

int main(int argc, char** argv) {
    Base base;
    if (argc < 3 || !open_base(argv[2], base)) {
        std::puts("usage: logits_kl MODEL BASE [threads] [disabled pass ...]");
        return 2;
    }
    const base::SteadyClock clock;
    runtime::LoadOptions options;
    options.threads = argc > 3 ? std::atoi(argv[3]) : 0;
    for (int i = 4; i < argc; ++i) options.disabled_passes.emplace_back(argv[i]);
    options.limits.context = uint32_t(base.n_ctx);
    options.limits.sequences_max = 32;
    options.limits.step_tokens_max = 32;
    options.limits.kv_bytes_max = 256u << 20;
    auto session = runtime::open_session(argv[1], options, clock);
    if (!session) {
        std::puts(session.error().message.c_str());
        return 1;
    }
    // The reference put BOS in place of each chunk's first token, and its file does not say so.
    const auto empty = (*session)->tokenizer().encode("");
    for (int32_t chunk = 0; !empty.empty() && chunk < base.n_chunk; ++chunk) {
        base.tokens[size_t(chunk) * size_t(base.n_ctx)] = empty.front();
    }
    // Pages of one sequence, in the layout of each layer group.
    const auto& config = (*session)->config();
    std::vector<std::vector<std::byte>> memory;
    std::vector<std::vector<std::byte*>> tables;
    std::vector<std::byte* const*> pages;
    const size_t page_count = size_t(base.n_ctx) / kernels::kPageTokens + 1;
    for (const auto& group : config.groups) {
        kernels::KvLayout layout{config.n_kv_heads, config.head_dim, uint32_t(group.layers.size()),
                                 group.window};
        memory.emplace_back(layout.page_bytes() * page_count + 64);
        auto& table = tables.emplace_back();
        auto* first = memory.back().data();
        first += 64 - reinterpret_cast<uintptr_t>(first) % 64;
        for (size_t i = 0; i < page_count; ++i) table.push_back(first + i * layout.page_bytes());
    }
    for (const auto& table : tables) pages.push_back(table.data());
    Sums sums;
    for (int32_t chunk = 0; chunk < base.n_chunk; ++chunk) {
        for (auto& bytes : memory) std::fill(bytes.begin(), bytes.end(), std::byte{0});
        run_chunk((*session)->executor(), pages.data(), pages.size(),
                  base.tokens.data() + size_t(chunk) * size_t(base.n_ctx), base, sums);
    }
    const double n = double(sums.n);
    fmt::print("positions {}  mean KL {:.6f}  same top {:.2f} %  ppl {:.4f} (reference {:.4f})\n",
               sums.n, sums.kl / n, 100.0 * double(sums.same_top) / n, std::exp(sums.nll / n),
               std::exp(sums.nll_reference / n));
    return 0;
}
