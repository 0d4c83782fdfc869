// The base model of a comparison: what it predicts and answers, computed once and kept.
//
// Asks the store first; opens the base only where something is missing, keeps what it then gives,
// and goes on from the file, so that the first comparison and the later ones have the same numbers.
// Where the store is off, full or broken, the base stays open and is asked as the candidate goes:
// the same numbers again, at the cost of its memory. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "quality/answers.h"
#include "quality/base_file.h"
#include "quality/text_scorer.h"
#include "runtime/session.h"

namespace hone::quality {

struct BaseModel {
    // All that the base's numbers depend on but its input: the model's bytes, settings, build.
    std::string identity;
    size_t vocab = 0;
    // That its session has: some models scale rotations by it, and a long answer ends there.
    uint32_t positions = 0;
    std::function<base::Result<std::unique_ptr<runtime::Session>>()> open;
};

class BaseRun {
  public:
    // The clock is borrowed.
    BaseRun(BaseModel model, BaseStore store, const base::Clock& clock)
        : model_(std::move(model)), store_(std::move(store)), clock_(&clock) {}

    // The windows are borrowed; the rows are valid as long as this and them. Errors of opening the
    // base and of reading it; corrupt: its predictions are no numbers.
    base::Result<ReferenceRows*> rows(std::span<const TextWindow> windows, const GoOn& go_on);
    // `content` names the items: the bytes of their files.
    base::Result<std::vector<ItemAnswer>> answers(std::span<const Item> items,
                                                  std::string_view content,
                                                  const AnswerOptions& options);
    // Ends the base's session, unless rows() still needs it. After the last question.
    void finish();

    // Parts that came from an earlier run: "text", "items".
    const std::vector<std::string>& reused() const { return reused_; }
    // What to tell the user: a broken file, no room.
    const std::vector<std::string>& notes() const { return notes_; }

  private:
    base::Result<runtime::Session*> session();
    base::Result<std::unique_ptr<ReferenceRows>> whole_rows(std::span<const TextWindow> windows,
                                                            const GoOn& go_on) const;
    base::Result<bool> find_rows(const std::string& description,
                                 std::span<const TextWindow> windows, const GoOn& go_on);
    base::Result<bool> keep_rows(const std::string& description,
                                 std::span<const TextWindow> windows, ReferenceRows& live,
                                 const GoOn& go_on);
    void add_note(std::string note);

    BaseModel model_;
    BaseStore store_;
    const base::Clock* clock_;
    std::unique_ptr<runtime::Session> session_;
    std::optional<BaseFile> file_;
    std::unique_ptr<ReferenceRows> rows_;
    bool rows_are_live_ = false;
    std::vector<std::string> reused_;
    std::vector<std::string> notes_;
};

}  // namespace hone::quality
