#include "tune/weight_files.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <functional>

#include "base/cache_directory.h"
#include "base/text.h"
#include "compress/calibrated.h"
#include "compress/channel_scales.h"
#include "compress/encode.h"
#include "compress/quantize_file.h"
#include "machine/thread_team.h"
#include "models/checkpoint.h"
#include "models/model_key.h"
#include "runtime/session.h"

namespace hone::tune {
namespace {

using base::ErrorCode;
using base::fail;

// Raised when the same formats come to mean other bytes.
constexpr int kMethodVersion = 4;
constexpr std::string_view kExtension = ".gguf";
// Half of what `hone quantize` reads: a loop has minutes, not an evening.
constexpr uint32_t kCalibrationTokens = 4096;

tl::unexpected<base::Error> wrong(std::string_view text) {
    return fail(ErrorCode::invalid_argument,
                "weights '{}': not TYPE[,head=TYPE][,embedding=TYPE] with types that can be "
                "written ({})",
                base::printable(text, 80), compress::kEncodableTypes);
}

bool changes_nothing(const compress::Recipe& recipe) {
    return std::all_of(recipe.tensors.begin(), recipe.tensors.end(),
                       [](const compress::TensorChoice& t) { return t.from == t.to; });
}

// With eight bits, what calibration could change is lost in the rounding of activations.
bool is_coarse(const compress::TensorChoice& tensor) {
    return tensor.from != tensor.to && compress::bits_of(tensor.to) < 8;
}

// For those tensors alone: feedback takes most of the time that encoding takes.
compress::Guidance for_coarse(const compress::Guidance& guidance, const compress::Recipe& recipe) {
    compress::Guidance out;
    for (const compress::TensorChoice& tensor : recipe.tensors) {
        if (!is_coarse(tensor)) continue;
        const auto importance = guidance.importance.find(tensor.name);
        if (importance != guidance.importance.end()) out.importance.insert(*importance);
        const auto factor = guidance.factors.find(tensor.name);
        if (factor != guidance.factors.end()) out.factors.insert(*factor);
    }
    return out;
}

// For a file name: the same formats in one way.
std::string name_of(const compress::RecipeSpec& spec) {
    std::string name(tensor::traits(spec.type).name);
    if (spec.output_type) name += fmt::format("-head-{}", tensor::traits(*spec.output_type).name);
    if (spec.embedding_type) {
        name += fmt::format("-embedding-{}", tensor::traits(*spec.embedding_type).name);
    }
    return name;
}

std::function<bool(double)> told(const probe::Conduct& conduct, const char* what) {
    return [&conduct, what](double share) {
        conduct.report(what, share);
        return !conduct.cancelled();
    };
}

}  // namespace

base::Result<compress::RecipeSpec> parse_weights(std::string_view text) {
    compress::RecipeSpec spec;
    bool first = true;
    for (const std::string_view part : base::split(text, ',')) {
        const size_t equals = part.find('=');
        const bool named = equals != std::string_view::npos;
        const auto type = tensor::parse_dtype(named ? part.substr(equals + 1) : part);
        if (first == named || !type || !compress::can_encode(*type)) return wrong(text);
        const std::string_view name = named ? part.substr(0, equals) : "";
        if (first) {
            spec.type = *type;
        } else if (name == "head" && !spec.output_type) {
            spec.output_type = *type;
        } else if (name == "embedding" && !spec.embedding_type) {
            spec.embedding_type = *type;
        } else {
            return wrong(text);
        }
        first = false;
    }
    return spec;
}

// From the right: a model's own name may have anything in it.
std::optional<WeightName> parse_weight_name(std::string_view name) {
    if (name.ends_with(kExtension)) name.remove_suffix(kExtension.size());
    const size_t version = name.rfind("-v");
    if (version == std::string_view::npos || version + 2 == name.size()) return std::nullopt;
    const std::string_view digits = name.substr(version + 2);
    if (!std::all_of(digits.begin(), digits.end(),
                     [](unsigned char c) { return c >= '0' && c <= '9'; })) {
        return std::nullopt;
    }
    name = name.substr(0, version);
    const size_t key = name.rfind('-');
    if (key == std::string_view::npos) return std::nullopt;
    if (!base::is_checksum_name(name.substr(key + 1))) return std::nullopt;
    name = name.substr(0, key);
    // "-head-" and "-embedding-" stand within the formats.
    size_t end = name.rfind('-');
    for (const std::string_view part : {"-embedding", "-head"}) {
        if (end == std::string_view::npos || !name.substr(0, end).ends_with(part)) continue;
        end = name.rfind('-', end - part.size() - 1);
    }
    if (end == std::string_view::npos) return std::nullopt;
    return WeightName{std::string(name.substr(0, end)), std::string(name.substr(end + 1))};
}

base::CacheDirectory weights_directory(const std::string& path, uint64_t bytes_max) {
    return {path, std::string(kExtension), bytes_max,
            [](std::string_view name) { return parse_weight_name(name).has_value(); }, true};
}

WeightFiles::WeightFiles(std::string directory, const base::Clock& clock, uint64_t bytes_max)
    : directory_(std::move(directory)), clock_(clock), bytes_max_(bytes_max) {}

base::Result<std::string> WeightFiles::file_for(const std::string& model,
                                                const std::string& weights, int threads,
                                                const probe::Conduct& conduct) {
    if (weights.empty()) return model;
    HONE_TRY(const auto spec, parse_weights(weights));
    HONE_TRY(const auto file, models::open_model_file(model));
    HONE_TRY(const auto recipe, compress::make_recipe(file, spec));
    if (changes_nothing(recipe)) return model;
    if (directory_.empty()) {
        return fail(ErrorCode::unavailable, "no directory to keep weights in: HOME is not set");
    }
    HONE_TRY(const std::string key, models::model_key(model));
    const std::string stem = std::filesystem::path(models::display_name(model)).stem().string();
    const std::string path = fmt::format("{}/{}-{}-{}-v{}{}", directory_, stem, name_of(spec), key,
                                         kMethodVersion, kExtension);
    // Not marked as used: another time of change, and packed weights of it would not be found
    // again.
    std::error_code ignored;
    if (std::filesystem::exists(path, ignored)) return path;
    HONE_TRY_STATUS(base::make_room(weights_directory(directory_, bytes_max_), recipe.bytes()));
    HONE_TRY_STATUS(make(model, file, recipe, threads, path, conduct));
    return path;
}

base::Status WeightFiles::make(const std::string& model, const formats::GgufFile& file,
                               const compress::Recipe& recipe, int threads, const std::string& path,
                               const probe::Conduct& conduct) {
    machine::ThreadTeamOptions options;
    options.threads = threads > 0 ? threads : runtime::default_threads();
    HONE_TRY(const auto team, machine::ThreadTeam::create(options));
    const bool coarse = std::any_of(recipe.tensors.begin(), recipe.tensors.end(), is_coarse);
    if (coarse && calibrated_ != model) {
        compress::CalibrationRequest request;
        request.model = model;
        request.tokens_max = kCalibrationTokens;
        request.feedback = true;
        request.moments_bytes_max = kMomentsBytesMax;
        auto read = compress::calibrate_model(request, *team, clock_, told(conduct, "calibrating"));
        HONE_TRY_STATUS(conduct.check());
        guidance_ = read ? std::move(read->guidance) : compress::Guidance();
        groups_ = {};
        if (read) {
            HONE_TRY(groups_, compress::scale_groups(read->session->model()));
        }
        calibrated_ = model;
    }
    compress::Guidance guidance;
    if (coarse) {
        // Factors are those of this recipe; the next one begins with what calibration said.
        guidance = for_coarse(guidance_, recipe);
        HONE_TRY_STATUS(compress::scale_channels(file, groups_, recipe, guidance, *team,
                                                 told(conduct, "scaling channels")));
    }
    HONE_TRY(const auto results, compress::write_quantized(file, recipe, guidance, *team, path,
                                                           told(conduct, "quantizing")));
    return {};
}

}  // namespace hone::tune
