// Writes a model file in the types of a recipe: reads, encodes and writes tensor by tensor.
//
// Memory: some rows per thread and one MiB of output; source pages are given back as they have been
// read. Metadata is carried over as it is, except what speaks of the types themselves: file type
// and quantization version are new, notes on an earlier calibration are dropped. The file appears
// under its name only when complete (base/pending_file.h), so a kill at any point leaves no file
// under that name. Not a loader: nothing here knows architectures. One call at a time per team.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "compress/guidance.h"
#include "compress/recipe.h"
#include "formats/gguf.h"
#include "machine/thread_team.h"

namespace hone::compress {

struct TensorResult {
    std::string name;
    EncodeError error;
};

// `go_on` is told the share that is done and answers whether to go on. Errors: corrupt (NaN or
// infinite weights; guidance of another width), invalid_argument (a value beyond F16), those of
// GgufWriter::write, cancelled.
base::Result<std::vector<TensorResult>> write_quantized(
    const formats::GgufFile& file, const Recipe& recipe, const Guidance& guidance,
    machine::ThreadTeam& team, const std::string& path,
    const std::function<bool(double)>& go_on = {});

}  // namespace hone::compress
