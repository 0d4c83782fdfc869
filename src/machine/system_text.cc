#include "machine/system_text.h"

#include <charconv>

#include "base/checked.h"
#include "base/text.h"

namespace hone::machine {
namespace {

constexpr size_t kTextBytesMax = 4u << 20;
constexpr uint64_t kCpuIndexMax = 1u << 16;

// first and last of "3" or "0-3".
struct CpuSpan {
    uint64_t first = 0;
    uint64_t last = 0;
};

std::optional<CpuSpan> parse_cpu_span(std::string_view text) {
    const size_t dash = text.find('-');
    const auto first = parse_count(text.substr(0, dash));
    const auto last = dash == std::string_view::npos ? first : parse_count(text.substr(dash + 1));
    if (!first || !last || *last < *first || *last > kCpuIndexMax) return std::nullopt;
    return CpuSpan{*first, *last};
}

}  // namespace

std::optional<std::string> read_system_text(const std::string& path) {
    auto text = base::read_file(path, kTextBytesMax);
    if (!text) return std::nullopt;
    while (!text->empty() && text->back() == '\n') text->pop_back();
    return std::move(*text);
}

std::optional<uint64_t> parse_count(std::string_view text) {
    text = base::trim(text);
    uint64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
    return value;
}

std::optional<uint64_t> read_count(const std::string& path) {
    const auto text = read_system_text(path);
    return text ? parse_count(*text) : std::nullopt;
}

std::optional<uint64_t> parse_size(std::string_view text) {
    text = base::trim(text);
    uint64_t unit = 1;
    if (!text.empty()) {
        const char suffix = text.back();
        if (suffix == 'K') unit = 1ull << 10;
        if (suffix == 'M') unit = 1ull << 20;
        if (suffix == 'G') unit = 1ull << 30;
        if (unit != 1) text.remove_suffix(1);
    }
    const auto count = parse_count(text);
    return count ? base::checked_mul(*count, unit) : std::nullopt;
}

int count_cpu_list(std::string_view list) {
    list = base::trim(list);
    if (list.empty()) return 0;
    uint64_t count = 0;
    for (const std::string_view part : base::split(list, ',')) {
        const auto span = parse_cpu_span(part);
        if (!span) return 0;
        count += span->last - span->first + 1;
        if (count > kCpuIndexMax) return 0;
    }
    return static_cast<int>(count);
}

std::optional<int> first_of_cpu_list(std::string_view list) {
    const auto span = parse_cpu_span(list.substr(0, list.find(',')));
    if (!span) return std::nullopt;
    return static_cast<int>(span->first);
}

std::optional<std::string_view> value_of(std::string_view text, std::string_view key) {
    for (std::string_view line : base::split(text, '\n')) {
        if (line.substr(0, key.size()) != key) continue;
        line.remove_prefix(key.size());
        // "MemTotal" must not find "MemTotalExtra": what follows a key is ':' or white space.
        const std::string_view rest = base::trim(line);
        if (!rest.empty() && rest.data() == line.data() && rest.front() != ':') continue;
        return rest.empty() || rest.front() != ':' ? rest : base::trim(rest.substr(1));
    }
    return std::nullopt;
}

std::optional<uint64_t> bytes_of(std::string_view text, std::string_view key) {
    auto value = value_of(text, key);
    if (!value) return std::nullopt;
    uint64_t unit = 1;
    if (value->size() > 3 && value->substr(value->size() - 3) == " kB") {
        unit = 1024;
        value->remove_suffix(3);
    }
    const auto count = parse_count(*value);
    return count ? base::checked_mul(*count, unit) : std::nullopt;
}

}  // namespace hone::machine
