// hone.toml: settings in a file, as `hone optimize` leaves them and --config reads them.
//
//   schema = 1
//   [session]
//   threads = 2            # whole numbers: threads, step_tokens, context, batch, draft_tokens
//   pin = false            # switches: pin, flush_denormals, prefix_cache, trim_padding, mlock
//   isa = "avx2"           # words: isa, kv, weights, packed_cache, speculate, head,
//                          # without_layers ("12,17")
//   without = ["..."]      # lists: without, variants
//
// Every key of the session is optional; one that is unknown, twice there or of a wrong type is an
// error, since a typing error that changes nothing would look like a setting that has no effect.
// TOML 1.0 (toml.io). Pure.
#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "tune/settings.h"

namespace hone::tune {

inline constexpr int kConfigSchema = 1;
inline constexpr size_t kConfigBytesMax = 64u << 10;

// `head` are lines of comment.
std::string config_text(const Settings& settings, const std::string& head);

// corrupt (not TOML), unsupported (a newer schema), invalid_argument (a wrong key or value),
// exhausted (too long). `settings` keeps what the file does not mention; untouched by an error.
base::Status parse_config(std::string_view text, Settings& settings);
// Also not_found and unavailable; errors begin with the path.
base::Status read_config(const std::string& path, Settings& settings);

}  // namespace hone::tune
