#include "cli/session_options.h"

#include <fmt/format.h>

#include <cstdio>

#include "cli/progress.h"
#include "kernels/attention/attention.h"
#include "machine/facts.h"
#include "models/hyperparameters.h"
#include "probe/profile_cache.h"
#include "runtime/draft_lookup.h"
#include "tune/config_file.h"
#include "tune/weight_files.h"

namespace hone::cli {

void add_session_options(Command command, SessionOptions& options) {
    // Options are taken in the order of their definition: what follows overrides the file.
    command.add_option(
        "--config",
        [&options](const std::string& path) { options.config = tune::read_config(path, options); },
        "Settings of a file, as hone optimize writes it (hone.toml); other flags win");
    command.add_option("-t,--threads", options.threads, "Threads (default: CPUs of this process)")
        .in_range(1, machine::ThreadTeam::kThreadsMax);
    command.add_flag("--pin", options.pin, "Pin each thread to one CPU");
    command.add_option("--isa", options.isa,
                       "Highest instruction set: portable, avx2, avx512, avx512vnni, avx512bf16");
    command.add_option("--without", options.without, "Switch a graph pass off (repeatable)");
    command
        .add_option("--head", options.head,
                    "Output head: full, or screened: 5-bit scores say which tokens can win, and "
                    "only those are computed; the same text")
        .one_of({"full", tune::kScreened})
        .show_default();
    command
        .add_option(
            "--without-layers",
            [&options](std::vector<uint32_t> layers) {
                options.without_layers = tune::in_order(std::move(layers));
            },
            "Leave these layers of the model out, numbered from 0: 12,17")
        .comma_separated()
        .one_argument()
        .in_range(uint32_t{0}, static_cast<uint32_t>(models::kLayersMax - 1));
    command.add_option("--variant", options.variants,
                       "Kernel by name, FAMILY=NAME; families: linear, rows, attention");
    command.add_option("--step-tokens", options.step_tokens, "Tokens of one engine step at most")
        .in_range(1, 4096)
        .show_default();
    const auto kv_dtypes = kernels::kv_dtype_names();
    command.add_flag("--flush-denormals", options.flush_denormals,
                     "Treat denormal numbers as zero (faster on some CPUs, not IEEE 754)");
    command
        .add_option("--kv", options.kv,
                    "Keys and values in the cache: f16, q8 for half of it, or q4 for a quarter, at "
                    "some loss of quality")
        .one_of(std::vector<std::string>(kv_dtypes.begin(), kv_dtypes.end()))
        .show_default();
    command
        .add_option("--prefix-cache", options.prefix_cache,
                    "Keep the KV pages of prompts for later prompts that begin alike")
        .one_of({"on", "off"})
        .show_default();
    command
        .add_option("--speculate", options.speculate,
                    "Draft tokens from the text itself (ngram) and verify them together: the same "
                    "output in fewer steps where a text repeats itself")
        .one_of({"off", tune::kNgram})
        .show_default();
    command
        .add_option("--draft-tokens", options.draft_tokens,
                    "Tokens that --speculate drafts for a step at most")
        .in_range(1u, runtime::kDraftTokensMax)
        .show_default();
    command.add_option("--weights", options.weights,
                       "Weights in another format, made once and kept: TYPE[,head=TYPE]"
                       "[,embedding=TYPE], e.g. Q4_0");
    command
        .add_option(
            "--packed-cache", options.packed_cache,
            "Keep packed weights on disk for the next load: on, off, or auto: where packing "
            "takes longer than a second")
        .one_of({"auto", "on", "off"})
        .show_default();
    command.add_flag("--mlock", options.mlock, "Lock the packed weights in memory");
}

void add_price_option(Command command, std::optional<double>& price_per_hour) {
    command.add_option("--price", price_per_hour, "Price of this machine, EUR per hour")
        .in_range(1e-6, 1e6);
}

base::Result<runtime::LoadOptions> load_options(const SessionOptions& options,
                                                runtime::EngineLimits limits,
                                                const CommandContext& context) {
    HONE_TRY_STATUS(base::Status(options.config));
    HONE_TRY(auto load, tune::load_options(options, limits));
    load.packed_cache.directory = context.terminal.cache_folder("packed");
    return load;
}

base::Result<std::string> model_file(const std::string& model, const tune::Settings& settings,
                                     const CommandContext& context) {
    Progress progress(context.terminal.stderr_tty, context.clock);
    const probe::Conduct conduct = progress.conduct(context.cancelled);
    tune::WeightFiles files(context.terminal.cache_folder("weights"), context.clock);
    return files.file_for(model, settings.weights, settings.threads, conduct);
}

base::Result<std::unique_ptr<runtime::Session>> open_session(const std::string& model,
                                                             const tune::Settings& settings,
                                                             const runtime::LoadOptions& load,
                                                             const CommandContext& context) {
    HONE_TRY(const auto path, model_file(model, settings, context));
    HONE_TRY(auto session, runtime::open_session(path, load, context.clock));
    if (!session->cache_note().empty()) {
        fmt::print(stderr, "hone: {}\n", session->cache_note());
    }
    return session;
}

base::Result<machine::MachineProfile> load_profile(const CommandContext& context, bool refresh) {
    Progress progress(context.terminal.stderr_tty, context.clock);
    const auto facts = machine::read_machine_facts();
    const probe::ProfileCache cache(context.terminal.cache_folder("machines"));
    const probe::Conduct conduct = progress.conduct(context.cancelled);
    HONE_TRY(auto cached, probe::ceilings_of_machine(facts, machine::detect_isa(), context.clock,
                                                     cache, refresh, {}, conduct));
    return std::move(cached.profile);
}

}  // namespace hone::cli
