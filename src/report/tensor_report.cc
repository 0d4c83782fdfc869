#include "report/tensor_report.h"

#include <algorithm>
#include <cmath>

#include "base/json.h"
#include "base/text.h"
#include "machine/json_fields.h"
#include "report/column_chart.h"
#include "report/html_report.h"
#include "report/page.h"

namespace hone::report {
namespace {

using base::Json;
using diagnose::note;
using measure::Bins;
using measure::BlockView;
using measure::StoredAs;
using measure::TensorProfile;
using measure::ValueProfile;

constexpr size_t kHistogramColumns = 60;
constexpr size_t kHistogramLines = 8;
constexpr size_t kSmallColumns = 40;
constexpr size_t kSmallColumnsNarrow = 30;  // below kWideEnough
constexpr size_t kWideEnough = 100;
constexpr size_t kTinyColumns = 15;
constexpr size_t kBlockPerLine = 8;

std::string real(double value) {
    return fmt::format("{:.4g}", value);
}

std::string fine_percent(double share) {
    // Two digits are too few for outliers: shares far below 1 % are the interesting ones.
    return share > 0 && share < 0.001 ? fmt::format("{:.2g} %", 100 * share)
                                      : fmt::format("{:.2f} %", 100 * share);
}

std::string decibels(const std::optional<double>& value) {
    return value ? fmt::format("{:.1f}", *value) : "-";
}

std::string shape(const TensorProfile& tensor) {
    std::string out;
    for (const uint64_t dim : tensor.dims) {
        out += (out.empty() ? "" : " x ") + fmt::format("{}", dim);
    }
    return out;
}

// "Q4_K (as Q5_0)" where the rows are not whole blocks of what was asked for.
std::string type_name(const Style& style, const StoredAs& stored) {
    if (stored.asked == stored.type) return stored.type;
    return say(style, note("tensor_fallback").with("asked", stored.asked).with("as", stored.type));
}

// Columns, and under them the values at both ends and in the middle.
void add_histogram(Page& page, const Bins& bins) {
    const std::vector<uint64_t> columns = merged(bins.counts, kHistogramColumns);
    for (const std::string& line : column_chart(page.style(), columns, kHistogramLines)) {
        page.drawn("  " + line);
    }
    const std::string low = real(bins.low), high = real(bins.high);
    const std::string middle = real((bins.low + bins.high) / 2);
    const size_t half = columns.size() / 2;
    std::string axis = pad(low, half - middle.size() / 2, false) + middle;
    axis += pad(high, columns.size() - std::min(columns.size(), axis.size()), true);
    page.drawn("  " + axis);
    if (bins.below + bins.above > 0) {
        page.note(note("tensor_beyond")
                      .with("below", static_cast<int64_t>(bins.below))
                      .with("above", static_cast<int64_t>(bins.above)));
    }
}

std::string small_chart(const Style& style, const Bins& bins, size_t columns) {
    const auto lines = column_chart(style, merged(bins.counts, columns), 1);
    return lines.empty() ? std::string() : lines.front();
}

void add_values(Page& page, const ValueProfile& values) {
    page.note(note("tensor_range")
                  .with("min", real(values.min))
                  .with("max", real(values.max))
                  .with("mean", real(values.mean))
                  .with("stddev", real(values.stddev)));
    page.note(note("tensor_magnitudes")
                  .with("p50", real(values.magnitude_p50))
                  .with("p90", real(values.magnitude_p90))
                  .with("p99", real(values.magnitude_p99))
                  .with("p999", real(values.magnitude_p999)));
    page.note(note("tensor_shares")
                  .with("zero", fine_percent(values.zero_share))
                  .with("denormal", fine_percent(values.denormal_share))
                  .with("outlier", fine_percent(values.outlier_share))
                  .with("deviations", real(measure::kOutlierDeviations)));
    if (values.nans + values.infinities > 0) {
        page.note(note("tensor_not_finite")
                      .with("nans", static_cast<int64_t>(values.nans))
                      .with("infinities", static_cast<int64_t>(values.infinities)));
    }
}

// One line for a distribution of scales.
void add_scales_row(Table& table, const Page& page, const std::string& name,
                    const ValueProfile& scales) {
    const size_t columns = page.width() < kWideEnough ? kSmallColumnsNarrow : kSmallColumns;
    table.add({name, real(scales.min), real(scales.median), real(scales.max),
               small_chart(page.style(), scales.bins, columns)});
}

// Types that were measured, each once: two may fall back to the same.
std::vector<const StoredAs*> distinct(const TensorProfile& tensor) {
    std::vector<const StoredAs*> found;
    for (const StoredAs& stored : tensor.stored_as) {
        const bool known = std::any_of(found.begin(), found.end(),
                                       [&](const auto* one) { return one->type == stored.type; });
        if (stored.reason.empty() && !known) found.push_back(&stored);
    }
    return found;
}

void add_scales(Page& page, const TensorProfile& tensor) {
    const Style& style = page.style();
    Table table({{say(style, "head_type")},
                 {say(style, "head_min"), true},
                 {say(style, "head_median"), true},
                 {say(style, "head_max"), true},
                 {say(style, "head_distribution")}});
    if (tensor.scales) {
        const auto name = note("tensor_as_stored").with("as", tensor.type);
        add_scales_row(table, page, say(style, name), *tensor.scales);
    }
    for (const StoredAs* stored : distinct(tensor)) {
        if (stored->scales) add_scales_row(table, page, stored->type, *stored->scales);
    }
    if (table.empty()) return;
    page.section("tensor_scales");
    page.table(table);
}

void add_types(Page& page, const TensorProfile& tensor) {
    const Style& style = page.style();
    Table table({{say(style, "head_type")},
                 {say(style, "head_bits_short"), true},
                 {say(style, "head_size"), true},
                 {say(style, "head_snr"), true},
                 {say(style, "head_relative_rmse"), true},
                 {say(style, "head_rmse"), true},
                 {say(style, "head_max_error"), true},
                 {say(style, "head_to_zero"), true}});
    for (const StoredAs& stored : tensor.stored_as) {
        if (!stored.reason.empty()) continue;
        table.add({type_name(style, stored), fmt::format("{:.4g}", stored.bits_per_weight),
                   base::format_bytes(static_cast<double>(stored.bytes)), decibels(stored.snr_db),
                   fine_percent(stored.relative_rmse), fmt::format("{:.3g}", stored.rmse),
                   fmt::format("{:.3g}", stored.max_error), fine_percent(stored.to_zero_share)});
    }
    if (!table.empty()) {
        page.section("tensor_types");
        page.table(table);
    }
    for (const StoredAs& stored : tensor.stored_as) {
        if (stored.reason.empty()) continue;
        page.note(note("tensor_cannot")
                      .with("as", type_name(style, stored))
                      .with("reason", stored.reason));
    }
}

void add_errors(Page& page, const TensorProfile& tensor) {
    const Style& style = page.style();
    Table table({{say(style, "head_type")}, {say(style, "head_distribution")}});
    const Bins* range = nullptr;
    for (const StoredAs* stored : distinct(tensor)) {
        // Where nothing is lost there is nothing to see.
        if (!stored->snr_db) continue;
        table.add({stored->type, small_chart(style, stored->error.bins, kHistogramColumns)});
        range = &stored->error.bins;
    }
    if (table.empty()) return;
    page.section("tensor_errors");
    page.note(
        note("tensor_error_range").with("low", real(range->low)).with("high", real(range->high)));
    page.table(table);
}

// Digits after the point that show a block's weights with three or four figures.
int decimals_of(const BlockView& block) {
    double largest = 0;
    for (const double value : block.values) largest = std::max(largest, std::fabs(value));
    if (!(largest >= 1e-3 && largest < 1e4)) return -1;
    return std::clamp(3 - static_cast<int>(std::floor(std::log10(largest))), 0, 6);
}

std::string number_line(const Style& style, const char* head, std::span<const double> values,
                        int decimals) {
    std::string line = pad(say(style, head), 6, false);
    for (const double value : values) {
        // Without the sign of a negative zero.
        const double shown = value + 0.0;
        line += pad(
            decimals < 0 ? fmt::format("{:.1e}", shown) : fmt::format("{:.{}f}", shown, decimals),
            9, true);
    }
    return line;
}

// A block's weights, codes and what comes back, eight at a time.
void add_block(Page& page, const std::string& type, const BlockView& block) {
    const Style& style = page.style();
    page.note(note("tensor_block_of")
                  .with("as", type)
                  .with("scale", real(block.scale))
                  .with("minimum", real(block.minimum))
                  .with("levels", static_cast<int64_t>(block.levels.size())));
    const int decimals = decimals_of(block);
    for (size_t begin = 0; begin < block.values.size(); begin += kBlockPerLine) {
        const size_t n = std::min(kBlockPerLine, block.values.size() - begin);
        const std::vector<double> codes(
            block.codes.begin() + static_cast<std::ptrdiff_t>(begin),
            block.codes.begin() + static_cast<std::ptrdiff_t>(begin + n));
        if (begin > 0) page.blank();
        const auto part = [&](const std::vector<double>& of) {
            return std::span(of).subspan(begin, n);
        };
        page.drawn("  " + number_line(style, "block_weight", part(block.values), decimals));
        page.drawn("  " + number_line(style, "block_code", codes, 0));
        page.drawn("  " + number_line(style, "block_stored", part(block.stored), decimals));
    }
}

void add_blocks(Page& page, const TensorProfile& tensor) {
    if (tensor.block) {
        page.section("tensor_block");
        const auto name = note("tensor_as_stored").with("as", tensor.type);
        add_block(page, say(page.style(), name), *tensor.block);
    }
    bool first = !tensor.block;
    std::string types = tensor.type;
    for (const StoredAs* stored : distinct(tensor)) {
        if (stored->type != tensor.type) types += ", " + stored->type;
        if (!stored->block) continue;
        if (first) page.section("tensor_block");
        if (!first) page.blank();
        first = false;
        add_block(page, stored->type, *stored->block);
    }
    if (!first) return;
    page.section("tensor_block");
    page.note(note("tensor_no_block").with("as", types));
}

void add_sheet(Page& page, const TensorProfile& tensor, bool show_block) {
    page.line(paint(page.style(), Ink::bold, fit(one_line(tensor.name), page.width())));
    page.note(note("tensor_facts")
                  .with("shape", shape(tensor))
                  .with("as", tensor.type)
                  .with("bits", fmt::format("{:.4g}", tensor.bits_per_weight))
                  .with("size_bytes", static_cast<int64_t>(tensor.bytes)));
    add_values(page, tensor.values);
    if (!tensor.values.bins.counts.empty()) {
        page.blank();
        add_histogram(page, tensor.values.bins);
    }
    add_types(page, tensor);
    add_errors(page, tensor);
    add_scales(page, tensor);
    if (show_block) add_blocks(page, tensor);
}

// Several tensors: a line each.
void add_overview(Page& page, std::span<const TensorProfile> tensors, bool show_block) {
    const Style& style = page.style();
    Table table({{say(style, "head_tensor"), false, true},
                 {say(style, "head_shape"), true},
                 {say(style, "head_type")},
                 {say(style, "head_stddev"), true},
                 {say(style, "head_max_magnitude"), true},
                 {say(style, "head_outliers"), true},
                 {say(style, "head_distribution")}});
    for (const TensorProfile& tensor : tensors) {
        const double largest = std::max(std::fabs(tensor.values.min), std::fabs(tensor.values.max));
        table.add({one_line(tensor.name), shape(tensor), tensor.type,
                   fmt::format("{:.3g}", tensor.values.stddev), fmt::format("{:.3g}", largest),
                   fine_percent(tensor.values.outlier_share),
                   small_chart(style, tensor.values.bins, kTinyColumns)});
    }
    page.table(table, 0);
    if (show_block) page.note(note("tensor_blocks_elsewhere"), 0);
    if (tensors.front().stored_as.empty()) return;
    std::vector<Column> columns = {{say(style, "head_tensor"), false, true}};
    for (const StoredAs& stored : tensors.front().stored_as)
        columns.push_back({stored.asked, true});
    Table errors(std::move(columns));
    for (const TensorProfile& tensor : tensors) {
        std::vector<std::string> cells = {one_line(tensor.name)};
        for (const StoredAs& stored : tensor.stored_as) {
            const std::string error =
                stored.reason.empty() ? fine_percent(stored.relative_rmse) : "-";
            cells.push_back(stored.asked == stored.type ? error : error + " (" + stored.type + ")");
        }
        errors.add(std::move(cells));
    }
    page.section("tensor_overview_errors");
    page.table(errors, 0);
}

Json bins_json(const Bins& bins) {
    return {{"low", bins.low},
            {"high", bins.high},
            {"counts", bins.counts},
            {"below", bins.below},
            {"above", bins.above}};
}

Json values_json(const ValueProfile& values) {
    return {{"count", values.count},
            {"nans", values.nans},
            {"infinities", values.infinities},
            {"min", values.min},
            {"max", values.max},
            {"mean", values.mean},
            {"stddev", values.stddev},
            {"rms", values.rms},
            {"median", values.median},
            {"magnitude_p50", values.magnitude_p50},
            {"magnitude_p90", values.magnitude_p90},
            {"magnitude_p99", values.magnitude_p99},
            {"magnitude_p999", values.magnitude_p999},
            {"zero_share", values.zero_share},
            {"denormal_share", values.denormal_share},
            {"outlier_share", values.outlier_share},
            {"bins", bins_json(values.bins)}};
}

Json scales_json(const std::optional<ValueProfile>& scales) {
    return scales ? values_json(*scales) : Json(nullptr);
}

Json block_json(const std::optional<BlockView>& block) {
    if (!block) return nullptr;
    return {{"first", block->first},   {"scale", block->scale},   {"minimum", block->minimum},
            {"levels", block->levels}, {"values", block->values}, {"stored", block->stored},
            {"codes", block->codes}};
}

Json stored_json(const StoredAs& stored) {
    Json out = {{"asked", stored.asked},
                {"type", stored.type},
                {"bits_per_weight", stored.bits_per_weight},
                {"bytes", stored.bytes}};
    if (!stored.reason.empty()) {
        out["reason"] = stored.reason;
        return out;
    }
    out["rmse"] = stored.rmse;
    out["relative_rmse"] = stored.relative_rmse;
    out["max_error"] = stored.max_error;
    out["snr_db"] = machine::json_optional(stored.snr_db);
    out["to_zero_share"] = stored.to_zero_share;
    out["error"] = values_json(stored.error);
    out["scales"] = scales_json(stored.scales);
    out["block"] = block_json(stored.block);
    return out;
}

Json tensor_json(const TensorProfile& tensor) {
    Json stored_as = Json::array();
    for (const StoredAs& stored : tensor.stored_as) stored_as.push_back(stored_json(stored));
    return {{"name", tensor.name},
            {"type", tensor.type},
            {"dims", tensor.dims},
            {"bytes", tensor.bytes},
            {"bits_per_weight", tensor.bits_per_weight},
            {"values", values_json(tensor.values)},
            {"scales", scales_json(tensor.scales)},
            {"block", block_json(tensor.block)},
            {"stored_as", stored_as}};
}

}  // namespace

std::string render_tensors(const TensorsOf& of, const Style& style) {
    Page page(style);
    if (of.tensors.size() == 1) {
        add_sheet(page, of.tensors.front(), of.show_block);
    } else if (!of.tensors.empty()) {
        add_overview(page, of.tensors, of.show_block);
    }
    return page.take();
}

Json tensors_json(const TensorsOf& of) {
    Json tensors = Json::array();
    for (const TensorProfile& tensor : of.tensors) tensors.push_back(tensor_json(tensor));
    return {{"schema", 1}, {"model", of.model}, {"tensors", tensors}};
}

std::string render_tensors_html(const TensorsOf& of, const Style& style) {
    Json data = {{"inspection", tensors_json(of)}};
    data["inspection"]["build"] = of.build;
    return render_page(say(style, note("page_inspect_title").with("model", of.model)),
                       std::move(data), style);
}

}  // namespace hone::report
