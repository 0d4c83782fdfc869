#include "quality/text_scorer.h"

#include <algorithm>
#include <optional>

#include "runtime/log_softmax.h"
#include "runtime/text_reader.h"

namespace hone::quality {
namespace {

using base::ErrorCode;
using base::fail;
using runtime::TextReader;
using runtime::WantedLogits;

constexpr uint32_t kContextMin = 8;

// Tokens [begin, end) of the text; those from `scored` on are predicted.
struct Span {
    size_t begin;
    size_t end;
    size_t scored;
};

std::vector<Span> cut(size_t tokens, const WindowOptions& options) {
    std::vector<Span> spans;
    const size_t context = options.context;
    if (options.window == Window::llama) {
        // The token after the window's middle is the first that is predicted from half a window.
        for (size_t at = 0; at + context <= tokens; at += context) {
            spans.push_back({at, at + context, at + context / 2 + 1});
        }
    } else {
        size_t scored = 1;
        for (size_t at = 0; scored < tokens; at += context / 2) {
            const size_t end = std::min(at + context, tokens);
            spans.push_back({at, end, scored});
            scored = end;
        }
    }
    if (options.windows_max > 0 && spans.size() > options.windows_max) {
        spans.resize(options.windows_max);
    }
    return spans;
}

ScoredWindow score(TextReader& model, TextReader* reference, std::span<const int32_t> tokens,
                   size_t scored) {
    ScoredWindow sums;
    const auto positions = static_cast<uint32_t>(tokens.size());
    model.begin(positions);
    if (reference != nullptr) reference->begin(positions);
    // The logits of position i predict token i + 1, so the last position needs none.
    for (size_t at = 0; at + 1 < tokens.size();) {
        const bool wanted = at + 1 >= scored;
        const size_t end = wanted ? tokens.size() - 1 : scored - 1;
        const size_t n = wanted ? std::min(end - at, model.rows_max()) : end - at;
        const auto which = wanted ? WantedLogits::all : WantedLogits::none;
        const auto logits = model.read(tokens.subspan(at, n), which);
        std::span<const float> others;
        if (reference != nullptr) others = reference->read(tokens.subspan(at, n), which);
        for (size_t i = 0; wanted && i < n; ++i) {
            const int32_t next = tokens[at + i + 1];
            const runtime::LogSoftmax row(logits.subspan(i * model.vocab(), model.vocab()));
            sums.nll += row.nll(next);
            ++sums.n;
            if (reference == nullptr) continue;
            const runtime::LogSoftmax other(others.subspan(i * model.vocab(), model.vocab()));
            sums.nll_reference += other.nll(next);
            sums.kl += runtime::kl_divergence(other, row);
            sums.same_top += row.top == other.top ? 1 : 0;
        }
        at += n;
    }
    return sums;
}

base::Status check(const runtime::Session& session, const runtime::Session* reference,
                   size_t tokens, const WindowOptions& options) {
    const uint32_t context_max = session.options().limits.context;
    if (options.context < kContextMin || options.context > context_max) {
        return fail(ErrorCode::invalid_argument, "a window of {} tokens; {} to {} are possible",
                    options.context, kContextMin, context_max);
    }
    if (tokens < options.context) {
        return fail(ErrorCode::invalid_argument,
                    "the text has {} tokens; a window of {} needs at least as many", tokens,
                    options.context);
    }
    if (reference != nullptr && reference->config().n_vocab != session.config().n_vocab) {
        return fail(ErrorCode::invalid_argument,
                    "the models have {} and {} tokens: their predictions cannot be compared",
                    session.config().n_vocab, reference->config().n_vocab);
    }
    return {};
}

}  // namespace

base::Result<std::vector<ScoredWindow>> score_text(runtime::Session& session,
                                                   runtime::Session* reference,
                                                   std::span<const int32_t> tokens,
                                                   const WindowOptions& options,
                                                   const std::function<bool(double)>& go_on) {
    HONE_TRY_STATUS(check(session, reference, tokens.size(), options));
    HONE_TRY(TextReader model, TextReader::create(session, options.context));
    std::optional<TextReader> other;
    if (reference != nullptr) {
        HONE_TRY(other, TextReader::create(*reference, options.context));
    }
    const std::vector<Span> spans = cut(tokens.size(), options);
    const text::Tokenizer& tokenizer = session.tokenizer();
    std::vector<ScoredWindow> windows;
    for (const Span& span : spans) {
        if (go_on && !go_on(static_cast<double>(windows.size()) / spans.size())) {
            return fail(ErrorCode::cancelled, "stopped on request");
        }
        std::vector<int32_t> window(tokens.begin() + static_cast<std::ptrdiff_t>(span.begin),
                                    tokens.begin() + static_cast<std::ptrdiff_t>(span.end));
        if (options.window == Window::llama && tokenizer.adds_bos()) {
            window.front() = tokenizer.bos();
        }
        windows.push_back(
            score(model, other ? &*other : nullptr, window, span.scored - span.begin));
    }
    return windows;
}

}  // namespace hone::quality
