#include "report/inspect_report.h"

#include <algorithm>
#include <memory>
#include <set>
#include <vector>

#include "base/json.h"
#include "base/text.h"
#include "report/page.h"

namespace hone::report {
namespace {

using base::Json;

// A column narrower than this cuts most numbers: models beyond the width go to a table below.
constexpr size_t kModelColumnMin = 16;
constexpr size_t kLabelColumn = 30;

std::string count(const std::optional<double>& value) {
    return value ? base::format_count(*value) : "-";
}

std::string bytes(const std::optional<double>& value) {
    return value ? base::format_bytes(*value) : "-";
}

template <class T>
std::optional<double> real(const std::optional<T>& value) {
    return value ? std::optional<double>(static_cast<double>(*value)) : std::nullopt;
}

std::string kv_megabytes(const InspectRow& row) {
    if (!row.kv_bytes_per_token) return "-";
    return fmt::format("{:.4g}", static_cast<double>(*row.kv_bytes_per_token) / 1e6);
}

class SideBySide {
  public:
    SideBySide(const Style& style, std::span<const InspectRow> rows) : style_(style), rows_(rows) {
        std::vector<Column> columns = {{"", false, true}};
        for (const InspectRow& row : rows) columns.push_back({row.file, true, true});
        table_ = std::make_unique<Table>(std::move(columns));
    }
    // A line that says nothing for any model is left out.
    void add(const std::string& label, const auto& text_of) {
        std::vector<std::string> cells = {label};
        bool any = false;
        for (const InspectRow& row : rows_) {
            cells.push_back(text_of(row));
            any = any || cells.back() != "-";
        }
        if (any) table_->add(std::move(cells));
    }
    void add_id(const char* id, const auto& text_of) { add(say(style_, id), text_of); }
    const Table& table() const { return *table_; }

  private:
    const Style& style_;
    std::span<const InspectRow> rows_;
    std::unique_ptr<Table> table_;
};

void add_identity(SideBySide& side, std::span<const InspectRow> rows, const Style& style) {
    side.add_id("row_name", [](const InspectRow& r) { return r.name.empty() ? "-" : r.name; });
    side.add_id("row_architecture", [](const InspectRow& r) { return r.architecture; });
    side.add_id("row_parameters", [](const InspectRow& r) {
        return base::format_count(static_cast<double>(r.parameters));
    });
    side.add_id("row_file", [](const InspectRow& r) {
        return base::format_bytes(static_cast<double>(r.file_bytes));
    });
    std::set<std::string> dtypes;
    for (const InspectRow& row : rows) {
        for (const auto& [dtype, size] : row.bytes_by_dtype) dtypes.insert(dtype);
    }
    for (const std::string& dtype : dtypes) {
        side.add(say(style, diagnose::note("row_dtype").with("dtype", dtype)),
                 [&](const InspectRow& r) -> std::string {
                     const auto found = r.bytes_by_dtype.find(dtype);
                     if (found == r.bytes_by_dtype.end()) return "-";
                     return base::format_bytes(static_cast<double>(found->second));
                 });
    }
    side.add_id("row_layers", [](const InspectRow& r) { return fmt::format("{}", r.layers); });
    side.add_id("row_context_max",
                [](const InspectRow& r) { return fmt::format("{}", r.context_max); });
}

void add_costs(SideBySide& side) {
    side.add_id("row_context", [](const InspectRow& r) { return fmt::format("{}", r.context); });
    side.add_id("row_weights", [](const InspectRow& r) { return bytes(real(r.weights_bytes)); });
    side.add_id("row_workspace",
                [](const InspectRow& r) { return bytes(real(r.workspace_bytes)); });
    side.add_id("row_kv", [](const InspectRow& r) { return bytes(real(r.kv_bytes)); });
    side.add_id("row_kv_token", kv_megabytes);
    side.add_id("row_prefill_flops",
                [](const InspectRow& r) { return count(r.prefill_flops_per_token); });
    side.add_id("row_prefill_bytes",
                [](const InspectRow& r) { return bytes(r.prefill_bytes_per_token); });
    side.add_id("row_decode_flops",
                [](const InspectRow& r) { return count(r.decode_flops_per_token); });
    side.add_id("row_decode_bytes",
                [](const InspectRow& r) { return bytes(r.decode_bytes_per_token); });
    side.add_id("row_prefill_light",
                [](const InspectRow& r) { return count(r.prefill_light_tokens_per_s); });
    side.add_id("row_decode_light",
                [](const InspectRow& r) { return count(r.decode_light_tokens_per_s); });
    side.add_id("row_load", [](const InspectRow& r) {
        return r.load_ms ? base::format_duration_ns(*r.load_ms * 1e6) : std::string("-");
    });
}

Json number(const std::optional<double>& value) {
    return value ? Json(*value) : Json(nullptr);
}

Json whole(const std::optional<uint64_t>& value) {
    return value ? Json(*value) : Json(nullptr);
}

}  // namespace

std::string render_inspect(std::span<const InspectRow> rows, const Style& style) {
    Page page(style);
    const size_t room = page.width() > kLabelColumn ? page.width() - kLabelColumn : 0;
    const size_t at_once = std::max<size_t>(1, room / (kModelColumnMin + 2));
    for (size_t begin = 0; begin < rows.size(); begin += at_once) {
        const auto part = rows.subspan(begin, std::min(at_once, rows.size() - begin));
        if (begin > 0) page.blank();
        SideBySide side(page.style(), part);
        add_identity(side, part, page.style());
        add_costs(side);
        page.table(side.table(), 0);
    }
    return page.take();
}

Json inspect_json(std::span<const InspectRow> rows) {
    Json out = Json::array();
    for (const InspectRow& row : rows) {
        Json dtypes = Json::object();
        for (const auto& [dtype, size] : row.bytes_by_dtype) dtypes[dtype] = size;
        out.push_back({{"file", row.file},
                       {"name", row.name},
                       {"architecture", row.architecture},
                       {"parameters", row.parameters},
                       {"file_bytes", row.file_bytes},
                       {"bytes_by_dtype", dtypes},
                       {"context_max", row.context_max},
                       {"layers", row.layers},
                       {"context", row.context},
                       {"weights_bytes", whole(row.weights_bytes)},
                       {"workspace_bytes", whole(row.workspace_bytes)},
                       {"kv_bytes", whole(row.kv_bytes)},
                       {"kv_bytes_per_token", whole(row.kv_bytes_per_token)},
                       {"prefill_flops_per_token", number(row.prefill_flops_per_token)},
                       {"prefill_bytes_per_token", number(row.prefill_bytes_per_token)},
                       {"decode_flops_per_token", number(row.decode_flops_per_token)},
                       {"decode_bytes_per_token", number(row.decode_bytes_per_token)},
                       {"prefill_light_tokens_per_s", number(row.prefill_light_tokens_per_s)},
                       {"decode_light_tokens_per_s", number(row.decode_light_tokens_per_s)},
                       {"load_ms", number(row.load_ms)}});
    }
    return out;
}

}  // namespace hone::report
