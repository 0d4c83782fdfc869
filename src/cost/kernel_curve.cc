#include "cost/kernel_curve.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "machine/isa.h"

namespace hone::cost {
namespace {

using machine::GemmPoint;
using machine::MachineProfile;

std::vector<std::string> parts_of(std::string_view format) {
    std::vector<std::string> out;
    for (size_t begin = 0; begin <= format.size();) {
        const size_t end = std::min(format.find('+', begin), format.size());
        out.emplace_back(format.substr(begin, end - begin));
        begin = end + 1;
    }
    return out;
}

bool is_of(const GemmPoint& point, const std::string& format, const KernelQuery& query) {
    return point.format == format && (point.activation == "int8") == query.int8 &&
           point.isa == query.isa && point.threads == query.threads;
}

double multiply_add_ns(const GemmPoint& point) {
    return point.ns / (static_cast<double>(point.m) * point.rows * point.columns);
}

std::optional<KernelTime> part_time(const MachineProfile& profile, const std::string& format,
                                    const KernelQuery& query, double rows) {
    const GemmPoint* below = nullptr;
    const GemmPoint* above = nullptr;
    for (const GemmPoint& point : profile.gemms) {
        if (!is_of(point, format, query)) continue;
        if (point.m <= rows && (below == nullptr || point.m > below->m)) below = &point;
        if (point.m >= rows && (above == nullptr || point.m < above->m)) above = &point;
    }
    if (below == nullptr && above == nullptr) return std::nullopt;
    if (below == nullptr || above == nullptr || below == above) {
        const GemmPoint& only = below != nullptr ? *below : *above;
        return KernelTime{multiply_add_ns(only), below == above};
    }
    const double t = std::log(rows / below->m) / std::log(static_cast<double>(above->m) / below->m);
    const double ns = std::exp((1 - t) * std::log(multiply_add_ns(*below)) +
                               t * std::log(multiply_add_ns(*above)));
    return KernelTime{ns, false};
}

}  // namespace

std::optional<KernelTime> kernel_time(const MachineProfile& profile, const KernelQuery& query,
                                      double rows) {
    KernelTime sum{0, true};
    const std::vector<std::string> parts = parts_of(query.format);
    for (const std::string& format : parts) {
        const auto part = part_time(profile, format, query, rows);
        if (!part) return std::nullopt;
        sum.ns += part->ns / static_cast<double>(parts.size());
        sum.exact = sum.exact && part->exact;
    }
    return sum;
}

std::optional<std::string> best_kernel_level(const MachineProfile& profile,
                                             const KernelQuery& query, const std::string& limit) {
    const auto highest = machine::parse_isa(limit);
    if (!highest) return std::nullopt;
    std::optional<machine::Isa> best;
    const std::string format = parts_of(query.format).front();
    for (const GemmPoint& point : profile.gemms) {
        const auto level = machine::parse_isa(point.isa);
        KernelQuery here = query;
        here.isa = point.isa;
        if (!level || *level > *highest || !is_of(point, format, here)) continue;
        if (!best || *level > *best) best = *level;
    }
    if (!best) return std::nullopt;
    return machine::isa_name(*best);
}

std::optional<double> format_bytes_per_weight(std::string_view format) {
    // Bytes of a packed tile of 16 rows x 32 columns (kernels/linear/packed_matrix.h), without the
    // table at the start of a tile, which is 1 % of a short one.
    constexpr std::pair<std::string_view, double> kTileBytes[] = {
        {"u4", 288},  {"u4m", 320},  {"u5", 352},    {"u5m", 384}, {"u6", 448},
        {"u2m", 256}, {"t2", 160},   {"t3", 224},    {"t3h", 256}, {"t4", 288},
        {"s8", 544},  {"f16", 1024}, {"bf16", 1024}, {"f32", 2048}};
    double sum = 0;
    const std::vector<std::string> parts = parts_of(format);
    for (const std::string& name : parts) {
        const auto* found = std::find_if(std::begin(kTileBytes), std::end(kTileBytes),
                                         [&](const auto& entry) { return entry.first == name; });
        if (found == std::end(kTileBytes)) return std::nullopt;
        sum += found->second / (16.0 * 32.0);
    }
    return sum / static_cast<double>(parts.size());
}

}  // namespace hone::cost
