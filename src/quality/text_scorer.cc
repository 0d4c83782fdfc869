#include "quality/text_scorer.h"

#include <algorithm>
#include <cmath>

#include "quality/logit_rows.h"
#include "runtime/log_softmax.h"
#include "runtime/text_reader.h"

namespace hone::quality {
namespace {

using base::ErrorCode;
using base::fail;
using runtime::LogSoftmax;
using runtime::TextReader;
using Bytes = std::span<const std::byte>;

constexpr uint32_t kContextMin = 8;

TextWindow window_of(std::span<const int32_t> tokens, size_t begin, size_t end, size_t scored) {
    const auto part = tokens.subspan(begin, end - begin);
    return {{part.begin(), part.end()}, scored - begin};
}

size_t longest(std::span<const TextWindow> windows) {
    size_t tokens = 0;
    for (const TextWindow& window : windows) tokens = std::max(tokens, window.tokens.size());
    return tokens;
}

base::Result<TextReader> reader_for(runtime::Session& session,
                                    std::span<const TextWindow> windows) {
    const size_t tokens = longest(windows);
    const uint32_t context = session.options().limits.context;
    if (tokens > context) {
        return fail(ErrorCode::invalid_argument, "a window of {} tokens; {} to {} are possible",
                    tokens, kContextMin, context);
    }
    return TextReader::create(session, static_cast<uint32_t>(tokens));
}

class SessionRows final : public ReferenceRows {
  public:
    SessionRows(TextReader reader, std::string name, std::span<const TextWindow> windows)
        : reader_(std::move(reader)), name_(std::move(name)), windows_(windows) {}

    size_t vocab() const override { return reader_.vocab(); }

    base::Result<Bytes> window(size_t index) override {
        const size_t bytes = row_bytes(vocab());
        rows_.resize(windows_[index].rows() * bytes);
        size_t at = 0;
        const auto keep = [&](const LogSoftmax& logits, int32_t next) {
            write_row(logits, next, std::span(rows_).subspan(at, bytes));
            at += bytes;
        };
        HONE_TRY_STATUS(read_window(reader_, windows_[index], name_, keep));
        return rows_;
    }

  private:
    TextReader reader_;
    std::string name_;  // of the model, for messages
    std::span<const TextWindow> windows_;
    std::vector<std::byte> rows_;
};

class FileRows final : public ReferenceRows {
  public:
    FileRows(const BaseFile& file, size_t vocab, std::span<const TextWindow> windows)
        : file_(file), vocab_(vocab), windows_(windows) {}

    size_t vocab() const override { return vocab_; }

    base::Result<Bytes> window(size_t index) override {
        HONE_TRY(const Bytes rows, file_.chunk(index));
        const size_t bytes = row_bytes(vocab_);
        if (rows.size() != windows_[index].rows() * bytes) {
            return fail(ErrorCode::corrupt, "stored rows: {} bytes of a window of {} tokens",
                        rows.size(), windows_[index].rows());
        }
        for (size_t at = 0; at < rows.size(); at += bytes) {
            HONE_TRY_STATUS(check_row(rows.subspan(at, bytes), vocab_));
        }
        return rows;
    }

  private:
    const BaseFile& file_;
    size_t vocab_;
    std::span<const TextWindow> windows_;
};

// What the model's row and the reference's of the same token add to the sums.
class PairSums {
  public:
    explicit PairSums(size_t vocab) : divergence_(vocab), row_(row_bytes(vocab)) {}

    void add(const LogSoftmax& logits, int32_t next, Bytes reference, ScoredWindow& sums) {
        write_row(logits, next, row_);
        const RowFacts theirs = row_facts(reference);
        const double delta = std::exp(-logits.nll(next)) - std::exp(-theirs.nll);
        sums.nll_reference += theirs.nll;
        sums.kl += divergence_(reference, row_);
        sums.same_top += logits.top == theirs.top ? 1 : 0;
        sums.delta_p += delta;
        sums.delta_p_squared += delta * delta;
    }

  private:
    RowDivergence divergence_;
    std::vector<std::byte> row_;
};

}  // namespace

base::Result<std::vector<TextWindow>> cut_text(const text::Tokenizer& tokenizer,
                                               std::span<const int32_t> tokens,
                                               const WindowOptions& options) {
    const size_t context = options.context;
    if (context < kContextMin) {
        return fail(ErrorCode::invalid_argument, "a window of {} tokens; at least {} are needed",
                    context, kContextMin);
    }
    if (tokens.size() < context) {
        return fail(ErrorCode::invalid_argument,
                    "the text has {} tokens; a window of {} needs at least as many", tokens.size(),
                    context);
    }
    std::vector<TextWindow> windows;
    const auto full = [&] {
        return options.windows_max > 0 && windows.size() == options.windows_max;
    };
    if (options.window == WindowKind::llama) {
        // The token after the window's middle is the first that is predicted from half a window.
        for (size_t at = 0; at + context <= tokens.size() && !full(); at += context) {
            windows.push_back(window_of(tokens, at, at + context, at + context / 2 + 1));
            if (tokenizer.adds_bos()) windows.back().tokens.front() = tokenizer.bos();
        }
    } else {
        size_t scored = 1;
        for (size_t at = 0; scored < tokens.size() && !full(); at += context / 2) {
            const size_t end = std::min(at + context, tokens.size());
            windows.push_back(window_of(tokens, at, end, scored));
            scored = end;
        }
    }
    return windows;
}

base::Result<std::unique_ptr<ReferenceRows>> rows_of_session(runtime::Session& session,
                                                             std::span<const TextWindow> windows) {
    HONE_TRY(TextReader reader, reader_for(session, windows));
    return std::make_unique<SessionRows>(std::move(reader), session.model().path(), windows);
}

base::Result<std::unique_ptr<ReferenceRows>> rows_of_file(const BaseFile& file, size_t vocab,
                                                          std::span<const TextWindow> windows) {
    if (file.chunks() != windows.size()) {
        return fail(ErrorCode::corrupt, "stored rows of {} windows; the text has {}", file.chunks(),
                    windows.size());
    }
    return std::make_unique<FileRows>(file, vocab, windows);
}

uint64_t rows_bytes(std::span<const TextWindow> windows, size_t vocab) {
    uint64_t bytes = 0;
    for (const TextWindow& window : windows) bytes += window.rows() * row_bytes(vocab);
    return bytes;
}

base::Status write_rows(ReferenceRows& rows, size_t windows, BaseFileWriter& file,
                        const GoOn& go_on) {
    for (size_t i = 0; i < windows; ++i) {
        HONE_TRY_STATUS(check_go_on(go_on, i, windows));
        HONE_TRY(const Bytes bytes, rows.window(i));
        HONE_TRY_STATUS(file.append(bytes));
    }
    return file.commit();
}

base::Result<std::vector<ScoredWindow>> score_text(runtime::Session& session,
                                                   std::span<const TextWindow> windows,
                                                   ReferenceRows* reference, const GoOn& go_on) {
    const size_t vocab = session.config().n_vocab;
    if (reference != nullptr && reference->vocab() != vocab) {
        return fail(ErrorCode::invalid_argument,
                    "the models have {} and {} tokens: their predictions cannot be compared", vocab,
                    reference->vocab());
    }
    HONE_TRY(TextReader model, reader_for(session, windows));
    std::vector<ScoredWindow> scored(windows.size());
    PairSums pair(vocab);
    const size_t bytes = row_bytes(vocab);
    for (size_t i = 0; i < windows.size(); ++i) {
        HONE_TRY_STATUS(check_go_on(go_on, i, windows.size()));
        Bytes rows;
        if (reference != nullptr) {
            HONE_TRY(rows, reference->window(i));
        }
        ScoredWindow& sums = scored[i];
        const auto add = [&](const LogSoftmax& logits, int32_t next) {
            if (reference != nullptr) {
                pair.add(logits, next, rows.subspan(sums.n * bytes, bytes), sums);
            }
            sums.nll += logits.nll(next);
            sums.bytes += session.tokenizer().decode_piece(next).size();
            ++sums.n;
        };
        HONE_TRY_STATUS(read_window(model, windows[i], session.model().path(), add));
    }
    return scored;
}

}  // namespace hone::quality
