// The files that the program carries for its report page, as bytes of its own image.
//
// Put there by cmake/assets.cmake; not a file system: a fixed set, each under its own name. Valid
// for the life of the process. Pure.
#pragma once

#include <string_view>

namespace hone::report {

std::string_view chart_js();   // Chart.js 3, minified
std::string_view page_html();  // the frame, with @NAME@ where the parts go
std::string_view page_css();
std::string_view page_js();

}  // namespace hone::report
