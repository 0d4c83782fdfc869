#include "ledger/journal_text.h"

#include "base/json.h"
#include "cost/note.h"
#include "machine/json_fields.h"

namespace hone::ledger {
namespace {

using base::ErrorCode;
using base::fail;
using base::Json;

// Texts of a ledger are small; more is not ours.
constexpr base::JsonLimits kLimits{1u << 20, 16, 256};

base::Result<diagnose::Note> note_of(const Json& json) {
    base::Status status;
    diagnose::Note note;
    Json parameters = Json::object();
    machine::JsonFields fields(json, "$", status);
    fields.required("id", note.id);
    fields.optional("parameters", parameters);
    if (!status) return tl::unexpected(std::move(status).error());
    if (!parameters.is_object()) return fail(ErrorCode::corrupt, "$.parameters: not an object");
    for (const auto& [name, value] : parameters.items()) {
        if (value.is_string()) {
            note.parameters.emplace_back(name, value.get<std::string>());
        } else if (value.is_number_integer()) {
            note.parameters.emplace_back(name, value.get<int64_t>());
        } else if (value.is_number()) {
            note.parameters.emplace_back(name, value.get<double>());
        } else {
            note.parameters.emplace_back(name, std::string("n/a"));
        }
    }
    return note;
}

}  // namespace

Json changes_json(const Changes& changes) {
    Json json = Json::object();
    for (const auto& [name, value] : changes) json[name] = value;
    return json;
}

base::Result<Changes> changes_of(const Json& json) {
    if (!json.is_object()) return fail(ErrorCode::corrupt, "settings: not an object");
    Changes changes;
    for (const auto& [name, value] : json.items()) {
        if (!value.is_string()) return fail(ErrorCode::corrupt, "settings.{}: not a text", name);
        changes.emplace_back(name, value.get<std::string>());
    }
    return changes;
}

Json quality_json(const measure::QualityComparison& quality) {
    Json json = {{"n", quality.n},
                 {"kl_mean", machine::json_number(quality.kl_mean)},
                 {"kl_max", machine::json_number(quality.kl_max)},
                 {"same_top", quality.same_top},
                 {"nll_a", machine::json_number(quality.nll_a)},
                 {"nll_b", machine::json_number(quality.nll_b)},
                 {"nll_change_low", nullptr},
                 {"nll_change_high", nullptr},
                 {"verdict", measure::verdict_name(quality.verdict)},
                 {"text", quality.text}};
    if (quality.nll_change_ci95) {
        json["nll_change_low"] = machine::json_number(quality.nll_change_ci95->low);
        json["nll_change_high"] = machine::json_number(quality.nll_change_ci95->high);
    }
    return json;
}

std::string changes_text(const Changes& changes) {
    return base::dump_json(changes_json(changes), -1);
}

base::Result<Changes> parse_changes(const std::string& text) {
    HONE_TRY(const Json json, base::parse_json(text, kLimits));
    return changes_of(json);
}

std::string notes_text(const std::vector<diagnose::Note>& notes) {
    Json json = Json::array();
    for (const diagnose::Note& note : notes) json.push_back(to_json(note));
    return base::dump_json(json, -1);
}

base::Result<std::vector<diagnose::Note>> parse_notes(const std::string& text) {
    HONE_TRY(const Json json, base::parse_json(text, kLimits));
    if (!json.is_array()) return fail(ErrorCode::corrupt, "notes: not an array");
    std::vector<diagnose::Note> notes;
    for (const Json& item : json) {
        HONE_TRY(auto note, note_of(item));
        notes.push_back(std::move(note));
    }
    return notes;
}

std::string quality_text(const std::optional<measure::QualityComparison>& quality) {
    return quality ? base::dump_json(quality_json(*quality), -1) : std::string();
}

base::Result<std::optional<measure::QualityComparison>> parse_quality(const std::string& text) {
    if (text.empty()) return std::optional<measure::QualityComparison>();
    HONE_TRY(const Json json, base::parse_json(text, kLimits));
    base::Status status;
    measure::QualityComparison quality;
    uint64_t n = 0;
    uint64_t same_top = 0;
    std::optional<double> low;
    std::optional<double> high;
    std::string verdict;
    machine::JsonFields fields(json, "$", status);
    fields.required("n", n);
    fields.required("kl_mean", quality.kl_mean);
    fields.required("kl_max", quality.kl_max);
    fields.required("same_top", same_top);
    fields.required("nll_a", quality.nll_a);
    fields.required("nll_b", quality.nll_b);
    fields.optional("nll_change_low", low);
    fields.optional("nll_change_high", high);
    fields.required("verdict", verdict);
    fields.optional("text", quality.text);
    if (!status) return tl::unexpected(std::move(status).error());
    const auto known = parse_verdict(verdict);
    if (!known) return fail(ErrorCode::corrupt, "unknown verdict '{}'", verdict.substr(0, 32));
    quality.verdict = *known;
    quality.n = n;
    quality.same_top = same_top;
    if (low && high) quality.nll_change_ci95 = measure::Interval{*low, *high};
    return std::optional(std::move(quality));
}

std::optional<measure::Verdict> parse_verdict(std::string_view name) {
    using measure::Verdict;
    for (const Verdict verdict :
         {Verdict::improved, Verdict::regressed, Verdict::within_noise, Verdict::not_enough_data}) {
        if (name == measure::verdict_name(verdict)) return verdict;
    }
    return std::nullopt;
}

}  // namespace hone::ledger
