#include "cli/session_options.h"

#include "cli/progress.h"
#include "machine/facts.h"
#include "probe/profile_cache.h"

namespace hone::cli {

void add_session_options(CLI::App& command, SessionOptions& options) {
    command.add_option("-t,--threads", options.threads, "Threads (default: CPUs of this process)")
        ->check(CLI::Range(1, machine::ThreadTeam::kThreadsMax));
    command.add_flag("--pin", options.pin, "Pin each thread to one CPU");
    command.add_option("--isa", options.isa,
                       "Highest instruction set: portable, avx2, avx512, avx512vnni, avx512bf16");
    command.add_option("--without", options.without, "Switch a graph pass off (repeatable)");
    command.add_option("--variant", options.variants,
                       "Kernel by name, FAMILY=NAME; families: linear, rows, attention");
    command.add_option("--step-tokens", options.step_tokens, "Tokens of one engine step at most")
        ->check(CLI::Range(1, 4096))
        ->capture_default_str();
    command.add_flag("--flush-denormals", options.flush_denormals,
                     "Treat denormal numbers as zero (faster on some CPUs, not IEEE 754)");
    command
        .add_option("--kv", options.kv, "Keys and values in the cache: f16, or q8 for half of it")
        ->check(CLI::IsMember({"f16", "q8"}))
        ->capture_default_str();
    command
        .add_option("--prefix-cache", options.prefix_cache,
                    "Keep the KV pages of prompts for later prompts that begin alike")
        ->check(CLI::IsMember({"on", "off"}))
        ->capture_default_str();
}

base::Result<runtime::LoadOptions> load_options(const SessionOptions& options,
                                                runtime::EngineLimits limits) {
    runtime::LoadOptions load;
    load.threads = options.threads;
    load.pin_threads = options.pin;
    load.disabled_passes = options.without;
    load.flush_denormals = options.flush_denormals;
    if (!options.isa.empty()) {
        HONE_TRY(load.isa, machine::parse_isa(options.isa));
    }
    for (const std::string& variant : options.variants) {
        const size_t equals = variant.find('=');
        if (equals == std::string::npos || equals == 0 || equals + 1 == variant.size()) {
            return base::fail(base::ErrorCode::invalid_argument, "--variant {}: not FAMILY=NAME",
                              variant);
        }
        load.variants.emplace_back(variant.substr(0, equals), variant.substr(equals + 1));
    }
    load.limits = limits;
    load.limits.kv_dtype = options.kv == "q8" ? kernels::KvDtype::q8 : kernels::KvDtype::f16;
    load.limits.prefix_cache = options.prefix_cache == "on";
    load.limits.step_tokens_max = std::max(options.step_tokens, limits.sequences_max);
    return load;
}

base::Result<machine::MachineProfile> load_profile(const CommandContext& context, bool refresh) {
    Progress progress(context.terminal.stderr_tty, context.clock);
    const auto facts = machine::read_machine_facts();
    const probe::ProfileCache cache(context.terminal.cache_directory.empty()
                                        ? std::string()
                                        : context.terminal.cache_directory + "/machines");
    probe::Conduct conduct;
    conduct.cancel = &context.cancelled;
    conduct.progress = [&](std::string_view what, double share) { progress.show(what, share); };
    HONE_TRY(auto cached, probe::ceilings_of_machine(facts, machine::detect_isa(), context.clock,
                                                     cache, refresh, {}, conduct));
    return std::move(cached.profile);
}

}  // namespace hone::cli
