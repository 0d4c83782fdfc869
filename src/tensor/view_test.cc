#include "tensor/view.h"

#include <gtest/gtest.h>

#include <vector>

namespace hone::tensor {
namespace {

TEST(TensorView, RowsAndColumns) {
    std::vector<std::byte> bytes(5 * 36);
    TensorView view{DType::q4_0, {64, 5, 1, 1}, 2, bytes.data(), bytes.size()};
    EXPECT_EQ(view.columns(), 64u);
    EXPECT_EQ(view.rows(), 5u);
    EXPECT_EQ(view.elements(), 320u);
    EXPECT_EQ(view.row_size_bytes(), 36u);
    EXPECT_EQ(view.row(4), bytes.data() + 4 * 36);
    EXPECT_EQ(view.span().size(), bytes.size());
}

}  // namespace
}  // namespace hone::tensor
