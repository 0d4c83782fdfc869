#include "cli/quality_work.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/checksum.h"
#include "base/json.h"
#include "base/text.h"
#include "cli/input.h"
#include "quality/builtin_data.h"
#include "quality/scores.h"

namespace hone::cli {
namespace {

using base::ErrorCode;
using base::fail;

constexpr size_t kTextBytesMax = 256u << 20;
constexpr std::string_view kBuiltin = "builtin:";

base::Result<std::string> data_bytes(const std::string& name) {
    if (!name.starts_with(kBuiltin)) return base::read_file(name, quality::kItemFileBytesMax);
    std::string names;
    for (const quality::BuiltinData& file : quality::builtin_data()) {
        if (name.substr(kBuiltin.size()) == file.name) return std::string(file.jsonl);
        names += fmt::format("{}{}", names.empty() ? "" : ", ", file.name);
    }
    return fail(ErrorCode::not_found, "{}: built in are {}", base::printable(name), names);
}

bool is_same_file(const std::string& a, const std::string& b) {
    std::error_code ignored;
    return a == b || std::filesystem::equivalent(a, b, ignored);
}

base::Status read_data(const QualityOptions& options, QualityWork& work) {
    for (size_t file = 0; file < options.data.size(); ++file) {
        const std::string& name = options.data[file];
        HONE_TRY(const std::string bytes, data_bytes(name));
        // Items that count twice would make every interval too narrow.
        const auto before_it = std::span(options.data).first(file);
        if (std::any_of(before_it.begin(), before_it.end(),
                        [&](const std::string& other) { return is_same_file(name, other); })) {
            return fail(ErrorCode::invalid_argument, "--data {}: given twice",
                        base::printable(name));
        }
        const size_t before = work.items.size();
        if (const auto status = quality::add_items(bytes, work.items); !status) {
            return tl::unexpected<base::Error>(status.error().within(name));
        }
        for (size_t i = before; i < work.items.size(); ++i) {
            work.items[i].where = fmt::format("{}: {}", name, work.items[i].where);
        }
        const uint64_t sum = base::checksum(std::as_bytes(std::span(bytes)));
        work.data->push_back({{"file", file_name(name)},
                              {"items", work.items.size() - before},
                              {"checksum", fmt::format("{:016x}", sum)}});
        work.content += bytes;
    }
    if (options.against.empty()) return {};
    for (const quality::Item& item : work.items) {
        if (!item.answered()) continue;
        return fail(ErrorCode::invalid_argument,
                    "--against: {} carries its answer, which no base can give", item.where);
    }
    return {};
}

quality::ScoringRules rules_of(const QualityOptions& options) {
    quality::ScoringRules rules;
    for (const auto length : {quality::ChoiceLength::none, quality::ChoiceLength::characters,
                              quality::ChoiceLength::bytes}) {
        if (options.choice_length == quality::choice_length_name(length)) {
            rules.choice_length = length;
        }
    }
    if (options.bleu_tokens == "characters") rules.bleu_tokens = quality::BleuTokens::characters;
    if (options.rouge_tokens == "unicode") rules.rouge_tokens = quality::RougeTokens::unicode;
    return rules;
}

// One item of each kind that has metrics of its own.
std::vector<quality::Item> kinds_of_items(std::span<const quality::Item> items) {
    std::vector<quality::Item> kinds;
    for (const quality::Item& item : items) {
        const bool known = std::any_of(kinds.begin(), kinds.end(), [&](const auto& kind) {
            return kind.task == item.task && kind.turns.empty() == item.turns.empty();
        });
        if (!known) kinds.push_back(item);
    }
    return kinds;
}

// What a run can measure, found from answers that say nothing.
struct Measurable {
    std::vector<std::string> values;
    std::vector<std::string> changes;
};

Measurable measurable(const QualityOptions& options, const QualityWork& work) {
    const bool compared = !options.against.empty();
    Measurable out;
    if (!options.text.empty()) {
        const quality::ScoredWindow any{.n = 1, .bytes = 1};
        for (auto& score : quality::scores_of({&any, 1}, compared)) {
            out.values.push_back(std::move(score.name));
        }
        if (compared) out.changes.emplace_back("perplexity");
    }
    const std::vector<quality::Item> items = kinds_of_items(work.items);
    std::vector<quality::ItemAnswer> blank;
    for (const quality::Item& item : items) {
        for (std::string& output : blank.emplace_back(quality::blank_answer(item)).outputs) {
            output.clear();
        }
    }
    const auto all = quality::measure_items(items, blank, work.rules);
    for (const auto& measured : *all) {
        out.values.emplace_back(measured.metric.name);
        if (compared) out.changes.emplace_back(measured.metric.name);
    }
    if (!compared) return out;
    const auto distances = quality::measure_distances(items, blank, blank);
    for (const auto& measured : *distances) {
        out.values.emplace_back(measured.metric.name);
    }
    return out;
}

// Wrong names are found before minutes are spent.
base::Status check_names(const QualityOptions& options, QualityWork& work) {
    const Measurable names = measurable(options, work);
    for (const std::string& name : options.metrics) {
        if (has_name(names.values, name)) continue;
        return fail(ErrorCode::invalid_argument, "--metric {}: this run has {}{}",
                    base::printable(name), fmt::join(names.values, ", "),
                    options.against.empty() ? "; more with --against BASE" : "");
    }
    if (options.gate.empty()) return {};
    HONE_TRY(work.gate, quality::parse_gate(options.gate, quality::gate_metrics()));
    for (const quality::GateTerm& term : work.gate->terms) {
        if (has_name(term.is_change ? names.changes : names.values, term.metric->metric)) continue;
        const bool needs_base =
            options.against.empty() && (term.is_change || term.metric->distance);
        return fail(
            ErrorCode::invalid_argument, "gate '{}': {}", term.text(),
            needs_base ? "needs --against BASE" : "this run does not measure it (--text, --data)");
    }
    return {};
}

}  // namespace

bool has_name(const std::vector<std::string>& names, std::string_view name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

base::Result<QualityWork> read_quality_work(const QualityOptions& options) {
    if (options.text.empty() && options.data.empty()) {
        return fail(ErrorCode::invalid_argument,
                    "nothing to measure: give --text FILE or --data FILE");
    }
    QualityWork work;
    work.data = base::Json::array();
    work.rules = rules_of(options);
    HONE_TRY_STATUS(read_data(options, work));
    HONE_TRY_STATUS(check_names(options, work));
    if (!options.text.empty()) {
        HONE_TRY(work.text, base::read_file(options.text, kTextBytesMax));
    }
    work.needs_model = !options.text.empty() ||
                       std::any_of(work.items.begin(), work.items.end(),
                                   [](const quality::Item& item) { return !item.answered(); });
    if (options.model.empty() && work.needs_model) {
        return fail(ErrorCode::invalid_argument, "a model is needed: hone quality MODEL ...");
    }
    if (!options.model.empty() && !work.needs_model) {
        return fail(ErrorCode::invalid_argument,
                    "every item carries its answer, so no model is asked: leave out {}",
                    base::printable(options.model));
    }
    return work;
}

}  // namespace hone::cli
