#include "report/html_report.h"

#include <utility>
#include <vector>

#include "base/json.h"
#include "report/assets.h"
#include "report/messages.h"
#include "report/page_data.h"

namespace hone::report {
namespace {

// Fills the frame's marks in one walk: what is put in is never looked at again, so data that
// contains a mark stays data.
std::string fill(std::string_view frame,
                 const std::vector<std::pair<std::string_view, std::string>>& parts) {
    std::string out;
    while (!frame.empty()) {
        size_t at = std::string_view::npos;
        const std::pair<std::string_view, std::string>* next = nullptr;
        for (const auto& part : parts) {
            const size_t found = frame.find(part.first);
            if (found >= at) continue;
            at = found;
            next = &part;
        }
        out += frame.substr(0, at);
        if (next == nullptr) break;
        out += next->second;
        frame.remove_prefix(at + next->first.size());
    }
    return out;
}

// Bytes that are not UTF-8 become the replacement character, as in the data.
std::string valid_utf8(const std::string& text) {
    const auto json = base::parse_json(base::dump_json(base::Json(text)));
    return json ? json->get<std::string>() : std::string();
}

}  // namespace

std::string script_safe(std::string_view json) {
    std::string out;
    out.reserve(json.size() + json.size() / 16);
    for (size_t i = 0; i < json.size(); ++i) {
        const char c = json[i];
        if (c == '<' || c == '>' || c == '&') {
            out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
        } else if (json.compare(i, 3, "\xe2\x80\xa8") == 0 ||
                   json.compare(i, 3, "\xe2\x80\xa9") == 0) {
            out += json[i + 2] == '\xa8' ? "\\u2028" : "\\u2029";
            i += 2;
        } else {
            out += c;
        }
    }
    return out;
}

std::string html_safe(std::string_view text) {
    std::string out;
    for (const char c : text) {
        switch (c) {
            case '<':
                out += "&lt;";
                break;
            case '>':
                out += "&gt;";
                break;
            case '&':
                out += "&amp;";
                break;
            case '"':
                out += "&quot;";
                break;
            case '\'':
                out += "&#39;";
                break;
            default:
                // Control characters are not allowed in HTML at all.
                out += static_cast<unsigned char>(c) < 0x20 || c == 0x7f ? ' ' : c;
        }
    }
    return out;
}

std::string render_page(const std::string& title, base::Json data, const Style& style) {
    data["language"] = style.language == Language::chinese ? "zh" : "en";
    data["texts"] = page_texts(style);
    return fill(page_html(), {{"@LANGUAGE@", style.language == Language::chinese ? "zh-CN" : "en"},
                              {"@TITLE@", html_safe(valid_utf8(title))},
                              {"@NOSCRIPT@", html_safe(say(style, "page_noscript"))},
                              {"@STYLE@", std::string(page_css())},
                              {"@DATA@", script_safe(base::dump_json(data, -1))},
                              {"@CHART@", std::string(chart_js())},
                              {"@SCRIPT@", std::string(page_js())}});
}

std::string render_html(const diagnose::Diagnosis& diagnosis, const measure::RunRecord& record,
                        const Style& style) {
    const std::string model = record.model.file.empty() ? record.model.name : record.model.file;
    return render_page(say(style, diagnose::note("page_title").with("model", model)),
                       page_data(diagnosis, record, style), style);
}

}  // namespace hone::report
