// hone cache ls | clean: what the program keeps, and getting rid of it.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <memory>

#include "base/json.h"
#include "base/mapped_file.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/ledger_options.h"
#include "ledger/ledger.h"
#include "machine/profile.h"
#include "models/model_key.h"
#include "probe/profile_cache.h"
#include "quality/base_file.h"
#include "report/cache_report.h"
#include "runtime/packed_cache.h"
#include "runtime/packed_file.h"
#include "tune/weight_files.h"

namespace hone::cli {
namespace {

using base::ErrorCode;
using base::fail;
using report::CacheFate;
using report::CacheKind;
using report::CacheRow;
using report::CacheState;

struct Options {
    std::vector<std::string> kinds;
    std::string older_than;
    std::string keep;
    bool dry_run = false;
    bool json = false;
};

constexpr size_t kProfileBytesMax = 1u << 20;
// Runs of the ledger that are asked for the names of their models.
constexpr size_t kRunsMax = 10'000;

struct Place {
    const char* kind;
    base::CacheDirectory directory;
    bool by_name_only = false;  // cannot be made again here: goes only when its kind is named
};

std::vector<Place> places(const Terminal& terminal) {
    runtime::PackedCacheOptions packed;
    packed.directory = terminal.cache_folder("packed");
    return {{"models", {terminal.cache_folder("models"), ".gguf", 0}, true},
            {"packed", runtime::cache_directory(packed)},
            {"weights", tune::weights_directory(terminal.cache_folder("weights"))},
            {"quality", quality::runs_directory(terminal.cache_folder("quality"))},
            {"machines", probe::profiles_directory(terminal.cache_folder("machines"))}};
}

// Models by the key of their bytes: those that lie in the cache, and those of the ledger.
class ModelNames {
  public:
    ModelNames(const CommandContext& context, const std::vector<CacheKind>& kinds) {
        for (const CacheKind& kind : kinds) {
            if (kind.id != "models" && kind.id != "weights") continue;
            for (const CacheRow& row : kind.rows) by_size_.emplace(row.file.bytes, row.file);
        }
        const auto path = ledger_path("", context);
        if (!path) return;
        auto ledger = ledger::Ledger::open(*path, ledger::Access::read_only);
        const auto runs = ledger ? ledger->runs(kRunsMax) : tl::unexpected(ledger.error());
        if (!runs) return;
        for (const ledger::Run& run : *runs) by_key_[run.subject.model_key] = run.subject.model;
    }

    // Of the first line of Model::identity: size, two times, key.
    std::string of(std::string_view identity) {
        const auto fields = base::split(identity.substr(0, identity.find('\n')), ' ');
        if (fields.size() != 4) return {};
        const std::string key(fields[3]);
        if (const auto known = by_key_.find(key); known != by_key_.end()) return known->second;
        const auto size = parse_size_bytes(fields[0]);
        const auto same = by_size_.equal_range(static_cast<uint64_t>(size.value_or(0)));
        for (auto file = same.first; file != same.second; ++file) {
            const auto its_key = models::model_key(file->second.path);
            if (its_key && *its_key == key) return file->second.name;
        }
        return {};
    }

  private:
    std::multimap<uint64_t, base::CachedFile> by_size_;
    std::map<std::string, std::string> by_key_;
};

std::string about_machine(const std::string& path) {
    const auto text = base::read_file(path, kProfileBytesMax);
    const auto json = text ? base::parse_json(*text) : tl::unexpected(text.error());
    const auto profile = json ? machine::profile_from_json(*json) : tl::unexpected(json.error());
    return profile ? profile->facts.cpu_model : std::string();
}

std::string about_weights(const std::string& name) {
    const auto parsed = tune::parse_weight_name(name);
    return parsed ? fmt::format("{}: {}", parsed->model, parsed->formats) : std::string();
}

std::string about_packed(const std::string& path, ModelNames& names) {
    const auto file = base::MappedFile::open(path);
    if (!file) return {};
    const auto view = runtime::parse_packed_file(file->bytes());
    return view ? names.of(view->description) : std::string();
}

// "text" or "items", and from the second line on the model's identity.
std::string about_run(const std::string& path, ModelNames& names) {
    const auto file = base::MappedFile::open(path);
    if (!file) return {};
    const auto view = quality::parse_base_file(file->bytes());
    const size_t end = view ? view->description.find('\n') : std::string_view::npos;
    if (end == std::string_view::npos) return {};
    const std::string model = names.of(view->description.substr(end + 1));
    return fmt::format("{}{}{}", model, model.empty() ? "" : ": ",
                       base::printable(view->description.substr(0, end)));
}

void describe(const CommandContext& context, CacheState& cache) {
    ModelNames names(context, cache.kinds);
    for (CacheKind& kind : cache.kinds) {
        for (CacheRow& row : kind.rows) {
            if (row.file.unfinished) continue;
            const std::string& path = row.file.path;
            row.about = kind.id == "models"    ? row.file.name
                        : kind.id == "weights" ? about_weights(row.file.name)
                        : kind.id == "packed"  ? about_packed(path, names)
                        : kind.id == "quality" ? about_run(path, names)
                                               : about_machine(path);
        }
    }
}

// Entries beside the folders of the kinds.
base::Result<std::vector<std::string>> strangers(const std::string& path,
                                                 const std::vector<Place>& all) {
    HONE_TRY(const auto contents, base::list_cache({path, "/", 0}));
    std::vector<std::string> out;
    for (const std::string& name : contents.foreign) {
        const bool known = std::any_of(all.begin(), all.end(),
                                       [&](const Place& place) { return name == place.kind; });
        if (!known) out.push_back(name);
    }
    return out;
}

base::Result<CacheState> look(const CommandContext& context) {
    CacheState cache;
    cache.path = context.terminal.cache_directory;
    if (cache.path.empty()) {
        return fail(ErrorCode::unavailable,
                    "no home directory for a cache; set XDG_CACHE_HOME or HOME");
    }
    const std::vector<Place> all = places(context.terminal);
    for (const Place& place : all) {
        HONE_TRY(auto contents, base::list_cache(place.directory));
        CacheKind kind{place.kind, place.directory.path, place.directory.bytes_max, {}};
        for (base::CachedFile& file : contents.files) kind.rows.push_back({std::move(file), {}});
        kind.foreign = std::move(contents.foreign);
        cache.kinds.push_back(std::move(kind));
    }
    HONE_TRY(cache.foreign, strangers(cache.path, all));
    describe(context, cache);
    return cache;
}

base::Status list(const Options& options, const CommandContext& context) {
    HONE_TRY(const CacheState cache, look(context));
    return show(report::cache_json(cache), report::render_cache(cache, context.terminal.style),
                options.json);
}

base::Result<base::CacheCut> cut_of(const Options& options) {
    base::CacheCut cut;
    if (!options.older_than.empty()) {
        HONE_TRY(cut.older_than_s, parse_duration_s(options.older_than));
    }
    if (options.keep.empty()) return cut;
    const auto bytes = parse_size_bytes(options.keep);
    if (!bytes) {
        return fail(ErrorCode::invalid_argument, "--keep '{}': not a size like 500MB or 2GiB",
                    base::printable(options.keep));
    }
    cut.keep_bytes = static_cast<uint64_t>(*bytes);
    return cut;
}

// Of what may go, in all chosen kinds together.
std::vector<base::CachedFile> files_to_remove(const CacheState& cache, const Options& options,
                                              const base::CacheCut& cut,
                                              const std::vector<Place>& all) {
    std::vector<base::CachedFile> files;
    for (size_t i = 0; i < cache.kinds.size(); ++i) {
        const CacheKind& kind = cache.kinds[i];
        const bool named =
            std::find(options.kinds.begin(), options.kinds.end(), kind.id) != options.kinds.end();
        if (!named && (!options.kinds.empty() || all[i].by_name_only)) continue;
        for (const CacheRow& row : kind.rows) files.push_back(row.file);
    }
    return base::chosen(std::move(files), cut);
}

CacheFate remove(const base::CachedFile& file, bool dry_run, std::string& problem) {
    if (base::in_use(file)) return CacheFate::in_use;
    if (dry_run) return CacheFate::would_be_removed;
    std::error_code error;
    std::filesystem::remove(file.path, error);
    if (!error) return CacheFate::removed;
    problem = fmt::format("{}: {}", file.path, error.message());
    return CacheFate::failed;
}

base::Status clean(const Options& options, const CommandContext& context) {
    HONE_TRY(const base::CacheCut cut, cut_of(options));
    HONE_TRY(CacheState cache, look(context));
    const auto chosen = files_to_remove(cache, options, cut, places(context.terminal));
    std::string problem;
    for (CacheKind& kind : cache.kinds) {
        for (CacheRow& row : kind.rows) {
            const bool goes = std::any_of(chosen.begin(), chosen.end(), [&](const auto& file) {
                return file.path == row.file.path;
            });
            if (goes) row.fate = remove(row.file, options.dry_run, problem);
        }
    }
    HONE_TRY_STATUS(show(report::cleaning_json(cache, options.dry_run),
                         report::render_cleaning(cache, context.terminal.style), options.json));
    return problem.empty() ? base::Status() : fail(ErrorCode::unavailable, "{}", problem);
}

}  // namespace

Action add_cache(CLI::App& app) {
    auto* command = app.add_subcommand("cache", "Files that Hone keeps: list them, remove them");
    command->require_subcommand(1);
    auto options = std::make_shared<Options>();
    auto* ls = command->add_subcommand("ls", "What is kept, by kind, with size and age");
    ls->add_flag("--json", options->json, "Print JSON");
    auto* cleaning = command->add_subcommand(
        "clean", "Remove what can be made again: all of it, or what the options say");
    cleaning->add_option("--older-than", options->older_than,
                         "Only what was not used for so long, e.g. 30d or 12h");
    cleaning->add_option("--keep", options->keep,
                         "Only the longest unused, until so much is left, e.g. 2GiB");
    cleaning
        ->add_option("--kind", options->kinds,
                     "Only these kinds: models (which goes only when named), packed, weights, "
                     "quality, machines")
        ->delimiter(',')
        ->check(CLI::IsMember({"models", "packed", "weights", "quality", "machines"}));
    cleaning->add_flag("--dry-run", options->dry_run, "Say what would go, and remove nothing");
    cleaning->add_flag("--json", options->json, "Print JSON");
    return [options, ls](const CommandContext& context) {
        return ls->parsed() ? list(*options, context) : clean(*options, context);
    };
}

}  // namespace hone::cli
