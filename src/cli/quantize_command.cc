#include <algorithm>
#include <charconv>
#include <filesystem>
#include <memory>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "cli/quantize_decode.h"
#include "cli/quantize_output.h"
#include "compress/calibrated.h"
#include "compress/channel_scales.h"
#include "models/checkpoint.h"
#include "runtime/session.h"

namespace hone::cli {
namespace {

using base::ErrorCode;
using base::fail;
using tensor::DType;

struct QuantizeOptions {
    std::string model;
    std::string output;
    std::string type;
    std::string embedding_type;
    std::string output_type;
    std::vector<std::string> tensors;
    std::string calibrate;  // a file; empty: the built-in text
    bool has_calibrate = false;
    uint32_t calibration_tokens = 8192;
    bool feedback = false;
    bool scale_channels = true;
    bool asked_to_scale = false;  // by default none is for a target, and obstacles are listed
    std::string target;
    std::vector<std::string> types;
    bool pure = false;
    bool force = false;
    bool dry_run = false;
    bool json = false;
    int threads = 0;
};

constexpr size_t kCalibrationBytesMax = 64u << 20;
// A target counts as met within this share.
constexpr double kTargetTolerance = 0.03;
// Files that are written and measured for one speed, each aimed by what the one before showed.
constexpr int kDecodeFilesMax = 4;
// Of the text, for measuring what each type costs.
constexpr uint32_t kHeldOutTokens = 2048;

base::Result<DType> parse_written_type(const std::string& name) {
    const auto type = tensor::parse_dtype(name);
    if (!type || !compress::can_encode(*type)) {
        return fail(ErrorCode::invalid_argument, "'{}' is not a type that can be written: {}",
                    base::printable(name), compress::kEncodableTypes);
    }
    return *type;
}

// What --target asks for: one of these.
struct Target {
    std::optional<double> bytes;  // of the file
    std::optional<double> bits;   // per weight
    std::optional<double> kl;
    std::optional<probe::RatePromise> decode;
};

base::Result<Target> parse_target(const std::string& text) {
    const auto bad = [&] {
        return fail(ErrorCode::invalid_argument,
                    "--target '{}': size=96MiB, size=100MB, bits=4.5, kl=0.01, decode=1.5x or "
                    "decode=120 (tokens per second)",
                    base::printable(text));
    };
    const size_t equals = text.find('=');
    if (equals == std::string::npos) return bad();
    const std::string name = text.substr(0, equals);
    Target target;
    if (name == "size") {
        target.bytes = parse_size_bytes(std::string_view(text).substr(equals + 1));
        if (!target.bytes || !(*target.bytes > 0)) return bad();
        return target;
    }
    double value = 0;
    const char* end = text.data() + text.size();
    const auto parsed = std::from_chars(text.data() + equals + 1, end, value);
    if (parsed.ec != std::errc() || !(value > 0) || value > 1e15) return bad();
    const std::string unit(parsed.ptr, end);
    if (name == "decode" && unit == "x") {
        target.decode = probe::RatePromise{value, 0};
        return target;
    }
    if (!unit.empty()) return bad();
    if (name == "decode") {
        target.decode = probe::RatePromise{0, value};
    } else if (name == "bits") {
        target.bits = value;
    } else if (name == "kl") {
        target.kl = value;
    } else {
        return bad();
    }
    return target;
}

base::Result<compress::RecipeSpec> recipe_spec(const QuantizeOptions& options) {
    compress::RecipeSpec spec;
    if (!options.type.empty()) {
        HONE_TRY(spec.type, parse_written_type(options.type));
    }
    if (!options.embedding_type.empty()) {
        HONE_TRY(spec.embedding_type, parse_written_type(options.embedding_type));
    }
    if (!options.output_type.empty()) {
        HONE_TRY(spec.output_type, parse_written_type(options.output_type));
    }
    spec.pure = options.pure;
    for (const std::string& text : options.tensors) {
        HONE_TRY(auto item, compress::parse_override(text));
        spec.overrides.push_back(std::move(item));
    }
    return spec;
}

bool is_chosen(const compress::RecipeSpec& spec, const std::string& name) {
    return std::any_of(spec.overrides.begin(), spec.overrides.end(), [&](const auto& item) {
        return compress::matches_pattern(item.pattern, name);
    });
}

// Nothing is overwritten by accident, least of all the model that is being read.
base::Status check_output(const QuantizeOptions& options) {
    std::error_code error;
    if (!std::filesystem::exists(options.output, error)) return {};
    if (std::filesystem::equivalent(options.model, options.output, error)) {
        return fail(ErrorCode::invalid_argument, "{}: input and output are the same file",
                    options.output);
    }
    if (std::filesystem::is_directory(options.output, error)) {
        return fail(ErrorCode::invalid_argument, "{}: is a directory", options.output);
    }
    if (!options.force) {
        return fail(ErrorCode::invalid_argument, "{}: exists already; --force replaces it",
                    options.output);
    }
    return {};
}

// One run: what the steps share.
class Quantizing {
  public:
    Quantizing(const QuantizeOptions& options, const CommandContext& context)
        : options_(options),
          context_(context),
          threads_(options.threads > 0 ? options.threads : runtime::default_threads()),
          progress_(context.terminal.stderr_tty, context.clock) {}

    base::Result<QuantizeOutcome> run() {
        const int64_t start_ns = context_.clock.now_ns();
        std::optional<Target> target;
        if (!options_.target.empty()) {
            HONE_TRY(target, parse_target(options_.target));
        }
        HONE_TRY(const auto spec, recipe_spec(options_));
        HONE_TRY(const auto file, models::open_model_file(options_.model));
        if (!options_.dry_run) HONE_TRY_STATUS(check_output(options_));
        // Mistakes in names and types are found before minutes are spent.
        HONE_TRY(outcome_.recipe, compress::make_recipe(file, spec));
        machine::ThreadTeamOptions team_options;
        team_options.threads = threads_;
        HONE_TRY(const auto team, machine::ThreadTeam::create(team_options));
        if (options_.has_calibrate || target) {
            HONE_TRY_STATUS(calibrate(file, target, spec, *team));
        }
        if (target && target->decode) {
            HONE_TRY_STATUS(meet_decode(file, *target->decode, spec, *team));
        } else {
            HONE_TRY_STATUS(write(file, *team, options_.output));
        }
        outcome_.model = file_name(options_.model);
        outcome_.output = file_name(options_.output);
        outcome_.seconds = static_cast<double>(context_.clock.now_ns() - start_ns) * 1e-9;
        return std::move(outcome_);
    }

  private:
    std::function<bool(double)> go_on(const char* what) {
        return [this, what](double share) {
            progress_.show(what, share);
            return !context_.cancelled.load();
        };
    }

    base::Status write(const formats::GgufFile& file, machine::ThreadTeam& team,
                       const std::string& path) {
        if (options_.dry_run) return {};
        HONE_TRY(outcome_.results, compress::write_quantized(file, outcome_.recipe, guidance_, team,
                                                             path, go_on("quantizing")));
        return {};
    }

    // Reads the text through the model; with a target, also says what types cost, and chooses them
    // where that needs no more.
    base::Status calibrate(const formats::GgufFile& file, const std::optional<Target>& target,
                           const compress::RecipeSpec& spec, machine::ThreadTeam& team) {
        compress::CalibrationRequest request;
        request.model = options_.model;
        request.tokens_max = options_.calibration_tokens;
        request.feedback = options_.feedback;
        if (target) request.held_out_max = kHeldOutTokens;
        if (!options_.calibrate.empty()) {
            HONE_TRY(request.text, base::read_file(options_.calibrate, kCalibrationBytesMax));
            if (request.text.empty()) {
                return fail(ErrorCode::invalid_argument, "{}: empty", options_.calibrate);
            }
        }
        HONE_TRY(auto read,
                 compress::calibrate_model(request, team, context_.clock, go_on("calibrating")));
        guidance_ = std::move(read.guidance);
        outcome_.calibration = CalibrationFacts{
            options_.calibrate.empty() ? "built-in" : file_name(options_.calibrate),
            read.tokens.size(), options_.feedback};
        if (options_.scale_channels && (!target || options_.asked_to_scale)) {
            HONE_TRY_STATUS(scale_channels(file, target.has_value(), spec, *read.session, team));
        }
        if (!target) return {};
        return choose_types(file, *target, *read.session, read.held_out, spec);
    }

    // By the types that the tensors will have; those of a target are chosen for scaled channels, so
    // that it is not known yet, and the type that sensitivity is probed with stands for them.
    base::Status scale_channels(const formats::GgufFile& file, bool has_target,
                                compress::RecipeSpec spec, const runtime::Session& session,
                                machine::ThreadTeam& team) {
        if (has_target) spec.type = compress::SensitivityOptions().probe_type;
        HONE_TRY(const auto recipe, compress::make_recipe(file, spec));
        HONE_TRY(const auto groups, compress::scale_groups(session.model()));
        HONE_TRY(outcome_.scaling, compress::scale_channels(file, groups, recipe, guidance_, team,
                                                            go_on("scaling channels")));
        if (!outcome_.scaling->groups.empty() || !options_.asked_to_scale) return {};
        const auto& unscaled = outcome_.scaling->unscaled;
        return fail(ErrorCode::unsupported, "{}: no channels can be scaled{}", options_.model,
                    unscaled.empty()
                        ? ""
                        : fmt::format("; {}: {}", unscaled.front().name, unscaled.front().reason));
    }

    base::Status choose_types(const formats::GgufFile& file, const Target& target,
                              runtime::Session& session, std::span<const int32_t> tokens,
                              const compress::RecipeSpec& spec) {
        compress::SensitivityOptions options;
        options.context = std::min(options.context, static_cast<uint32_t>(tokens.size()));
        options.go_on = go_on("measuring sensitivity");
        for (const std::string& name : options_.types) {
            HONE_TRY(const DType type, parse_written_type(name));
            options.types.push_back(type);
        }
        TargetFacts facts;
        facts.target = options_.target;
        HONE_TRY(facts.sensitivity, compress::measure_sensitivity(session, file, guidance_, tokens,
                                                                  options, context_.clock));
        HONE_TRY(const auto items, open_items(compress::allocation_items(facts.sensitivity), spec));
        facts.front = compress::pareto_front(items);
        facts.fixed_bytes = fixed_bytes(items);
        outcome_.target = std::move(facts);
        if (target.decode) return {};
        HONE_TRY(const auto allocation, allocate(file, target, items, *outcome_.target));
        return take(file, items, allocation, spec);
    }

    // Without those that the user chose.
    static base::Result<std::vector<compress::AllocationItem>> open_items(
        std::vector<compress::AllocationItem> items, const compress::RecipeSpec& spec) {
        items.erase(std::remove_if(items.begin(), items.end(),
                                   [&](const auto& item) { return is_chosen(spec, item.name); }),
                    items.end());
        if (items.empty()) {
            return fail(ErrorCode::invalid_argument, "--tensor leaves nothing for --target");
        }
        return items;
    }

    // The recipe with these types; what the user chose comes first in `spec`.
    base::Status take(const formats::GgufFile& file,
                      const std::vector<compress::AllocationItem>& items,
                      const compress::Allocation& allocation, compress::RecipeSpec spec) {
        for (size_t i = 0; i < items.size(); ++i) {
            spec.overrides.push_back({items[i].name, items[i].options[allocation.choice[i]].type});
        }
        HONE_TRY(outcome_.recipe, compress::make_recipe(file, spec));
        outcome_.target->expected_kl = allocation.cost;
        return {};
    }

    // Types by their predicted time; the file is accepted when it measures as fast as was asked.
    // What a file misses by, the next one aims higher or lower.
    base::Status meet_decode(const formats::GgufFile& file, const probe::RatePromise& promise,
                             const compress::RecipeSpec& spec, machine::ThreadTeam& team) {
        HONE_TRY(auto baseline,
                 DecodeBaseline::open(options_.model, options_.threads, context_, progress_));
        TargetFacts& facts = *outcome_.target;
        HONE_TRY(const auto cost, baseline.cost(facts.sensitivity));
        HONE_TRY(const auto items, open_items(cost.items, spec));
        const auto front = compress::pareto_front(items);
        const double fixed_ns = cost.fixed_ns + chosen_ns(cost.items, spec);
        DecodeFacts& decode = facts.decode.emplace();
        decode.wanted_ratio =
            promise.ratio > 0 ? promise.ratio : promise.tokens_per_s * cost.step_ns * 1e-9;
        for (double aim = decode.wanted_ratio;; aim /= correction(*decode.check)) {
            HONE_TRY(const auto allocation,
                     allocate_time(items, front, cost.step_ns, fixed_ns, aim));
            decode.predicted_ratio = cost.step_ns / (fixed_ns + ns_of(allocation.price));
            HONE_TRY_STATUS(take(file, items, allocation, spec));
            const CandidateFile candidate(options_.output);
            HONE_TRY_STATUS(write(file, team, candidate.path()));
            if (options_.dry_run) return {};
            ++decode.files;
            HONE_TRY(decode.check, baseline.check(candidate.path(), promise));
            const double share = decode.check->share;
            // Nothing slower is at hand where every tensor has the type that costs least.
            const bool best = allocation.cost <= front.back().cost;
            if (share >= 1 - kTargetTolerance && (share <= 1 + kTargetTolerance || best)) {
                return candidate.accept();
            }
            if (decode.files == kDecodeFilesMax) {
                const auto range =
                    decode.check->share_ci95.value_or(measure::Interval{share, share});
                return fail(ErrorCode::exhausted,
                            "--target {} was not met: {:.3g} times it [{:.3g}, {:.3g}], measured, "
                            "after {} files",
                            facts.target, share, range.low, range.high, decode.files);
            }
        }
    }

    // Predictions are not off by more; what is measured beside other work may be.
    static double correction(const probe::RateCheck& check) {
        constexpr double kMost = 1.25;
        return std::clamp(check.share, 1 / kMost, kMost);
    }

    static double ns_of(uint64_t price) {
        return static_cast<double>(price) / compress::kPicosecondsPerNs;
    }

    // Of the tensors whose type the user chose.
    double chosen_ns(const std::vector<compress::AllocationItem>& items,
                     const compress::RecipeSpec& spec) const {
        double ns = 0;
        for (const compress::AllocationItem& item : items) {
            if (!is_chosen(spec, item.name)) continue;
            const auto choice =
                std::find_if(outcome_.recipe.tensors.begin(), outcome_.recipe.tensors.end(),
                             [&](const auto& tensor) { return tensor.name == item.name; });
            for (const compress::TypeOption& option : item.options) {
                if (option.type == choice->to) ns += ns_of(option.price);
            }
        }
        return ns;
    }

    base::Result<compress::Allocation> allocate_time(
        const std::vector<compress::AllocationItem>& items,
        const std::vector<compress::FrontPoint>& front, double step_ns, double fixed_ns,
        double ratio) const {
        const double fastest_ns = ns_of(front.front().price);
        const double limit_ns = step_ns / ratio - fixed_ns;
        if (limit_ns < fastest_ns) {
            return fail(ErrorCode::exhausted,
                        "--target {} cannot be met: the fastest types give {:.3g} times the "
                        "input's rate, predicted, and {:.3g} would be needed; {:.3g} of {:.3g} ms "
                        "of a step are not theirs",
                        options_.target, step_ns / (fixed_ns + fastest_ns), ratio, fixed_ns * 1e-6,
                        step_ns * 1e-6);
        }
        return compress::allocate(items,
                                  static_cast<uint64_t>(limit_ns * compress::kPicosecondsPerNs));
    }

    // Bytes of the tensors that are not up for choice.
    uint64_t fixed_bytes(const std::vector<compress::AllocationItem>& items) const {
        uint64_t bytes = 0;
        size_t next = 0;
        for (const compress::TensorChoice& choice : outcome_.recipe.tensors) {
            if (next < items.size() && items[next].name == choice.name) {
                ++next;
            } else {
                bytes += choice.bytes;
            }
        }
        return bytes;
    }

    base::Result<compress::Allocation> allocate(const formats::GgufFile& file, const Target& target,
                                                const std::vector<compress::AllocationItem>& items,
                                                const TargetFacts& facts) const {
        if (target.kl) return compress::allocate_for_cost(items, *target.kl);
        const auto head = static_cast<double>(target.bytes ? file.data_offset() : 0);
        const double wanted =
            target.bytes ? *target.bytes
                         : *target.bits / 8 * static_cast<double>(outcome_.recipe.elements());
        const double fixed = static_cast<double>(facts.fixed_bytes) + head;
        const double least = fixed + static_cast<double>(facts.front.front().price);
        const double most = fixed + static_cast<double>(facts.front.back().price);
        if (wanted * (1 + kTargetTolerance) < least || wanted > most * (1 + kTargetTolerance)) {
            const double unit = target.bits ? wanted / *target.bits : 1e6;
            return fail(ErrorCode::exhausted,
                        "--target {} cannot be met: the types give {:.4g} to {:.4g} {}",
                        facts.target, least / unit, most / unit,
                        target.bits ? "bits per weight" : "MB");
        }
        return compress::allocate(items, static_cast<uint64_t>(std::max(wanted, least) - fixed));
    }

    const QuantizeOptions& options_;
    const CommandContext& context_;
    int threads_;
    Progress progress_;
    compress::Guidance guidance_;
    QuantizeOutcome outcome_;
};

base::Status run_quantize(const QuantizeOptions& options, const CommandContext& context) {
    if (options.type.empty() == options.target.empty()) {
        return fail(ErrorCode::invalid_argument, "one of --type and --target is needed");
    }
    if (options.feedback && !options.has_calibrate && options.target.empty()) {
        return fail(ErrorCode::invalid_argument, "--feedback needs --calibrate");
    }
    if (options.asked_to_scale && !options.has_calibrate && options.target.empty()) {
        return fail(ErrorCode::invalid_argument, "--scale-channels needs --calibrate");
    }
    HONE_TRY(const auto outcome, Quantizing(options, context).run());
    if (options.json) return print(base::dump_json(quantize_json(outcome)) + "\n");
    return print(quantize_text(outcome, context.terminal.style));
}

void add_options(Command command, QuantizeOptions& options) {
    command.add_option("model", options.model, "Model file or directory").required();
    command.add_option("-o,--output", options.output, "File to write").required();
    command.add_option("--type", options.type, "Type of the matrices");
    command.add_option("--embedding-type", options.embedding_type, "Type of token_embd");
    command.add_option("--output-type", options.output_type,
                       "Type of the matrix that makes the logits (default: Q6_K where --type "
                       "has fewer bits)");
    command.add_option("--tensor", options.tensors,
                       "PATTERN=TYPE for the tensors whose name matches (* and ?; repeatable, "
                       "first match wins)");
    command.add_flag("--pure", options.pure, "--type for embedding and head too");
    command.add_option("--target", options.target,
                       "Choose a type for each tensor: size=96MiB, bits=4.5, kl=0.01, decode=1.5x "
                       "(times the input's rate) or decode=120 (tokens per second)");
    options.types = {"Q4_0", "IQ4_NL", "Q4_1", "Q4_K", "Q5_0",
                     "Q5_1", "Q5_K",   "Q6_K", "Q8_0", "F16"};
    command.add_option("--types", options.types, "What --target may choose from").comma_separated();
    command
        .add_option("--calibration-tokens", options.calibration_tokens,
                    "Read at most so many tokens of the text")
        .in_range(uint32_t{compress::kCalibrationTokensMin}, 1u << 24)
        .show_default();
    command.add_flag("--feedback", options.feedback,
                     "Let later columns make up for the rounding of earlier ones (needs memory "
                     "for the moments of all inputs)");
    command.add_flag("--force", options.force, "Replace an existing file");
    command.add_flag("--dry-run", options.dry_run, "Only say which tensor gets which type");
    command.add_option("--threads", options.threads, "Threads (default: the CPUs at hand)")
        .in_range(1, machine::ThreadTeam::kThreadsMax);
    command.add_flag("--json", options.json, "Print JSON");
}

}  // namespace

Action add_quantize(Command program) {
    auto command = program.add_command("quantize", "Write a model in smaller types");
    auto options = std::make_shared<QuantizeOptions>();
    add_options(command, *options);
    auto calibrate =
        command
            .add_option("--calibrate", options->calibrate,
                        "Weigh errors by the activations on this text (without FILE: on a small "
                        "built-in one)")
            .value_optional();
    auto scale =
        command.add_flag("--scale-channels,--awq,!--no-scale-channels", options->scale_channels,
                         "Scale columns that matter up and the norms or rows before "
                         "them down, where that changes nothing but the rounding "
                         "(AWQ; default with --calibrate and --type)");
    return [options, calibrate, scale](const CommandContext& context) {
        options->has_calibrate = calibrate.given();
        options->asked_to_scale = scale.given() && options->scale_channels;
        return run_quantize(*options, context);
    };
}

}  // namespace hone::cli
