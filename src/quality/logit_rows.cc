#include "quality/logit_rows.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>

#include "base/check.h"
#include "base/checked.h"

namespace hone::quality {
namespace {

static_assert(std::endian::native == std::endian::little, "rows are little endian");

constexpr double kCodeMax = 65535;
// A probability of nearly 1 may come out as more.
constexpr double kRounding = 1e-3;

struct RowHead {
    double nll;
    float top_log_p;
    float step;
    uint32_t top;
    uint32_t zero;
};
static_assert(sizeof(RowHead) == 24);

RowHead head_of(std::span<const std::byte> row) {
    RowHead head;
    std::memcpy(&head, row.data(), sizeof head);
    return head;
}

void read_codes(std::span<const std::byte> row, std::span<float> log_p) {
    const RowHead head = head_of(row);
    const std::byte* codes = row.data() + sizeof head;
    for (size_t i = 0; i < log_p.size(); ++i) {
        uint16_t code = 0;
        std::memcpy(&code, codes + 2 * i, sizeof code);
        log_p[i] = head.top_log_p - head.step * static_cast<float>(code);
    }
}

}  // namespace

size_t row_bytes(size_t vocab) {
    return sizeof(RowHead) + base::round_up(2 * vocab, 8);
}

void write_row(const runtime::LogSoftmax& logits, int32_t next, std::span<std::byte> out) {
    HONE_CHECK_EQ(out.size(), row_bytes(logits.logits.size()));
    std::fill(out.begin(), out.end(), std::byte{0});
    const float top = logits.logits[logits.top];
    const float lowest = *std::min_element(logits.logits.begin(), logits.logits.end());
    const double range = std::min(double{top} - lowest, kRowRangeNats);
    RowHead head{};
    head.nll = logits.nll(next);
    head.top_log_p = static_cast<float>(top - logits.log_sum);
    head.step = static_cast<float>(range / kCodeMax);
    head.top = static_cast<uint32_t>(logits.top);
    std::memcpy(out.data(), &head, sizeof head);
    std::byte* codes = out.data() + sizeof head;
    const float scale = range > 0 ? static_cast<float>(kCodeMax / range) : 0;
    for (size_t i = 0; i < logits.logits.size(); ++i) {
        const float steps = std::min((top - logits.logits[i]) * scale, float{kCodeMax});
        const auto code = static_cast<uint16_t>(steps + 0.5f);
        std::memcpy(codes + 2 * i, &code, sizeof code);
    }
}

base::Status check_row(std::span<const std::byte> row, size_t vocab) {
    HONE_CHECK_EQ(row.size(), row_bytes(vocab));
    const RowHead head = head_of(row);
    // The float nearest to the largest step may lie above it.
    const bool step = head.step >= 0 && head.step <= 1.001 * kRowRangeNats / kCodeMax;
    const bool whole = std::isfinite(head.nll) && head.nll >= -kRounding &&
                       head.top_log_p <= kRounding && std::isfinite(head.top_log_p) && step &&
                       head.top < vocab && head.zero == 0;
    if (whole) return {};
    return base::fail(base::ErrorCode::corrupt, "a row of logits that no model gives");
}

RowFacts row_facts(std::span<const std::byte> row) {
    const RowHead head = head_of(row);
    return {head.nll, head.top};
}

double RowDivergence::operator()(std::span<const std::byte> base,
                                 std::span<const std::byte> model) {
    if (std::equal(base.begin(), base.end(), model.begin(), model.end())) return 0;
    read_codes(base, base_);
    read_codes(model, model_);
    return runtime::kl_divergence(runtime::LogSoftmax(base_), runtime::LogSoftmax(model_));
}

}  // namespace hone::quality
