// Everything about a session that an optimization may change, by name.
//
// A setting has a name and a value in the words of the command line, so that a change can be
// printed, stored, replayed and undone: {"threads", "2"}, {"pass:merge_gate_up", "off"},
// {"variant:linear", "u4m/avx2"}. Passes are on and variants are chosen by the program ("default")
// unless a setting says otherwise. Plain data and pure functions.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "ledger/journal.h"
#include "runtime/session.h"

namespace hone::tune {

struct Settings {
    int threads = 0;  // 0 = the CPUs of this process
    bool pin = false;
    std::string isa;                    // "" = the highest that this CPU has
    std::vector<std::string> without;   // passes that are off
    std::vector<std::string> variants;  // FAMILY=NAME
    // Of the file, by number, ascending; see models::Model::remove_layers.
    std::vector<uint32_t> without_layers;
    uint32_t step_tokens = 256;
    bool flush_denormals = false;
    std::string prefix_cache = "on";
    std::string kv = "f16";
    std::string speculate = "off";  // or "ngram": see runtime/draft_lookup.h
    uint32_t draft_tokens = 4;      // per step, while speculating
    std::string head = "full";      // or "screened": see graph/screen.h
    bool trim_padding = false;
    std::string weights;                // "" = the file's own, else as in tune/weight_files.h
    std::string packed_cache = "auto";  // see runtime/packed_cache.h
    bool mlock = false;                 // packed weights stay in memory
    uint32_t context = 0;               // positions of a sequence, 0 = what the use needs
    int batch = 0;                      // sequences side by side, 0 = what the use says

    bool operator==(const Settings&) const = default;
};

inline constexpr uint32_t kStepTokensMax = 4096;
inline constexpr uint32_t kContextMax = 1u << 24;
inline constexpr int kBatchMax = 64;
inline constexpr const char* kNgram = "ngram";
inline constexpr const char* kScreened = "screened";

// Layers ascending, each once.
std::vector<uint32_t> in_order(std::vector<uint32_t> layers);

// invalid_argument: no such setting, or no such value of it.
base::Status change(Settings& settings, const std::string& name, const std::string& value);
base::Result<Settings> changed(Settings settings, const ledger::Changes& changes);
// The value now, in the words that change() takes.
std::string value_of(const Settings& settings, const std::string& name);
// What change() must be told to come back from `changes`.
ledger::Changes undo_of(const Settings& settings, const ledger::Changes& changes);
// All of them; passes and variants as far as they are set.
ledger::Changes listed(const Settings& settings);
// The flags that make them, for a command by hand: only what differs from the defaults.
std::string flags_text(const Settings& settings);

// invalid_argument, or unsupported when this CPU lacks the ISA. Context and batch are in `limits`;
// a cache of packed weights has no directory, and so is none, until the caller gives it one.
base::Result<runtime::LoadOptions> load_options(const Settings& settings,
                                                runtime::EngineLimits limits);

}  // namespace hone::tune
