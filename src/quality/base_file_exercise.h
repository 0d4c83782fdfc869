// What a test does with bytes that claim to be a base's file: parse them, take every chunk, and
// read each as rows of a small vocabulary and as answers to one item of each kind. Shared by the
// fuzzer and the tests; not for production code.
#pragma once

#include <cstddef>
#include <span>
#include <string_view>
#include <vector>

#include "quality/answers.h"
#include "quality/base_file.h"
#include "quality/logit_rows.h"

namespace hone::quality {

inline constexpr size_t kExerciseVocab = 5;

inline std::vector<Item> exercise_items() {
    Item choice;
    choice.choices = {"a", "b"};
    Item generation;
    generation.task = TaskKind::generation;
    generation.prompts.resize(1);
    return {choice, generation};
}

// True where the file and all its checksums are whole.
inline bool exercise_base_file(std::span<const std::byte> bytes) {
    const auto view = parse_base_file(bytes);
    if (!view) return false;
    bool whole = true;
    RowDivergence divergence(kExerciseVocab);
    for (size_t i = 0; i < view->chunks.size(); ++i) {
        const auto chunk = checked_chunk(*view, i);
        whole = whole && chunk.has_value();
        // Also of damaged chunks: what reads them must stand anything.
        const std::span<const std::byte> rows = view->chunks[i];
        const size_t row = row_bytes(kExerciseVocab);
        for (size_t at = 0; at + row <= rows.size(); at += row) {
            if (!check_row(rows.subspan(at, row), kExerciseVocab)) continue;
            whole = divergence(rows.first(row), rows.subspan(at, row)) >= 0 && whole;
        }
        const std::string_view text(reinterpret_cast<const char*>(rows.data()), rows.size());
        const auto answers = parse_answers(text, exercise_items());
        if (answers && answers->size() != 2) return false;
    }
    return whole;
}

}  // namespace hone::quality
