#include <array>

#include "text/chat_template_calls.h"

namespace hone::text {

namespace {

constexpr std::array<const char*, 7> kDays = {"Sunday",   "Monday", "Tuesday", "Wednesday",
                                              "Thursday", "Friday", "Saturday"};
constexpr std::array<const char*, 12> kMonths = {"January",   "February", "March",    "April",
                                                 "May",       "June",     "July",     "August",
                                                 "September", "October",  "November", "December"};

// One directive; empty for an unknown one.
std::string format_directive(const std::tm& time, char directive) {
    const std::string day = kDays[static_cast<size_t>(time.tm_wday) % 7];
    const std::string month = kMonths[static_cast<size_t>(time.tm_mon) % 12];
    switch (directive) {
        case 'a':
            return day.substr(0, 3);
        case 'A':
            return day;
        case 'b':
            return month.substr(0, 3);
        case 'B':
            return month;
        case 'd':
            return fmt::format("{:02}", time.tm_mday);
        case 'e':
            return fmt::format("{:2}", time.tm_mday);
        case 'H':
            return fmt::format("{:02}", time.tm_hour);
        case 'I':
            return fmt::format("{:02}", (time.tm_hour + 11) % 12 + 1);
        case 'j':
            return fmt::format("{:03}", time.tm_yday + 1);
        case 'm':
            return fmt::format("{:02}", time.tm_mon + 1);
        case 'M':
            return fmt::format("{:02}", time.tm_min);
        case 'p':
            return time.tm_hour < 12 ? "AM" : "PM";
        case 'S':
            return fmt::format("{:02}", time.tm_sec);
        case 'y':
            return fmt::format("{:02}", (time.tm_year + 1900) % 100);
        case 'Y':
            return fmt::format("{}", time.tm_year + 1900);
        case 'F':
            return fmt::format("{}-{:02}-{:02}", time.tm_year + 1900, time.tm_mon + 1,
                               time.tm_mday);
        case 'T':
            return fmt::format("{:02}:{:02}:{:02}", time.tm_hour, time.tm_min, time.tm_sec);
        case '%':
            return "%";
        default:
            return {};
    }
}

}  // namespace

base::Result<std::string> format_time(TemplateContext& context, const std::tm& time,
                                      std::string_view format) {
    std::string out;
    for (size_t i = 0; i < format.size(); ++i) {
        if (format[i] != '%' || i + 1 == format.size()) {
            out.push_back(format[i]);
            continue;
        }
        const std::string text = format_directive(time, format[++i]);
        if (text.empty()) {
            return context.error(fmt::format("unknown time format at offset {}", i - 1));
        }
        out += text;
    }
    HONE_TRY_STATUS(context.spend_bytes(out.size()));
    return out;
}

}  // namespace hone::text
