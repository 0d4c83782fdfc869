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
    std::string text = fmt::format("text\n{}vocabulary {} positions {}\n", model.identity,
                                   model.vocab, model.positions);
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
    return fmt::format("items\n{}positions {} items {} bytes {} content {:016x} seed {}\n",
                       model.identity, model.positions, items, content.size(),
                       checksum_of(std::span(content.data(), content.size())), seed);
}

// Of a file with one chunk.
base::Result<std::vector<ItemAnswer>> answers_of_file(const BaseFile& file,
                                                      std::span<const Item> items) {
    HONE_TRY(const auto chunk, file.chunk(0));
    return parse_answers({reinterpret_cast<const char*>(chunk.data()), chunk.size()}, items);
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
base::Result<std::unique_ptr<ReferenceRows>> BaseRun::whole_rows(
    std::span<const TextWindow> windows, const GoOn& go_on) const {
    HONE_TRY(auto rows, rows_of_file(*file_, model_.vocab, windows));
    for (size_t i = 0; i < windows.size(); ++i) {
        HONE_TRY_STATUS(check_go_on(go_on, i, windows.size()));
        HONE_TRY([[maybe_unused]] const auto window, rows->window(i));
    }
    return rows;
}

base::Result<bool> BaseRun::find_rows(const std::string& description,
                                      std::span<const TextWindow> windows, const GoOn& go_on) {
    std::string note;
    file_ = store_.find(description, note);
    add_note(std::move(note));
    if (!file_) return false;
    auto rows = whole_rows(windows, go_on);
    if (rows) {
        rows_ = std::move(*rows);
        return true;
    }
    if (rows.error().code == ErrorCode::cancelled) {
        return tl::unexpected<base::Error>(rows.error());
    }
    add_note(fmt::format("stored rows of the base are not used: {}", rows.error().message));
    file_.reset();
    store_.remove(description);
    return false;
}

// False: they cannot be, which a note then says.
base::Result<bool> BaseRun::keep_rows(const std::string& description,
                                      std::span<const TextWindow> windows, ReferenceRows& live,
                                      const GoOn& go_on) {
    const auto store = [&]() -> base::Status {
        HONE_TRY(auto writer, store_.create(description, rows_bytes(windows, model_.vocab)));
        return write_rows(live, windows.size(), writer, go_on);
    };
    const base::Status stored = store();
    if (!stored) {
        // Where the base is at fault, not the store, going on would only find the same again.
        const ErrorCode code = stored.error().code;
        if (code == ErrorCode::cancelled || code == ErrorCode::corrupt) {
            return tl::unexpected<base::Error>(stored.error());
        }
        add_note(fmt::format("the base's run is not kept: {}", stored.error().message));
        return false;
    }
    HONE_TRY(const bool found, find_rows(description, windows, go_on));
    if (!found) add_note("the base's run is not kept: it cannot be read again");
    return found;
}

base::Result<ReferenceRows*> BaseRun::rows(std::span<const TextWindow> windows, const GoOn& go_on) {
    const std::string description = describe_text(model_, windows);
    HONE_TRY(const bool found, find_rows(description, windows, go_on));
    if (found) {
        reused_.emplace_back("text");
        return rows_.get();
    }
    HONE_TRY(runtime::Session * session, this->session());
    HONE_TRY(auto live, rows_of_session(*session, windows));
    if (!store_.directory.empty()) {
        HONE_TRY(const bool kept, keep_rows(description, windows, *live, go_on));
        if (kept) return rows_.get();
    }
    rows_ = std::move(live);
    rows_are_live_ = true;
    return rows_.get();
}

base::Result<std::vector<ItemAnswer>> BaseRun::answers(std::span<const Item> items,
                                                       std::string_view content,
                                                       const AnswerOptions& options) {
    const std::string description = describe_items(model_, content, options.seed, items.size());
    std::string note;
    if (const auto file = store_.find(description, note); file && file->chunks() == 1) {
        auto answers = answers_of_file(*file, items);
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
