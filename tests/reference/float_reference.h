// A float model that computes what a quantized one computes, and does not remember its grid.
//
// Tests of quantization need weights of full precision. A model that is published in 4 bits has
// them no more: its F16 form goes back to the same 4 bits without loss, so that every test on it
// would be trivial. This transformation changes all values and no logit, beyond rounding:
//
//   permutations   channels of the residual stream; hidden units of each feed-forward; dimensions
//                  of the values within each KV head
//   scales         each norm weight against the columns that it feeds; rows of up against columns
//                  of down; rows of V against columns of the attention output
//
// Afterwards a block of 32 weights holds elements of many blocks of the source, each times a factor
// of its own. Factors are 2^u, u uniform in [-spread, spread]. Same seed, same bytes. A shared
// embedding is only permuted: its columns meet no norm that they alone feed.
//
// A tool for tests, not a way to change models. Architecture "llama" only. One thread.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.h"
#include "formats/gguf.h"
#include "tensor/dtype.h"

namespace hone::reference {

struct ReferenceSpec {
    uint64_t seed = 1;
    double spread = 0.5;                      // of factors, in powers of two
    tensor::DType type = tensor::DType::f32;  // of the matrices: F32 or F16
};

// Errors: unsupported (architecture), corrupt (a tensor is missing), those of GgufWriter::write.
base::Status write_float_reference(const formats::GgufFile& file, const ReferenceSpec& spec,
                                   const std::string& path);

// The smallest number of distinct values in any 32 neighbours of a row, over the matrix.
base::Result<uint64_t> fewest_distinct(const formats::GgufFile& file, const std::string& tensor);

}  // namespace hone::reference
