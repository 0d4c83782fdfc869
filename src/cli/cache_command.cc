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

struct CacheOptions {
    std::vector<std::string> kinds;
    std::string older_than;
    std::string keep;
    bool dry_run = false;
    bool json = false;
};

// Runs of the ledger that are asked for the names of their models.
constexpr size_t kRunsMax = 10'000;

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

std::string about_model(const base::CachedFile& model, ModelNames&) {
    return model.name;
}

std::string about_machine(const base::CachedFile& profile, ModelNames&) {
    const auto read = probe::read_profile(profile.path);
    return read ? read->facts.cpu_model : std::string();
}

std::string about_weights(const base::CachedFile& weights, ModelNames&) {
    const auto parsed = tune::parse_weight_name(weights.name);
    return parsed ? fmt::format("{}: {}", parsed->model, parsed->formats) : std::string();
}

std::string about_packed(const base::CachedFile& packed, ModelNames& names) {
    const auto file = base::MappedFile::open(packed.path);
    if (!file) return {};
    const auto view = runtime::parse_packed_file(file->bytes());
    return view ? names.of(view->description) : std::string();
}

// "text" or "items", and from the second line on the model's identity.
std::string about_run(const base::CachedFile& run, ModelNames& names) {
    const auto file = base::MappedFile::open(run.path);
    if (!file) return {};
    const auto view = quality::parse_base_file(file->bytes());
    const size_t end = view ? view->description.find('\n') : std::string_view::npos;
    if (end == std::string_view::npos) return {};
    const std::string model = names.of(view->description.substr(end + 1));
    return fmt::format("{}{}{}", model, model.empty() ? "" : ": ",
                       base::printable(view->description.substr(0, end)));
}

struct Kind {
    const char* name;  // of its folder too
    base::CacheDirectory (*directory)(const std::string& path);
    std::string (*about)(const base::CachedFile& file, ModelNames& names);
    bool by_name_only = false;  // cannot be made again here: goes only when its kind is named
};

base::CacheDirectory models_directory(const std::string& path) {
    return {path, ".gguf", 0};
}

base::CacheDirectory packed_directory(const std::string& path) {
    runtime::PackedCacheOptions options;
    options.directory = path;
    return runtime::cache_directory(options);
}

const Kind kKinds[] = {
    {"models", models_directory, about_model, true},
    {"packed", packed_directory, about_packed},
    {"weights", [](const std::string& path) { return tune::weights_directory(path); },
     about_weights},
    {"quality", [](const std::string& path) { return quality::runs_directory(path); }, about_run},
    {"machines", probe::profiles_directory, about_machine}};

std::vector<std::string> kind_names() {
    std::vector<std::string> names;
    for (const Kind& kind : kKinds) names.emplace_back(kind.name);
    return names;
}

bool is_one_of(const std::string& name, const std::vector<std::string>& names) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

// cache.kinds are those of kKinds, in their order.
void describe(const CommandContext& context, CacheState& cache) {
    ModelNames names(context, cache.kinds);
    for (size_t i = 0; i < cache.kinds.size(); ++i) {
        for (CacheRow& row : cache.kinds[i].rows) {
            if (!row.file.unfinished) row.about = kKinds[i].about(row.file, names);
        }
    }
}

// Entries beside the folders of the kinds.
base::Result<std::vector<std::string>> strangers(const std::string& path) {
    HONE_TRY(auto contents, base::list_cache({path, "/", 0}));
    const auto known = kind_names();
    std::erase_if(contents.foreign,
                  [&](const std::string& name) { return is_one_of(name, known); });
    return std::move(contents.foreign);
}

base::Result<CacheState> look(const CommandContext& context) {
    CacheState cache;
    cache.path = context.terminal.cache_directory;
    if (cache.path.empty()) {
        return fail(ErrorCode::unavailable,
                    "no home directory for a cache; set XDG_CACHE_HOME or HOME");
    }
    for (const Kind& known : kKinds) {
        const auto directory = known.directory(context.terminal.cache_folder(known.name));
        HONE_TRY(auto contents, base::list_cache(directory));
        CacheKind kind{known.name, directory.path, directory.bytes_max, {}};
        for (base::CachedFile& file : contents.files) kind.rows.push_back({std::move(file), {}});
        kind.foreign = std::move(contents.foreign);
        cache.kinds.push_back(std::move(kind));
    }
    HONE_TRY(cache.foreign, strangers(cache.path));
    describe(context, cache);
    return cache;
}

base::Status list(const CacheOptions& options, const CommandContext& context) {
    HONE_TRY(const CacheState cache, look(context));
    return show(report::cache_json(cache), report::render_cache(cache, context.terminal.style),
                options.json);
}

base::Result<base::CacheCut> cut_of(const CacheOptions& options) {
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
std::vector<base::CachedFile> files_to_remove(const CacheState& cache, const CacheOptions& options,
                                              const base::CacheCut& cut) {
    std::vector<base::CachedFile> files;
    for (size_t i = 0; i < cache.kinds.size(); ++i) {
        const bool goes = options.kinds.empty() ? !kKinds[i].by_name_only
                                                : is_one_of(kKinds[i].name, options.kinds);
        if (!goes) continue;
        for (const CacheRow& row : cache.kinds[i].rows) files.push_back(row.file);
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

base::Status clean(const CacheOptions& options, const CommandContext& context) {
    HONE_TRY(const base::CacheCut cut, cut_of(options));
    HONE_TRY(CacheState cache, look(context));
    const auto chosen = files_to_remove(cache, options, cut);
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

Action add_cache(Command program) {
    auto command = program.add_command("cache", "Files that Hone keeps: list them, remove them");
    command.require_command();
    auto options = std::make_shared<CacheOptions>();
    auto ls = command.add_command("ls", "What is kept, by kind, with size and age");
    ls.add_flag("--json", options->json, "Print JSON");
    auto cleaning = command.add_command(
        "clean", "Remove what can be made again: all of it, or what the options say");
    cleaning.add_option("--older-than", options->older_than,
                        "Only what was not used for so long, e.g. 30d or 12h");
    cleaning.add_option("--keep", options->keep,
                        "Only the longest unused, until so much is left, e.g. 2GiB");
    cleaning
        .add_option("--kind", options->kinds,
                    fmt::format("Only these kinds: {}; models go only when named",
                                fmt::join(kind_names(), ", ")))
        .comma_separated()
        .one_of(kind_names());
    cleaning.add_flag("--dry-run", options->dry_run, "Say what would go, and remove nothing");
    cleaning.add_flag("--json", options->json, "Print JSON");
    return [options, ls](const CommandContext& context) {
        return ls.chosen() ? list(*options, context) : clean(*options, context);
    };
}

}  // namespace hone::cli
