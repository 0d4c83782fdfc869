// Renders conversations with chat templates, for comparisons with another implementation.
//
// A development tool (docs/tokenizers.md), not a test. Standard input is a JSON list of
// {"template", "input"}; the input has the keys of the goldens (tests/golden/chat_templates.json)
// and "now" as [year, month, day, hour, minute]. Standard output is the list of
// {"text"} or {"error"} in the same order.
#include <cstdio>
#include <iostream>
#include <iterator>
#include <string>

#include "base/json.h"
#include "text/chat_template.h"

namespace {

using namespace hone;
using base::Json;

text::ChatInput input_of(const Json& json) {
    text::ChatInput input;
    for (const Json& message : json.at("messages")) {
        text::ChatMessage out;
        out.fields = message;
        input.messages.push_back(std::move(out));
    }
    input.add_generation_prompt = json.at("add_generation_prompt").get<bool>();
    input.bos_token = json.at("bos_token").get<std::string>();
    input.eos_token = json.at("eos_token").get<std::string>();
    input.extra = json.at("extra");
    std::tm now{};
    const auto parts = json.at("now").get<std::vector<int>>();
    now.tm_year = parts.at(0) - 1900;
    now.tm_mon = parts.at(1) - 1;
    now.tm_mday = parts.at(2);
    now.tm_hour = parts.at(3);
    now.tm_min = parts.at(4);
    now.tm_isdst = -1;
    (void)std::mktime(&now);  // the days of the week and of the year
    input.now = now;
    return input;
}

Json render(const Json& entry) {
    const auto parsed = text::ChatTemplate::parse(entry.at("template").get<std::string>());
    if (!parsed) return {{"error", parsed.error().message}};
    const auto text = parsed->render(input_of(entry.at("input")));
    if (!text) return {{"error", text.error().message}};
    return {{"text", *text}};
}

}  // namespace

int main() {
    const std::string bytes{std::istreambuf_iterator<char>(std::cin), {}};
    const auto cases = base::parse_json(bytes, {.bytes_max = size_t{256} << 20});
    if (!cases) {
        std::fprintf(stderr, "%s\n", cases.error().message.c_str());
        return 1;
    }
    Json out = Json::array();
    for (const Json& entry : *cases) out.push_back(render(entry));
    std::cout << base::dump_json(out, -1) << "\n";
    return 0;
}
