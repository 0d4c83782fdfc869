// Presents tensors that lie in safetensors files as a GgufFile, so that the rest of the program
// knows one kind of model file.
//
// A GgufFile is two things: metadata by key and tensors by name. Here the metadata is written by a
// GgufWriter into memory and parsed as that of any file, and the tensors stay where they are: each
// takes a new name, and its bytes borrow from the map of its file. Where the stored form is not
// that of GGUF files (another order of rows), a tensor brings bytes of its own. It knows no names
// and no keys (room models does).
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "formats/gguf.h"
#include "formats/gguf_writer.h"
#include "formats/safetensors.h"

namespace hone::formats {

// One tensor of the result. Either `stored` or `own`.
struct AssembledTensor {
    std::string name;
    uint32_t file = 0;                          // which of the files has it
    const SafetensorsTensor* stored = nullptr;  // its tensor there
    // In place of those bytes, with this type and shape (innermost first).
    std::vector<std::byte> own = {};
    tensor::DType own_dtype = tensor::DType::f32;
    std::vector<uint64_t> own_dims = {};
};

class GgufAssembly {
  public:
    // `name` stands for the path in messages; `head` has metadata alone. Takes the maps of the
    // files. Errors: corrupt (a name twice, a shape without elements), unsupported (more than four
    // dimensions).
    static base::Result<GgufFile> make(const std::string& name, const GgufWriter& head,
                                       std::vector<SafetensorsFile> files,
                                       std::vector<AssembledTensor> tensors);

  private:
    static base::Status add(GgufFile& file, AssembledTensor& tensor);
};

}  // namespace hone::formats
