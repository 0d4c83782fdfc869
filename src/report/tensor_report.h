// The report of `hone inspect --tensor`: values of tensors, and what other types do to them.
//
// One tensor gets a sheet, several a table with a small histogram each. JSON and page have all of
// it for each. Pure.
#pragma once

#include <span>
#include <string>

#include "base/json_fwd.h"
#include "measure/tensor_profile.h"
#include "report/style.h"

namespace hone::report {

struct TensorsOf {
    std::string model;  // base name
    std::span<const measure::TensorProfile> tensors;
    bool show_block = false;  // the example's weights one by one
    std::string build;
};

std::string render_tensors(const TensorsOf& of, const Style& style);
// {schema, model, tensors: [...]}.
base::Json tensors_json(const TensorsOf& of);
// One self-contained page (report/html_report.h); of `style` only the language matters.
std::string render_tensors_html(const TensorsOf& of, const Style& style);

}  // namespace hone::report
