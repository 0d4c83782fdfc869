#include "cli/quantize_output.h"

#include <cmath>
#include <map>
#include <tuple>

#include "base/json.h"
#include "base/text.h"
#include "cost/note.h"
#include "report/messages.h"
#include "report/table.h"

namespace hone::cli {
namespace {

// Rows of the front that a terminal shows; JSON has all of them.
constexpr size_t kFrontRows = 10;

double relative_error(const compress::EncodeError& error) {
    return error.magnitude > 0 ? std::sqrt(error.squared / error.magnitude) : 0;
}

std::string size_text(uint64_t bytes) {
    return report::format_value("size_bytes", static_cast<double>(bytes));
}

// One line per kind of change: how many tensors, how large, how far off.
std::string changes_table(const QuantizeOutcome& outcome, const report::Style& style) {
    struct Row {
        uint64_t tensors = 0;
        uint64_t bytes = 0;
        compress::EncodeError error;
    };
    std::map<std::tuple<tensor::DType, tensor::DType, compress::Reason>, Row> rows;
    for (size_t i = 0; i < outcome.recipe.tensors.size(); ++i) {
        const compress::TensorChoice& choice = outcome.recipe.tensors[i];
        Row& row = rows[{choice.from, choice.to, choice.reason}];
        ++row.tensors;
        row.bytes += choice.bytes;
        if (!outcome.results.empty()) row.error.add(outcome.results[i].error);
    }
    report::Table table({{report::say(style, "head_from")},
                         {report::say(style, "head_to")},
                         {report::say(style, "head_reason")},
                         {report::say(style, "head_tensors"), true},
                         {report::say(style, "head_size"), true},
                         {report::say(style, "head_relative_error"), true}});
    for (const auto& [key, row] : rows) {
        const auto& [from, to, reason] = key;
        const bool known = row.error.magnitude > 0;
        table.add({std::string(tensor::name(from)), std::string(tensor::name(to)),
                   std::string(compress::reason_name(reason)), fmt::format("{}", row.tensors),
                   size_text(row.bytes),
                   known ? fmt::format("{:.4f}", relative_error(row.error)) : "-"});
    }
    return table.render(style.width);
}

double bits_of(uint64_t bytes, const compress::Recipe& recipe) {
    return 8.0 * static_cast<double>(bytes) / static_cast<double>(recipe.elements());
}

std::string front_table(const QuantizeOutcome& outcome, const report::Style& style) {
    const TargetFacts& target = *outcome.target;
    report::Table table({{report::say(style, "head_size"), true},
                         {report::say(style, "head_bits"), true},
                         {report::say(style, "head_expected_kl"), true}});
    const size_t last = target.front.size() - 1;
    for (size_t row = 0; row < kFrontRows; ++row) {
        const compress::FrontPoint& point = target.front[last * row / (kFrontRows - 1)];
        const uint64_t bytes = point.price + target.fixed_bytes;
        table.add({size_text(bytes), fmt::format("{:.3f}", bits_of(bytes, outcome.recipe)),
                   fmt::format("{:.5f}", point.cost)});
    }
    return report::say(style, "quantize_front") + "\n" + table.render(style.width) + "\n";
}

base::Json sensitivity_json(const compress::SensitivityTable& table) {
    base::Json tensors = base::Json::array();
    for (const compress::TensorSensitivity& tensor : table.tensors) {
        base::Json types = base::Json::array();
        for (const compress::TypeCost& cost : tensor.types) {
            types.push_back({{"type", tensor::name(cost.type)},
                             {"bytes", cost.bytes},
                             {"error", cost.error},
                             {"kl", cost.kl}});
        }
        tensors.push_back({{"name", tensor.name}, {"group", tensor.group}, {"types", types}});
    }
    base::Json groups = base::Json::array();
    for (const compress::GroupProbe& probe : table.groups) {
        groups.push_back({{"group", probe.group}, {"error", probe.error}, {"kl", probe.kl}});
    }
    return {{"probe_type", tensor::name(table.probe_type)},
            {"tokens", table.tokens},
            {"groups", groups},
            {"tensors", tensors}};
}

base::Json decode_json(const DecodeFacts& decode) {
    base::Json json = {{"wanted_ratio", decode.wanted_ratio},
                       {"predicted_ratio", decode.predicted_ratio},
                       {"files", decode.files}};
    if (!decode.check) return json;
    const probe::RateCheck& check = *decode.check;
    json["input_tokens_per_s"] = check.a_tokens_per_s;
    json["output_tokens_per_s"] = check.b_tokens_per_s;
    json["share_of_target"] = check.share;
    json["pairs"] = check.pairs;
    if (check.share_ci95) {
        json["share_ci95"] = {check.share_ci95->low, check.share_ci95->high};
    }
    return json;
}

// What was asked, predicted and measured.
std::string decode_text(const DecodeFacts& decode, const report::Style& style) {
    const auto predicted = cost::note("quantize_decode_predicted")
                               .with("wanted_x", decode.wanted_ratio)
                               .with("predicted_x", decode.predicted_ratio);
    std::string text = report::say(style, predicted) + "\n";
    if (!decode.check) return text;
    const probe::RateCheck& check = *decode.check;
    const auto interval = check.share_ci95.value_or(measure::Interval{check.share, check.share});
    text += report::say(style, cost::note("quantize_decode_measured")
                                   .with("input_per_s", check.a_tokens_per_s)
                                   .with("output_per_s", check.b_tokens_per_s)
                                   .with("off_percent", 100 * (check.share - 1))
                                   .with("low_percent", 100 * (interval.low - 1))
                                   .with("high_percent", 100 * (interval.high - 1))
                                   .with("n", check.pairs)
                                   .with("files", decode.files)) +
            "\n";
    return text;
}

base::Json scaling_json(const compress::ChannelScaling& scaling) {
    base::Json groups = base::Json::array();
    for (const compress::ScaleChoice& choice : scaling.groups) {
        groups.push_back({{"name", choice.group},
                          {"activation_power", choice.activation_power},
                          {"weight_power", choice.weight_power},
                          {"error_ratio", choice.error_ratio}});
    }
    base::Json unscaled = base::Json::array();
    for (const compress::UnscaledGroup& group : scaling.unscaled) {
        unscaled.push_back({{"name", group.name}, {"reason", group.reason}});
    }
    return {{"groups", groups}, {"unscaled", unscaled}};
}

std::string scaling_text(const compress::ChannelScaling& scaling, const report::Style& style) {
    std::string text =
        report::say(style, cost::note("quantize_scaling")
                               .with("n", scaling.scaled())
                               .with("groups", scaling.groups.size() + scaling.unscaled.size())
                               .with("ratio", fmt::format("{:.3f}", scaling.error_ratio()))) +
        "\n";
    for (const compress::UnscaledGroup& group : scaling.unscaled) {
        text += report::say(style, cost::note("quantize_unscaled")
                                       .with("name", base::printable(group.name))
                                       .with("reason", group.reason)) +
                "\n";
    }
    return text;
}

base::Json target_json(const QuantizeOutcome& outcome) {
    const TargetFacts& target = *outcome.target;
    base::Json front = base::Json::array();
    for (const compress::FrontPoint& point : target.front) {
        const uint64_t bytes = point.price + target.fixed_bytes;
        front.push_back({{"bytes", bytes},
                         {"bits_per_weight", bits_of(bytes, outcome.recipe)},
                         {"expected_kl", point.cost}});
    }
    base::Json json = {{"target", target.target},
                       {"expected_kl", target.expected_kl},
                       {"front", front},
                       {"sensitivity", sensitivity_json(target.sensitivity)}};
    if (target.decode) json["decode"] = decode_json(*target.decode);
    return json;
}

}  // namespace

std::string quantize_text(const QuantizeOutcome& outcome, const report::Style& style) {
    std::string text;
    if (outcome.target) text += front_table(outcome, style);
    text += changes_table(outcome, style);
    text += report::say(style,
                        cost::note("quantize_total")
                            .with("size_bytes", static_cast<double>(outcome.recipe.bytes()))
                            .with("bits", fmt::format("{:.3f}", outcome.recipe.bits_per_weight()))
                            .with("wall_s", outcome.seconds)) +
            "\n";
    if (outcome.scaling) text += scaling_text(*outcome.scaling, style);
    if (outcome.target) {
        text += report::say(style,
                            cost::note("quantize_expected_kl")
                                .with("kl", fmt::format("{:.5f}", outcome.target->expected_kl))) +
                "\n";
        if (outcome.target->decode) text += decode_text(*outcome.target->decode, style);
    }
    return text;
}

base::Json quantize_json(const QuantizeOutcome& outcome) {
    base::Json tensors = base::Json::array();
    for (size_t i = 0; i < outcome.recipe.tensors.size(); ++i) {
        const compress::TensorChoice& choice = outcome.recipe.tensors[i];
        base::Json item = {
            {"name", choice.name},           {"from", tensor::name(choice.from)},
            {"to", tensor::name(choice.to)}, {"reason", compress::reason_name(choice.reason)},
            {"columns", choice.columns},     {"rows", choice.rows},
            {"bytes", choice.bytes}};
        if (!outcome.results.empty()) {
            item["relative_error"] = relative_error(outcome.results[i].error);
        }
        tensors.push_back(std::move(item));
    }
    base::Json json = {{"schema", 1},
                       {"model", outcome.model},
                       {"output", outcome.output},
                       {"bytes", outcome.recipe.bytes()},
                       {"bits_per_weight", outcome.recipe.bits_per_weight()},
                       {"seconds", outcome.seconds},
                       {"tensors", tensors}};
    if (outcome.calibration) {
        json["calibration"] = {{"text", outcome.calibration->text},
                               {"tokens", outcome.calibration->tokens},
                               {"feedback", outcome.calibration->feedback}};
    }
    if (outcome.scaling) json["scaling"] = scaling_json(*outcome.scaling);
    if (outcome.target) json["allocation"] = target_json(outcome);
    return json;
}

}  // namespace hone::cli
