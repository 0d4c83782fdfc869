// Model files in other weight formats: made from a model when first asked for, and kept.
//
// The formats are a text in the words of the command line, TYPE[,head=TYPE][,embedding=TYPE]: what
// `hone quantize --type` and its kin mean by it. Tensors of fewer than eight bits are written with
// calibration on the built-in text, and with error feedback where the moments fit kMomentsBytesMax;
// a model that cannot read that text (no tokenizer, too short a context) is rounded without. Files
// are named by the bytes of the model they come from, the formats and the version of the method,
// appear whole or not at all, and may be deleted at any time. Not a cache of sessions, and no judge
// of quality. Thread rule: one thread; two processes that make the same file leave one whole one.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/cache_directory.h"
#include "base/clock.h"
#include "base/result.h"
#include "compress/guidance.h"
#include "compress/recipe.h"
#include "compress/scale_groups.h"
#include "probe/conduct.h"

namespace hone::tune {

// Of all files in the directory; the one not used for longest goes first.
inline constexpr uint64_t kWeightsBytesMax = uint64_t{32} << 30;
// Held twice while a file is made: as they were calibrated, and for scaled channels.
inline constexpr uint64_t kMomentsBytesMax = uint64_t{512} << 20;

// invalid_argument: not TYPE[,head=TYPE][,embedding=TYPE] of types that can be written.
base::Result<compress::RecipeSpec> parse_weights(std::string_view text);

// The directory and what is of these files in it.
base::CacheDirectory weights_directory(const std::string& path,
                                       uint64_t bytes_max = kWeightsBytesMax);
// A file's name as it was made: MODEL-FORMATS-KEY-vN.gguf.
struct WeightName {
    std::string model;  // base name without extension, "" in names that have none
    std::string formats;
};
std::optional<WeightName> parse_weight_name(std::string_view name);

class WeightFiles {
  public:
    // Files lie in `directory`, made when needed; "" keeps none, and asking for one is an error.
    WeightFiles(std::string directory, const base::Clock& clock,
                uint64_t bytes_max = kWeightsBytesMax);

    // The file to open for `model` with `weights`: the model's own when that is empty or says what
    // the file has already. Errors: parse_weights', those of reading and writing, exhausted
    // (no room for it), cancelled.
    base::Result<std::string> file_for(const std::string& model, const std::string& weights,
                                       int threads, const probe::Conduct& conduct);

  private:
    base::Status make(const std::string& model, const formats::GgufFile& file,
                      const compress::Recipe& recipe, int threads, const std::string& path,
                      const probe::Conduct& conduct);

    std::string directory_;
    const base::Clock& clock_;
    uint64_t bytes_max_;
    // Of the model that was calibrated last: a loop tries several formats of one.
    std::string calibrated_;
    compress::Guidance guidance_;
    compress::ScaleGroups groups_;
};

}  // namespace hone::tune
