#include "report/assets.h"

// Labels of the assembler files that cmake/assets.cmake writes; only their addresses mean anything.
extern "C" {
extern const char hone_asset_chart_js_begin[];
extern const char hone_asset_chart_js_end[];
extern const char hone_asset_page_html_begin[];
extern const char hone_asset_page_html_end[];
extern const char hone_asset_page_css_begin[];
extern const char hone_asset_page_css_end[];
extern const char hone_asset_page_js_begin[];
extern const char hone_asset_page_js_end[];
}

namespace hone::report {
namespace {

std::string_view between(const char* begin, const char* end) {
    return {begin, static_cast<size_t>(end - begin)};
}

}  // namespace

std::string_view chart_js() {
    return between(hone_asset_chart_js_begin, hone_asset_chart_js_end);
}

std::string_view page_html() {
    return between(hone_asset_page_html_begin, hone_asset_page_html_end);
}

std::string_view page_css() {
    return between(hone_asset_page_css_begin, hone_asset_page_css_end);
}

std::string_view page_js() {
    return between(hone_asset_page_js_begin, hone_asset_page_js_end);
}

}  // namespace hone::report
