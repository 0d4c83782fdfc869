#include "tune/settings.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/check.h"
#include "base/text.h"
#include "kernels/attention/attention.h"
#include "machine/isa.h"
#include "machine/thread_team.h"
#include "models/hyperparameters.h"
#include "runtime/draft_lookup.h"
#include "tune/weight_files.h"

namespace hone::tune {
namespace {

using base::ErrorCode;
using base::fail;

constexpr std::string_view kPass = "pass:";
constexpr std::string_view kVariant = "variant:";
constexpr const char* kOn = "on";
constexpr const char* kOff = "off";
constexpr const char* kDefault = "default";

tl::unexpected<base::Error> wrong(const std::string& name, const std::string& value,
                                  const std::string& wanted) {
    return fail(ErrorCode::invalid_argument, "setting {} = '{}': not {}", base::printable(name),
                base::printable(value), wanted);
}

template <class T>
base::Status set_number(T& out, const std::string& name, const std::string& value, T low, T high) {
    T number{};
    const char* end = value.data() + value.size();
    const auto parsed = std::from_chars(value.data(), end, number);
    if (parsed.ec != std::errc() || parsed.ptr != end || number < low || number > high) {
        return wrong(name, value, fmt::format("a number from {} to {}", low, high));
    }
    out = number;
    return {};
}

base::Status set_switch(bool& out, const std::string& name, const std::string& value) {
    if (value != kOn && value != kOff) return wrong(name, value, "on or off");
    out = value == kOn;
    return {};
}

base::Status set_word(std::string& out, const std::string& name, const std::string& value,
                      const std::vector<std::string>& words) {
    if (std::find(words.begin(), words.end(), value) == words.end()) {
        return wrong(name, value, fmt::format("{}", fmt::join(words, " or ")));
    }
    out = value;
    return {};
}

// "12,17"; "" is none.
base::Status set_layers(std::vector<uint32_t>& out, const std::string& name,
                        const std::string& value) {
    std::vector<uint32_t> layers;
    for (const std::string_view item : base::split(value, ',')) {
        if (value.empty()) break;
        uint32_t layer = 0;
        const char* end = item.data() + item.size();
        const auto parsed = std::from_chars(item.data(), end, layer);
        if (parsed.ec != std::errc() || parsed.ptr != end || layer >= models::kLayersMax) {
            return wrong(name, value, "a list of layers like 12,17");
        }
        layers.push_back(layer);
    }
    out = in_order(std::move(layers));
    return {};
}

base::Status set_pass(Settings& settings, const std::string& name, const std::string& value) {
    const std::string pass = name.substr(kPass.size());
    bool on = true;
    HONE_TRY_STATUS(set_switch(on, name, value));
    if (pass.empty()) return wrong(name, value, "a pass");
    std::erase(settings.without, pass);
    if (!on) settings.without.push_back(pass);
    return {};
}

bool is_of_family(const std::string& variant, std::string_view family) {
    return variant.size() > family.size() && variant.starts_with(family) &&
           variant[family.size()] == '=';
}

base::Status set_variant(Settings& settings, const std::string& name, const std::string& value) {
    const std::string family = name.substr(kVariant.size());
    if (family.empty() || value.empty()) return wrong(name, value, "FAMILY and NAME");
    std::erase_if(settings.variants,
                  [&](const std::string& variant) { return is_of_family(variant, family); });
    if (value != kDefault) settings.variants.push_back(family + "=" + value);
    return {};
}

runtime::PackedCacheMode packed_cache_mode(const std::string& value) {
    if (value == kOn) return runtime::PackedCacheMode::on;
    if (value == kOff) return runtime::PackedCacheMode::off;
    return runtime::PackedCacheMode::automatic;
}

std::string switch_text(bool on) {
    return on ? kOn : kOff;
}

const char* const kScalars[] = {"threads",       "pin",          "isa",          "kv",
                                "step_tokens",   "context",      "batch",        "flush_denormals",
                                "prefix_cache",  "trim_padding", "weights",      "packed_cache",
                                "mlock",         "speculate",    "draft_tokens", "head",
                                "without_layers"};

}  // namespace

std::vector<uint32_t> in_order(std::vector<uint32_t> layers) {
    std::sort(layers.begin(), layers.end());
    layers.erase(std::unique(layers.begin(), layers.end()), layers.end());
    return layers;
}

base::Status change(Settings& settings, const std::string& name, const std::string& value) {
    if (name == "threads") {
        return set_number(settings.threads, name, value, 0, machine::ThreadTeam::kThreadsMax);
    }
    if (name == "pin") return set_switch(settings.pin, name, value);
    if (name == "isa") {
        if (!value.empty()) HONE_TRY_STATUS(machine::parse_isa(value));
        settings.isa = value;
        return {};
    }
    if (name == "kv") {
        const auto names = kernels::kv_dtype_names();
        return set_word(settings.kv, name, value, {names.begin(), names.end()});
    }
    if (name == "step_tokens") {
        return set_number(settings.step_tokens, name, value, 1u, kStepTokensMax);
    }
    if (name == "context") return set_number(settings.context, name, value, 0u, kContextMax);
    if (name == "batch") return set_number(settings.batch, name, value, 0, kBatchMax);
    if (name == "flush_denormals") return set_switch(settings.flush_denormals, name, value);
    if (name == "prefix_cache") return set_word(settings.prefix_cache, name, value, {kOn, kOff});
    if (name == "trim_padding") return set_switch(settings.trim_padding, name, value);
    if (name == "weights") {
        if (!value.empty()) HONE_TRY_STATUS(parse_weights(value));
        settings.weights = value;
        return {};
    }
    if (name == "packed_cache") {
        return set_word(settings.packed_cache, name, value, {"auto", kOn, kOff});
    }
    if (name == "mlock") return set_switch(settings.mlock, name, value);
    if (name == "speculate") return set_word(settings.speculate, name, value, {kOff, kNgram});
    if (name == "draft_tokens") {
        return set_number(settings.draft_tokens, name, value, 1u, runtime::kDraftTokensMax);
    }
    if (name == "head") return set_word(settings.head, name, value, {"full", kScreened});
    if (name == "without_layers") return set_layers(settings.without_layers, name, value);
    if (name.starts_with(kPass)) return set_pass(settings, name, value);
    if (name.starts_with(kVariant)) return set_variant(settings, name, value);
    return fail(ErrorCode::invalid_argument, "no setting '{}'", base::printable(name));
}

base::Result<Settings> changed(Settings settings, const ledger::Changes& changes) {
    for (const auto& [name, value] : changes) HONE_TRY_STATUS(change(settings, name, value));
    return settings;
}

std::string value_of(const Settings& settings, const std::string& name) {
    if (name == "threads") return std::to_string(settings.threads);
    if (name == "pin") return switch_text(settings.pin);
    if (name == "isa") return settings.isa;
    if (name == "kv") return settings.kv;
    if (name == "step_tokens") return std::to_string(settings.step_tokens);
    if (name == "context") return std::to_string(settings.context);
    if (name == "batch") return std::to_string(settings.batch);
    if (name == "flush_denormals") return switch_text(settings.flush_denormals);
    if (name == "prefix_cache") return settings.prefix_cache;
    if (name == "trim_padding") return switch_text(settings.trim_padding);
    if (name == "weights") return settings.weights;
    if (name == "packed_cache") return settings.packed_cache;
    if (name == "mlock") return switch_text(settings.mlock);
    if (name == "speculate") return settings.speculate;
    if (name == "draft_tokens") return std::to_string(settings.draft_tokens);
    if (name == "head") return settings.head;
    if (name == "without_layers") return fmt::format("{}", fmt::join(settings.without_layers, ","));
    if (name.starts_with(kPass)) {
        const auto& off = settings.without;
        const std::string pass = name.substr(kPass.size());
        return switch_text(std::find(off.begin(), off.end(), pass) == off.end());
    }
    if (name.starts_with(kVariant)) {
        const std::string family = name.substr(kVariant.size());
        for (const std::string& variant : settings.variants) {
            if (is_of_family(variant, family)) return variant.substr(family.size() + 1);
        }
        return kDefault;
    }
    return {};
}

ledger::Changes undo_of(const Settings& settings, const ledger::Changes& changes) {
    ledger::Changes undo;
    for (const auto& [name, value] : changes) undo.emplace_back(name, value_of(settings, name));
    return undo;
}

ledger::Changes listed(const Settings& settings) {
    ledger::Changes out;
    for (const char* name : kScalars) out.emplace_back(name, value_of(settings, name));
    for (const std::string& pass : settings.without) out.emplace_back("pass:" + pass, kOff);
    for (const std::string& variant : settings.variants) {
        const size_t equals = variant.find('=');
        if (equals == std::string::npos) continue;
        out.emplace_back("variant:" + variant.substr(0, equals), variant.substr(equals + 1));
    }
    return out;
}

std::string flags_text(const Settings& settings) {
    const Settings plain;
    std::string out;
    const auto add = [&](bool differs, const std::string& flag) {
        if (differs) out += (out.empty() ? "" : " ") + flag;
    };
    add(settings.threads != 0, fmt::format("--threads {}", settings.threads));
    add(settings.pin, "--pin");
    add(!settings.isa.empty(), "--isa " + settings.isa);
    for (const std::string& pass : settings.without) add(true, "--without " + pass);
    for (const std::string& variant : settings.variants) add(true, "--variant " + variant);
    add(settings.step_tokens != plain.step_tokens,
        fmt::format("--step-tokens {}", settings.step_tokens));
    add(settings.flush_denormals, "--flush-denormals");
    add(settings.kv != plain.kv, "--kv " + settings.kv);
    add(settings.prefix_cache != plain.prefix_cache, "--prefix-cache " + settings.prefix_cache);
    add(settings.trim_padding, "--trim-padding");
    add(!settings.weights.empty(), "--weights " + settings.weights);
    add(settings.packed_cache != plain.packed_cache, "--packed-cache " + settings.packed_cache);
    add(settings.mlock, "--mlock");
    add(settings.speculate != plain.speculate, "--speculate " + settings.speculate);
    add(settings.draft_tokens != plain.draft_tokens,
        fmt::format("--draft-tokens {}", settings.draft_tokens));
    add(settings.head != plain.head, "--head " + settings.head);
    add(!settings.without_layers.empty(),
        fmt::format("--without-layers {}", fmt::join(settings.without_layers, ",")));
    add(settings.context != 0, fmt::format("--context {}", settings.context));
    add(settings.batch != 0, fmt::format("--batch {}", settings.batch));
    return out;
}

base::Result<runtime::LoadOptions> load_options(const Settings& settings,
                                                runtime::EngineLimits limits) {
    runtime::LoadOptions load;
    load.threads = settings.threads;
    load.pin_threads = settings.pin;
    load.disabled_passes = settings.without;
    load.screen_head = settings.head == kScreened;
    load.without_layers = settings.without_layers;
    load.flush_denormals = settings.flush_denormals;
    load.packed_cache.mode = packed_cache_mode(settings.packed_cache);
    load.lock_memory = settings.mlock;
    if (!settings.isa.empty()) {
        HONE_TRY(load.isa, machine::parse_isa(settings.isa));
    }
    for (const std::string& variant : settings.variants) {
        const size_t equals = variant.find('=');
        if (equals == std::string::npos || equals == 0 || equals + 1 == variant.size()) {
            return fail(ErrorCode::invalid_argument, "--variant {}: not FAMILY=NAME", variant);
        }
        load.variants.emplace_back(variant.substr(0, equals), variant.substr(equals + 1));
    }
    load.limits = limits;
    const auto names = kernels::kv_dtype_names();
    const auto kv = std::find(names.begin(), names.end(), settings.kv);
    HONE_CHECK(kv != names.end());  // as change() and the command line see to
    load.limits.kv_dtype = static_cast<kernels::KvDtype>(kv - names.begin());
    load.limits.prefix_cache = settings.prefix_cache == "on";
    load.limits.drafts_max = settings.speculate == kNgram ? settings.draft_tokens : 0;
    load.limits.step_tokens_max = std::max(settings.step_tokens, limits.sequences_max);
    return load;
}

}  // namespace hone::tune
