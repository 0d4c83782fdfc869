#include "report/cache_report.h"

#include "base/json.h"
#include "base/text.h"
#include "machine/json_fields.h"
#include "report/page.h"
#include "report/table.h"

namespace hone::report {
namespace {

using base::Json;
using diagnose::note;

constexpr int kCacheSchema = 1;

const char* fate_name(CacheFate fate) {
    constexpr const char* kNames[] = {"kept", "removed", "would_be_removed", "in_use", "failed"};
    return kNames[static_cast<size_t>(fate)];
}

// Coarse: nobody counts the seconds of a file.
std::string age_text(double seconds) {
    constexpr double kHour = 3600;
    constexpr double kDay = 24 * kHour;
    if (seconds < 2 * kHour) return fmt::format("{:.0f} min", std::max(0.0, seconds) / 60);
    if (seconds < 2 * kDay) return fmt::format("{:.0f} h", seconds / kHour);
    return fmt::format("{:.0f} d", seconds / kDay);
}

std::string about_text(const Style& style, const CacheRow& row) {
    if (row.file.unfinished) return say(style, "cache_unfinished");
    return row.about.empty() ? say(style, "cache_unknown") : one_line(row.about);
}

std::string names_text(const std::vector<std::string>& names) {
    std::string out;
    for (const std::string& name : names) out += (out.empty() ? "" : ", ") + one_line(name);
    return out;
}

void add_foreign(Page& page, const std::vector<std::string>& names) {
    if (!names.empty()) page.note(note("cache_foreign").with("names", names_text(names)));
}

Json row_json(const CacheRow& row) {
    return {{"name", row.file.name},
            {"about", row.about.empty() ? Json(nullptr) : Json(row.about)},
            {"bytes", row.file.bytes},
            {"unused_s", machine::json_number(row.file.unused_s)},
            {"unfinished", row.file.unfinished}};
}

uint64_t bytes_with(const CacheState& cache, bool removed) {
    uint64_t bytes = 0;
    for (const CacheKind& kind : cache.kinds) {
        for (const CacheRow& row : kind.rows) {
            const bool gone =
                row.fate == CacheFate::removed || row.fate == CacheFate::would_be_removed;
            if (gone == removed) bytes += row.file.bytes;
        }
    }
    return bytes;
}

}  // namespace

uint64_t bytes_of(const CacheKind& kind) {
    uint64_t bytes = 0;
    for (const CacheRow& row : kind.rows) bytes += row.file.bytes;
    return bytes;
}

std::string render_cache(const CacheState& cache, const Style& style) {
    Page page(style);
    page.note(note("cache_head")
                  .with("path", one_line(cache.path))
                  .with("all_bytes", bytes_with(cache, false)),
              0);
    for (const CacheKind& kind : cache.kinds) {
        page.section("cache_kind_" + kind.id);
        page.note(note(kind.bytes_max > 0 ? "cache_held_limited" : "cache_held")
                      .with("n", kind.rows.size())
                      .with("held_bytes", bytes_of(kind))
                      .with("limit_bytes", kind.bytes_max));
        Table table({{say(style, "head_cache_file"), false, true},
                     {say(style, "head_cache_about"), false, true},
                     {say(style, "head_size"), true, false},
                     {say(style, "head_unused"), true, false}});
        for (const CacheRow& row : kind.rows) {
            table.add({one_line(row.file.name), about_text(style, row),
                       base::format_bytes(static_cast<double>(row.file.bytes)),
                       age_text(row.file.unused_s)});
        }
        if (!table.empty()) page.table(table);
        add_foreign(page, kind.foreign);
    }
    if (!cache.foreign.empty()) page.blank();
    add_foreign(page, cache.foreign);
    return page.take();
}

Json cache_json(const CacheState& cache) {
    Json kinds = Json::array();
    for (const CacheKind& kind : cache.kinds) {
        Json files = Json::array();
        for (const CacheRow& row : kind.rows) files.push_back(row_json(row));
        kinds.push_back({{"kind", kind.id},
                         {"path", kind.path},
                         {"bytes", bytes_of(kind)},
                         {"bytes_max", kind.bytes_max > 0 ? Json(kind.bytes_max) : Json(nullptr)},
                         {"files", std::move(files)},
                         {"foreign", kind.foreign}});
    }
    return {{"schema", kCacheSchema},
            {"path", cache.path},
            {"bytes", bytes_with(cache, false)},
            {"kinds", std::move(kinds)},
            {"foreign", cache.foreign}};
}

std::string render_cleaning(const CacheState& cache, const Style& style) {
    Page page(style);
    for (const CacheKind& kind : cache.kinds) {
        for (const CacheRow& row : kind.rows) {
            if (row.fate == CacheFate::kept) continue;
            const std::string id = std::string("cache_fate_") + fate_name(row.fate);
            page.note(note(id)
                          .with("file", kind.id + "/" + one_line(row.file.name))
                          .with("about", about_text(style, row))
                          .with("size_bytes", row.file.bytes)
                          .with("age", age_text(row.file.unused_s)),
                      0);
        }
    }
    page.note(note("cache_cleaned")
                  .with("gone_bytes", bytes_with(cache, true))
                  .with("left_bytes", bytes_with(cache, false)),
              0);
    return page.take();
}

Json cleaning_json(const CacheState& cache, bool dry_run) {
    Json files = Json::array();
    for (const CacheKind& kind : cache.kinds) {
        for (const CacheRow& row : kind.rows) {
            if (row.fate == CacheFate::kept) continue;
            Json json = row_json(row);
            json["kind"] = kind.id;
            json["fate"] = fate_name(row.fate);
            files.push_back(std::move(json));
        }
    }
    return {{"schema", kCacheSchema},
            {"path", cache.path},
            {"dry_run", dry_run},
            {"gone_bytes", bytes_with(cache, true)},
            {"left_bytes", bytes_with(cache, false)},
            {"files", std::move(files)}};
}

}  // namespace hone::report
