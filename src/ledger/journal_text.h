// How the ledger writes values that are not columns: changes, notes and quality, as JSON texts.
//
// Reading checks every field, since a file may come from anywhere: corrupt names what is wrong.
// Also the form of these values in a recipe and in reports. Pure.
#pragma once

#include <string>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"
#include "ledger/journal.h"

namespace hone::ledger {

// {"threads": "2", ...} in order.
base::Json changes_json(const Changes& changes);
base::Result<Changes> changes_of(const base::Json& json);
base::Json quality_json(const measure::QualityComparison& quality);

std::string changes_text(const Changes& changes);
base::Result<Changes> parse_changes(const std::string& text);
std::string notes_text(const std::vector<diagnose::Note>& notes);
base::Result<std::vector<diagnose::Note>> parse_notes(const std::string& text);
// "" for none.
std::string quality_text(const std::optional<measure::QualityComparison>& quality);
base::Result<std::optional<measure::QualityComparison>> parse_quality(const std::string& text);

std::optional<measure::Verdict> parse_verdict(std::string_view name);

}  // namespace hone::ledger
