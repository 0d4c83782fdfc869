#include "quality/base_run.h"

#include <fmt/format.h>

#include "base/checksum.h"

namespace hone::quality {
namespace {

using base::ErrorCode;

template <class T>
uint64_t checksum_of(std::span<const T> values) {
    return base::checksum(std::as_bytes(values));
}

// Everything that the rows depend on beside the model.
std::string describe_text(const BaseModel& model, std::span<const TextWindow> windows) {
    std::string text = fmt::format("text\n{}vocabulary {}\n", model.identity, model.vocab);
    uint64_t tokens = 0;
    for (const TextWindow& window : windows) {
        const std::span<const int32_t> ids = window.tokens;
        // Of a chain: the order of the windows counts.
        const uint64_t link[] = {tokens, window.scored, checksum_of(ids)};
        tokens = checksum_of(std::span<const uint64_t>(link));
    }
    return text + fmt::format("windows {} tokens {:016x}\n", windows.size(), tokens);
}

std::string describe_items(const BaseModel& model, std::string_view content, uint64_t seed,
                           size_t items) {
    return fmt::format("items\n{}items {} bytes {} content {:016x} seed {}\n", model.identity,
                       items, content.size(),
                       checksum_of(std::span(content.data(), content.size())), seed);
}

}  // namespace

void BaseRun::add_note(std::string note) {
    if (!note.empty()) notes_.push_back(std::move(note));
}

base::Result<runtime::Session*> BaseRun::session() {
    if (!session_) {
        HONE_TRY(session_, model_.open());
    }
    return session_.get();
}

// All of them are looked at, so that damage is found while the base can still be asked.
base::Status BaseRun::take_rows(std::span<const TextWindow> windows) {
    HONE_TRY(rows_, rows_of_file(*file_, model_.vocab, windows));
    for (size_t i = 0; i < windows.size(); ++i) {
        HONE_TRY([[maybe_unused]] const auto rows, rows_->window(i));
    }
    return {};
}

base::Status BaseRun::store_rows(const std::string& description,
                                 std::span<const TextWindow> windows, ReferenceRows& live,
                                 const GoOn& go_on) {
    HONE_TRY(auto writer, store_.create(description, rows_bytes(windows, model_.vocab)));
    return write_rows(live, windows.size(), writer, go_on);
}

base::Result<ReferenceRows*> BaseRun::rows(std::span<const TextWindow> windows, const GoOn& go_on) {
    const std::string description = describe_text(model_, windows);
    std::string note;
    file_ = store_.find(description, note);
    add_note(std::move(note));
    if (file_) {
        const base::Status whole = take_rows(windows);
        if (whole) {
            reused_.emplace_back("text");
            return rows_.get();
        }
        add_note(fmt::format("stored rows of the base are not used: {}", whole.error().message));
        file_.reset();
        store_.remove(description);
    }
    HONE_TRY(runtime::Session * session, this->session());
    HONE_TRY(rows_, rows_of_session(*session, windows));
    rows_are_live_ = true;
    if (store_.directory.empty()) return rows_.get();
    const base::Status stored = store_rows(description, windows, *rows_, go_on);
    if (!stored && stored.error().code == ErrorCode::cancelled) {
        return tl::unexpected<base::Error>(stored.error());
    }
    note.clear();
    if (stored) file_ = store_.find(description, note);
    if (!file_) {
        add_note(
            fmt::format("the base's run is not kept: {}", stored ? note : stored.error().message));
        return rows_.get();
    }
    HONE_TRY_STATUS(take_rows(windows));
    rows_are_live_ = false;
    return rows_.get();
}

base::Result<std::vector<ItemAnswer>> BaseRun::answers(std::span<const Item> items,
                                                       std::string_view content,
                                                       const AnswerOptions& options) {
    const std::string description = describe_items(model_, content, options.seed, items.size());
    std::string note;
    if (const auto file = store_.find(description, note); file && file->chunks() == 1) {
        const auto chunk = file->chunk(0);
        const auto text = [&] {
            return std::string_view(reinterpret_cast<const char*>(chunk->data()), chunk->size());
        };
        auto answers =
            chunk
                ? parse_answers(text(), items)
                : base::Result<std::vector<ItemAnswer>>(tl::unexpected<base::Error>(chunk.error()));
        if (answers) {
            reused_.emplace_back("items");
            return answers;
        }
        note = fmt::format("stored answers of the base are not used: {}", answers.error().message);
        store_.remove(description);
    }
    add_note(std::move(note));
    HONE_TRY(runtime::Session * session, this->session());
    HONE_TRY(auto answers, answer_items(*session, items, options, *clock_));
    if (store_.directory.empty()) return answers;
    const std::string text = answers_text(answers);
    const auto store = [&]() -> base::Status {
        HONE_TRY(auto writer, store_.create(description, text.size()));
        HONE_TRY_STATUS(writer.append(std::as_bytes(std::span(text.data(), text.size()))));
        return writer.commit();
    };
    if (const base::Status stored = store(); !stored) {
        add_note(fmt::format("the base's answers are not kept: {}", stored.error().message));
    }
    return answers;
}

void BaseRun::finish() {
    if (!rows_are_live_) session_.reset();
}

}  // namespace hone::quality
