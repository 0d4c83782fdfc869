#include "cli/inspect_tensors.h"

#include <algorithm>

#include "base/json.h"
#include "base/text.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "compress/encode.h"
#include "compress/profile_tensor.h"
#include "models/checkpoint.h"
#include "report/tensor_report.h"
#include "runtime/session.h"

namespace hone::cli {
namespace {

using base::ErrorCode;
using base::fail;
using formats::GgufTensor;
using tensor::DType;

base::Result<std::vector<DType>> parse_types(const std::vector<std::string>& names) {
    std::vector<DType> types;
    for (const std::string& name : names) {
        const auto type = tensor::parse_dtype(name);
        if (!type || !compress::can_encode(*type)) {
            return fail(ErrorCode::invalid_argument, "--as {}: not a type that can be written: {}",
                        base::printable(name), compress::kEncodableTypes);
        }
        if (std::find(types.begin(), types.end(), *type) == types.end()) types.push_back(*type);
    }
    return types;
}

// In the order of the file, each once.
base::Result<std::vector<const GgufTensor*>> chosen_tensors(const formats::GgufFile& file,
                                                            const TensorOptions& options) {
    std::vector<const GgufTensor*> chosen;
    for (const std::string& pattern : options.patterns) {
        HONE_TRY(const auto found, compress::find_tensors(file, pattern));
        chosen.insert(chosen.end(), found.begin(), found.end());
    }
    // They are elements of one vector.
    std::sort(chosen.begin(), chosen.end());
    chosen.erase(std::unique(chosen.begin(), chosen.end()), chosen.end());
    const size_t most = options.html.empty() ? kInspectTensorsMax : kInspectPageTensorsMax;
    if (chosen.size() > most) {
        return fail(ErrorCode::exhausted, "{} tensors match, {} at most{}: a narrower --tensor",
                    chosen.size(), most, options.html.empty() ? "" : " on a page");
    }
    return chosen;
}

// Tensors too short for --block are shown without one, unless all are.
base::Status check_block(std::span<const GgufTensor* const> tensors, uint64_t block) {
    const GgufTensor& longest = **std::max_element(
        tensors.begin(), tensors.end(),
        [](const auto* a, const auto* b) { return a->elements() < b->elements(); });
    const uint64_t blocks = compress::example_count(longest);
    if (block < blocks) return {};
    return fail(ErrorCode::invalid_argument,
                "--block {}: {}tensor '{}' has {} blocks of 32 weights", block,
                tensors.size() > 1 ? "the longest " : "", base::printable(longest.name), blocks);
}

}  // namespace

void add_tensor_options(Command command, TensorOptions& options) {
    command
        .add_option("--tensor", options.patterns,
                    "Look into tensors whose name is this or matches it (* and ?; repeatable): "
                    "values, histogram")
        .one_argument();
    command
        .add_option("--as", options.types,
                    "With --tensor: the error if it were stored in this type (repeatable, or "
                    "separated by commas)")
        .one_argument()
        .comma_separated();
    command.add_option("--block", options.block,
                       "With --tensor: show the N-th 32 weights of one tensor number by number "
                       "(page: 0; several tensors: in --json)");
    command.add_option("--html", options.html, "With --tensor: write one web page to this file");
    command
        .add_option("--lang", options.language, "With --tensor: language of the report, en or zh")
        .one_of({"en", "zh"})
        .show_default();
}

base::Status check_tensor_options(const TensorOptions& options) {
    const bool more = !options.types.empty() || options.block || !options.html.empty() ||
                      options.language != "en";
    if (options.patterns.empty() && more) {
        return fail(ErrorCode::invalid_argument, "--as, --block, --html and --lang need --tensor");
    }
    return {};
}

base::Status inspect_tensors(const std::string& model, const TensorOptions& options, int threads,
                             bool json, const CommandContext& context) {
    HONE_TRY(const auto types, parse_types(options.types));
    HONE_TRY_STATUS(check_destination(options.html));
    HONE_TRY(const auto file, models::open_model_file(model));
    HONE_TRY(const auto tensors, chosen_tensors(file, options));
    if (options.block) {
        HONE_TRY_STATUS(check_block(tensors, *options.block));
    }
    machine::ThreadTeamOptions team_options;
    team_options.threads = threads > 0 ? threads : runtime::default_threads();
    HONE_TRY(const auto team, machine::ThreadTeam::create(team_options));
    Progress progress(context.terminal.stderr_tty, context.clock);
    std::vector<measure::TensorProfile> profiles;
    compress::ProfileOptions profile;
    profile.types = types;
    profile.example = options.block.value_or(0);
    profile.go_on = [&](double share) {
        const auto done = static_cast<double>(profiles.size()) + share;
        progress.show("looking at tensors", done / static_cast<double>(tensors.size()));
        return !context.cancelled.load();
    };
    for (const GgufTensor* tensor : tensors) {
        HONE_TRY(auto found, compress::profile_tensor(*tensor, profile, *team));
        profiles.push_back(std::move(found));
        file.release(*tensor);
    }
    progress.clear();
    report::Style style = context.terminal.style;
    if (options.language == "zh") style.language = report::Language::chinese;
    const report::TensorsOf of{file_name(model), profiles, options.block.has_value(), build_text()};
    if (!options.html.empty()) {
        HONE_TRY_STATUS(base::write_file(options.html, report::render_tensors_html(of, style)));
    }
    if (json) return print(base::dump_json(report::tensors_json(of)) + "\n");
    return print(report::render_tensors(of, style));
}

}  // namespace hone::cli
