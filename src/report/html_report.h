// The report of `hone explain` as one HTML page that needs nothing else: no file, no network.
//
// Its data is embedded once, as JSON: what `hone explain --json` prints, what the charts need
// beyond it (report/page_data.h) and the texts of one language. The scripts of src/report/page
// build the page from that with DOM calls that take text only, so a foreign string (a model's name,
// a command) stays text; here it only has to leave no way out of its script element. Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/json_fwd.h"
#include "diagnose/diagnosis.h"
#include "measure/record.h"
#include "report/style.h"

namespace hone::report {

// Of `style` only the language matters.
std::string render_html(const diagnose::Diagnosis& diagnosis, const measure::RunRecord& record,
                        const Style& style);

// The page around any data: `data` gets the language and its texts, and the scripts draw what they
// know of it ("explain" with "charts", or "optimization").
std::string render_page(const std::string& title, base::Json data, const Style& style);

// JSON that may stand inside a script element: no "<", ">", "&" and no line separators of
// JavaScript, which are written as \u escapes. `json` is valid JSON, so they are inside strings.
std::string script_safe(std::string_view json);
// Text that may stand between tags.
std::string html_safe(std::string_view text);

}  // namespace hone::report
