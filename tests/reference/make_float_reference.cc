// Writes the float reference of a model (reference/float_reference.h):
//   make_float_reference MODEL OUTPUT [SEED [F32|F16 [SPREAD]]]
#include <fmt/format.h>

#include <cstdio>
#include <string>

#include "reference/float_reference.h"

int main(int argc, char** argv) {
    if (argc < 3 || argc > 6) {
        fmt::print(stderr, "usage: make_float_reference MODEL OUTPUT [SEED [F32|F16 [SPREAD]]]\n");
        return 2;
    }
    hone::reference::ReferenceSpec spec;
    if (argc > 3) spec.seed = std::stoull(argv[3]);
    if (argc > 4 && std::string(argv[4]) == "F16") spec.type = hone::tensor::DType::f16;
    if (argc > 5) spec.spread = std::stod(argv[5]);
    const auto file = hone::formats::GgufFile::open(argv[1]);
    const auto status = file ? hone::reference::write_float_reference(*file, spec, argv[2])
                             : tl::unexpected(file.error());
    if (!status) fmt::print(stderr, "{}\n", status.error().message);
    return status ? 0 : hone::base::exit_code(status.error().code);
}
