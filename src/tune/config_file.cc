#include "tune/config_file.h"

#include <toml++/toml.h>

#include <sstream>

#include "base/text.h"

namespace hone::tune {
namespace {

using base::ErrorCode;
using base::fail;

tl::unexpected<base::Error> mistyped(std::string_view key, const char* wanted) {
    return fail(ErrorCode::invalid_argument, "session.{}: expected {}", base::printable(key),
                wanted);
}

bool is_number(std::string_view key) {
    return key == "threads" || key == "step_tokens" || key == "context" || key == "batch" ||
           key == "draft_tokens";
}
bool is_switch(std::string_view key) {
    return key == "pin" || key == "flush_denormals" || key == "prefix_cache" ||
           key == "trim_padding" || key == "mlock";
}
bool is_word(std::string_view key) {
    return key == "isa" || key == "kv" || key == "weights" || key == "packed_cache" ||
           key == "speculate" || key == "without_layers" || key == "head";
}

base::Result<std::vector<std::string>> texts_of(std::string_view key, const toml::node& node) {
    const toml::array* array = node.as_array();
    if (array == nullptr) return mistyped(key, "a list of texts");
    std::vector<std::string> out;
    for (const toml::node& item : *array) {
        const auto text = item.value_exact<std::string>();
        if (!text) return mistyped(key, "a list of texts");
        out.push_back(*text);
    }
    return out;
}

base::Status read_list(std::string_view key, const toml::node& node, Settings& settings) {
    HONE_TRY(const auto texts, texts_of(key, node));
    if (key == "without") {
        settings.without.clear();
        for (const std::string& pass : texts) {
            HONE_TRY_STATUS(change(settings, "pass:" + pass, "off"));
        }
        return {};
    }
    settings.variants.clear();
    for (const std::string& variant : texts) {
        const size_t equals = variant.find('=');
        if (equals == std::string::npos) return mistyped(key, "FAMILY=NAME");
        HONE_TRY_STATUS(
            change(settings, "variant:" + variant.substr(0, equals), variant.substr(equals + 1)));
    }
    return {};
}

base::Status read_key(std::string_view key, const toml::node& node, Settings& settings) {
    const std::string name(key);
    if (is_number(key)) {
        const auto number = node.value_exact<int64_t>();
        if (!number) return mistyped(key, "a whole number");
        return change(settings, name, std::to_string(*number));
    }
    if (is_switch(key)) {
        const auto on = node.value_exact<bool>();
        if (!on) return mistyped(key, "true or false");
        return change(settings, name, *on ? "on" : "off");
    }
    if (is_word(key)) {
        const auto word = node.value_exact<std::string>();
        if (!word) return mistyped(key, "a text");
        return change(settings, name, *word);
    }
    if (key == "without" || key == "variants") return read_list(key, node, settings);
    return fail(ErrorCode::invalid_argument, "session.{}: no such setting", base::printable(key));
}

base::Status read_table(const toml::table& table, Settings& settings) {
    const auto schema = table["schema"].value_exact<int64_t>();
    if (!schema) return fail(ErrorCode::invalid_argument, "schema: expected a whole number");
    if (*schema > kConfigSchema) {
        return fail(ErrorCode::unsupported, "schema {}: this version reads {}", *schema,
                    kConfigSchema);
    }
    for (const auto& [key, node] : table) {
        if (key == "schema") continue;
        if (key != "session" || !node.is_table()) {
            return fail(ErrorCode::invalid_argument, "{}: expected schema and [session]",
                        base::printable(key.str()));
        }
        for (const auto& [name, value] : *node.as_table()) {
            HONE_TRY_STATUS(read_key(name.str(), value, settings));
        }
    }
    return {};
}

}  // namespace

std::string config_text(const Settings& settings, const std::string& head) {
    toml::table session;
    if (settings.threads > 0) session.insert("threads", settings.threads);
    session.insert("pin", settings.pin);
    if (!settings.isa.empty()) session.insert("isa", settings.isa);
    session.insert("step_tokens", static_cast<int64_t>(settings.step_tokens));
    session.insert("kv", settings.kv);
    session.insert("prefix_cache", settings.prefix_cache == "on");
    session.insert("flush_denormals", settings.flush_denormals);
    session.insert("trim_padding", settings.trim_padding);
    if (!settings.weights.empty()) session.insert("weights", settings.weights);
    session.insert("packed_cache", settings.packed_cache);
    session.insert("mlock", settings.mlock);
    session.insert("speculate", settings.speculate);
    session.insert("head", settings.head);
    if (!settings.without_layers.empty()) {
        session.insert("without_layers", value_of(settings, "without_layers"));
    }
    session.insert("draft_tokens", static_cast<int64_t>(settings.draft_tokens));
    if (settings.context > 0) session.insert("context", static_cast<int64_t>(settings.context));
    if (settings.batch > 0) session.insert("batch", settings.batch);
    toml::array without;
    for (const std::string& pass : settings.without) without.push_back(pass);
    toml::array variants;
    for (const std::string& variant : settings.variants) variants.push_back(variant);
    session.insert("without", std::move(without));
    session.insert("variants", std::move(variants));
    const toml::table file{{"schema", kConfigSchema}, {"session", std::move(session)}};
    std::ostringstream out;
    for (const std::string_view line : base::split(head, '\n')) out << "# " << line << '\n';
    out << file << '\n';
    return out.str();
}

base::Status parse_config(std::string_view text, Settings& settings) {
    if (text.size() > kConfigBytesMax) {
        return fail(ErrorCode::exhausted, "{} bytes; settings have {} at most", text.size(),
                    kConfigBytesMax);
    }
    Settings read = settings;
    try {
        HONE_TRY_STATUS(read_table(toml::parse(text), read));
    } catch (const toml::parse_error& error) {
        return fail(ErrorCode::corrupt, "line {}: {}", error.source().begin.line,
                    base::printable(error.description(), 160));
    } catch (const std::exception& error) {
        return fail(ErrorCode::corrupt, "{}", base::printable(error.what(), 160));
    }
    settings = std::move(read);
    return {};
}

base::Status read_config(const std::string& path, Settings& settings) {
    HONE_TRY(const std::string text, base::read_file(path, kConfigBytesMax));
    auto status = parse_config(text, settings);
    if (!status) return tl::unexpected<base::Error>(status.error().within(path));
    return {};
}

}  // namespace hone::tune
