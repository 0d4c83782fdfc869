// Where a graph's weights come from: an interface that the models room implements over a model
// file.
//
// Names are the graph builder's. A view borrows from the source and dies with it.
// Thread rule: tensor() and release() may be called from several threads for different names.
#pragma once

#include <string>

#include "base/result.h"
#include "tensor/view.h"

namespace hone::graph {

class WeightSource {
  public:
    virtual ~WeightSource() = default;
    // not_found, unsupported (a type Hone cannot read).
    virtual base::Result<tensor::TensorView> tensor(const std::string& name) const = 0;
    // The bytes have been packed elsewhere: their pages may be dropped (and are read again on use).
    virtual void release(const std::string& name) const = 0;
    // The same of all bytes: what is still needed is read again on use.
    virtual void release_all() const = 0;
};

}  // namespace hone::graph
