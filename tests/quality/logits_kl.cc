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
#include "runtime/log_softmax.h"
#include "runtime/session.h"
#include "runtime/text_reader.h"

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

void score(std::span<const float> logits, const std::vector<uint16_t>& row, int32_t next,
           Sums& sums) {
    const size_t vocab = row.size() - 4;
    float scale = 0;
    float low = 0;
    std::memcpy(&scale, row.data(), 4);
    std::memcpy(&low, row.data() + 2, 4);
    const runtime::LogSoftmax own(logits);
    size_t best_reference = 0;
    for (size_t i = 0; i < vocab; ++i) {
        const double log_p = double(low) + double(scale) * row[4 + i];
        if (row[4 + i] > row[4 + best_reference]) best_reference = i;
        if (log_p > -16) sums.kl += std::exp(log_p) * (log_p + own.nll(static_cast<int32_t>(i)));
    }
    sums.same_top += own.top == best_reference ? 1 : 0;
    sums.nll += own.nll(next);
    sums.nll_reference -= double(low) + double(scale) * row[4 + size_t(next)];
    ++sums.n;
}

// One chunk in pieces, logits of every position.
void run_chunk(runtime::TextReader& reader, std::span<const int32_t> tokens, Base& base,
               Sums& sums) {
    std::vector<uint16_t> row(size_t(base.n_vocab) + 4);
    reader.begin(static_cast<uint32_t>(tokens.size()));
    for (size_t at = 0; at < tokens.size();) {
        const size_t n = std::min(reader.rows_max(), tokens.size() - at);
        const auto logits = reader.read(tokens.subspan(at, n), runtime::WantedLogits::all);
        for (size_t i = 0; i < n; ++i, ++at) {
            if (at < tokens.size() / 2 || at + 1 >= tokens.size()) continue;
            base.file.read(reinterpret_cast<char*>(row.data()),
                           static_cast<std::streamsize>(row.size() * 2));
            score(logits.subspan(i * reader.vocab(), reader.vocab()), row, tokens[at + 1], sums);
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
    options.limits = runtime::reader_limits(uint32_t(base.n_ctx));
    options.limits.step_tokens_max = runtime::kReaderRows;
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
    auto reader = runtime::TextReader::create(**session, uint32_t(base.n_ctx));
    if (!reader) {
        std::puts(reader.error().message.c_str());
        return 1;
    }
    Sums sums;
    for (size_t chunk = 0; chunk < size_t(base.n_chunk); ++chunk) {
        run_chunk(*reader,
                  std::span(base.tokens).subspan(chunk * size_t(base.n_ctx), size_t(base.n_ctx)),
                  base, sums);
    }
    const double n = double(sums.n);
    fmt::print("positions {}  mean KL {:.6f}  same top {:.2f} %  ppl {:.4f} (reference {:.4f})\n",
               sums.n, sums.kl / n, 100.0 * double(sums.same_top) / n, std::exp(sums.nll / n),
               std::exp(sums.nll_reference / n));
    return 0;
}
