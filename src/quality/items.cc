#include "quality/items.h"

#include <algorithm>
#include <array>

#include "base/json.h"
#include "base/lines.h"
#include "base/text.h"
#include "text/utf8.h"

namespace hone::quality {
namespace {

using base::ErrorCode;
using base::fail;
using base::Json;

constexpr std::array<const char*, 4> kTaskNames = {"choice", "classification", "generation",
                                                   "consistency"};

base::Status check_size(const char* key, size_t count, size_t least, size_t most) {
    if (count < least) {
        return fail(ErrorCode::corrupt, "'{}' has {} entries; at least {} are needed", key, count,
                    least);
    }
    if (count > most) {
        return fail(ErrorCode::exhausted, "'{}' has {} entries; at most {}", key, count, most);
    }
    return {};
}

// Keys of one line. Each key that was asked for is known; finish() refuses the others.
class Fields {
  public:
    explicit Fields(const Json& json) : json_(json) {}

    const Json* find(const char* key) {
        known_.push_back(key);
        const auto found = json_.find(key);
        return found == json_.end() ? nullptr : &*found;
    }

    base::Status text(const char* key, std::string& out, size_t bytes_max) {
        const Json* value = find(key);
        return value != nullptr ? as_text(key, *value, out, bytes_max) : base::Status();
    }

    base::Status texts(const char* key, std::vector<std::string>& out, size_t least, size_t most,
                       size_t bytes_max) {
        const Json* value = find(key);
        if (value == nullptr) return {};
        if (!value->is_array()) return fail(ErrorCode::corrupt, "'{}' is no list", key);
        HONE_TRY_STATUS(check_size(key, value->size(), least, most));
        for (const Json& entry : *value) {
            HONE_TRY_STATUS(as_text(key, entry, out.emplace_back(), bytes_max));
        }
        return {};
    }

    base::Status whole(const char* key, size_t& out, size_t least, size_t most) {
        const Json* value = find(key);
        if (value == nullptr) return {};
        if (!value->is_number_unsigned() || value->get<uint64_t>() < least ||
            value->get<uint64_t>() > most) {
            return fail(ErrorCode::corrupt, "'{}' is not a whole number from {} to {}", key, least,
                        most);
        }
        out = value->get<size_t>();
        return {};
    }

    base::Status finish() const {
        for (const auto& [key, value] : json_.items()) {
            const bool known = std::find(known_.begin(), known_.end(), key) != known_.end();
            if (known || key.starts_with('_')) continue;
            return fail(ErrorCode::corrupt, "unknown key '{}'", base::printable(key));
        }
        return {};
    }

    static base::Status as_text(const char* key, const Json& value, std::string& out,
                                size_t bytes_max) {
        if (!value.is_string()) return fail(ErrorCode::corrupt, "'{}' is no text", key);
        out = value.get<std::string>();
        if (out.size() <= bytes_max) return {};
        return fail(ErrorCode::exhausted, "'{}' has {} bytes; at most {}", key, out.size(),
                    bytes_max);
    }

  private:
    const Json& json_;
    std::vector<std::string> known_;
};

base::Result<ItemPrompt> prompt_of(const Json& value, const char* key) {
    ItemPrompt prompt;
    if (value.is_string()) {
        HONE_TRY_STATUS(Fields::as_text(key, value, prompt.text, kItemLineBytesMax));
        if (!prompt.text.empty()) return prompt;
        return fail(ErrorCode::corrupt, "'{}' is empty", key);
    }
    if (!value.is_array()) {
        return fail(ErrorCode::corrupt, "'{}' is neither a text nor a list of messages", key);
    }
    HONE_TRY_STATUS(check_size(key, value.size(), 1, 256));
    for (const Json& entry : value) {
        if (!entry.is_object()) return fail(ErrorCode::corrupt, "a message is no object");
        Fields fields(entry);
        ItemMessage& message = prompt.messages.emplace_back();
        HONE_TRY_STATUS(fields.text("role", message.role, 64));
        HONE_TRY_STATUS(fields.text("content", message.content, kItemLineBytesMax));
        HONE_TRY_STATUS(fields.finish());
        if (message.role.empty()) return fail(ErrorCode::corrupt, "a message without a role");
    }
    return prompt;
}

// `prompt` or `messages`, where there is one of them.
base::Status read_prompt(Fields& fields, Item& item) {
    const Json* text = fields.find("prompt");
    const Json* messages = fields.find("messages");
    if (text != nullptr && messages != nullptr) {
        return fail(ErrorCode::corrupt, "both 'prompt' and 'messages'");
    }
    if (text == nullptr && messages == nullptr) return {};
    const char* key = text != nullptr ? "prompt" : "messages";
    const Json& value = text != nullptr ? *text : *messages;
    if ((text != nullptr) != value.is_string()) {
        return fail(ErrorCode::corrupt, "'{}' is no {}", key,
                    text != nullptr ? "text" : "list of messages");
    }
    HONE_TRY(ItemPrompt prompt, prompt_of(value, key));
    item.prompts.push_back(std::move(prompt));
    return {};
}

// An index, or the text of the choice.
base::Result<size_t> choice_of(const Json& value, const char* key, const Item& item) {
    if (value.is_number_unsigned() && value.get<uint64_t>() < item.choices.size()) {
        return value.get<size_t>();
    }
    if (value.is_string()) {
        const auto found =
            std::find(item.choices.begin(), item.choices.end(), value.get<std::string>());
        if (found != item.choices.end()) return static_cast<size_t>(found - item.choices.begin());
    }
    return fail(ErrorCode::corrupt, "'{}' is none of the {} choices", key, item.choices.size());
}

base::Status read_choice(Fields& fields, Item& item) {
    HONE_TRY_STATUS(fields.texts("choices", item.choices, 2, kChoicesMax, kItemTextBytesMax));
    if (item.choices.empty()) return fail(ErrorCode::corrupt, "no 'choices'");
    for (size_t i = 0; i < item.choices.size(); ++i) {
        const std::string& choice = item.choices[i];
        if (choice.empty()) return fail(ErrorCode::corrupt, "an empty choice");
        const auto rest = item.choices.begin() + static_cast<std::ptrdiff_t>(i) + 1;
        if (std::find(rest, item.choices.end(), choice) != item.choices.end()) {
            return fail(ErrorCode::corrupt, "the choice '{}' twice", base::printable(choice));
        }
    }
    const Json* answer = fields.find("answer");
    if (answer == nullptr) return fail(ErrorCode::corrupt, "no 'answer'");
    HONE_TRY(item.answer, choice_of(*answer, "answer", item));
    if (const Json* prediction = fields.find("prediction")) {
        HONE_TRY(item.prediction, choice_of(*prediction, "prediction", item));
    }
    return {};
}

base::Status read_output_limits(Fields& fields, Item& item) {
    size_t tokens = item.output_tokens;
    HONE_TRY_STATUS(fields.whole("output_tokens", tokens, 1, kOutputTokensMax));
    item.output_tokens = static_cast<uint32_t>(tokens);
    return fields.texts("stop", item.stop, 1, 16, 256);
}

base::Status read_generation(Fields& fields, Item& item) {
    HONE_TRY_STATUS(
        fields.texts("references", item.references, 1, kReferencesMax, kItemTextBytesMax));
    if (item.references.empty()) return fail(ErrorCode::corrupt, "no 'references'");
    if (const Json* output = fields.find("output")) {
        HONE_TRY_STATUS(
            Fields::as_text("output", *output, item.outputs.emplace_back(), kItemTextBytesMax));
    }
    return read_output_limits(fields, item);
}

base::Status read_same(Fields& fields, Item& item) {
    const Json* same = fields.find("same");
    if (same == nullptr) {
        item.same = {0, item.turns.size() - 1};
        return {};
    }
    if (!same->is_array()) return fail(ErrorCode::corrupt, "'same' is no list");
    HONE_TRY_STATUS(check_size("same", same->size(), 2, kVariantsMax));
    for (const Json& turn : *same) {
        if (!turn.is_number_unsigned() || turn.get<uint64_t>() >= item.turns.size()) {
            return fail(ErrorCode::corrupt, "'same' names a turn that is not there");
        }
        const auto index = turn.get<size_t>();
        if (std::find(item.same.begin(), item.same.end(), index) != item.same.end()) {
            return fail(ErrorCode::corrupt, "'same' names turn {} twice", index);
        }
        item.same.push_back(index);
    }
    return {};
}

base::Status read_ways_of_asking(Fields& fields, Item& item) {
    if (const Json* prompts = fields.find("prompts")) {
        if (!prompts->is_array()) return fail(ErrorCode::corrupt, "'prompts' is no list");
        HONE_TRY_STATUS(check_size("prompts", prompts->size(), 2, kVariantsMax));
        for (const Json& value : *prompts) {
            HONE_TRY(ItemPrompt prompt, prompt_of(value, "prompts"));
            item.prompts.push_back(std::move(prompt));
        }
    }
    size_t samples = 1;
    HONE_TRY_STATUS(fields.whole("samples", samples, 2, kVariantsMax));
    item.samples = static_cast<uint32_t>(samples);
    if (const Json* temperature = fields.find("temperature")) {
        const double value = temperature->is_number() ? temperature->get<double>() : 0;
        if (!(value > 0 && value <= 10)) {
            return fail(ErrorCode::corrupt, "'temperature' is not above 0 and at most 10");
        }
        item.temperature = value;
    }
    return {};
}

base::Status read_consistency(Fields& fields, Item& item) {
    const bool one_prompt = !item.prompts.empty();
    HONE_TRY_STATUS(read_ways_of_asking(fields, item));
    HONE_TRY_STATUS(fields.texts("turns", item.turns, 2, kVariantsMax, kItemLineBytesMax));
    HONE_TRY_STATUS(fields.text("system", item.system, kItemLineBytesMax));
    const int ways =
        (one_prompt ? 1 : 0) + (item.prompts.size() >= 2 ? 1 : 0) + (item.turns.empty() ? 0 : 1);
    HONE_TRY_STATUS(
        fields.texts("outputs", item.outputs, 2, kVariantsMax * kVariantsMax, kItemTextBytesMax));
    const bool only_outputs = ways == 0 && !item.outputs.empty() && item.samples == 1;
    if (only_outputs) {
        HONE_TRY_STATUS(check_size("outputs", item.outputs.size(), 2, kVariantsMax));
        return read_output_limits(fields, item);
    }
    if (ways != 1) {
        return fail(ErrorCode::corrupt, "one of 'prompts', 'turns', or a prompt with 'samples'");
    }
    if (one_prompt != (item.samples > 1) || (item.samples > 1) != (item.temperature > 0)) {
        return fail(ErrorCode::corrupt,
                    "one prompt needs 'samples' and a 'temperature', and nothing else takes them");
    }
    if (!item.turns.empty()) HONE_TRY_STATUS(read_same(fields, item));
    if (!item.outputs.empty() && item.outputs.size() != item.outputs_wanted()) {
        return fail(ErrorCode::corrupt, "{} outputs; {} are needed", item.outputs.size(),
                    item.outputs_wanted());
    }
    return read_output_limits(fields, item);
}

base::Result<Item> read_item(std::string_view line) {
    HONE_TRY(
        const Json json,
        base::parse_json(line, {.bytes_max = kItemLineBytesMax, .depth_max = 8, .keys_max = 64}));
    if (!json.is_object()) return fail(ErrorCode::corrupt, "not a JSON object");
    Fields fields(json);
    Item item;
    std::string task, id;
    HONE_TRY_STATUS(fields.text("task", task, 64));
    HONE_TRY_STATUS(fields.text("id", id, 256));
    const auto found = std::find(kTaskNames.begin(), kTaskNames.end(), task);
    if (found == kTaskNames.end()) {
        return fail(ErrorCode::corrupt,
                    "'task' is none of choice, classification, generation, consistency");
    }
    item.task = static_cast<TaskKind>(found - kTaskNames.begin());
    HONE_TRY_STATUS(read_prompt(fields, item));
    if (item.task == TaskKind::consistency) {
        HONE_TRY_STATUS(read_consistency(fields, item));
    } else if (item.task == TaskKind::generation) {
        HONE_TRY_STATUS(read_generation(fields, item));
    } else {
        HONE_TRY_STATUS(read_choice(fields, item));
    }
    HONE_TRY_STATUS(fields.finish());
    if (item.prompts.empty() && item.turns.empty() && !item.answered()) {
        return fail(ErrorCode::corrupt, "neither 'prompt' nor 'messages'");
    }
    return item;
}

base::Status check_classes(const Item& first, const Item& item) {
    if (item.task != TaskKind::classification || first.choices == item.choices) return {};
    return fail(ErrorCode::corrupt, "other choices than those of {}: one classification at a time",
                first.where);
}

}  // namespace

size_t Item::outputs_wanted() const {
    return turns.empty() ? prompts.size() * samples : turns.size();
}

base::Status add_items(std::string_view jsonl, std::vector<Item>& items) {
    const size_t before = items.size();
    size_t first = 0;  // of the classifications
    base::LineReader lines(jsonl);
    while (const auto found = lines.next()) {
        const std::string_view line = found->text;
        const std::string where = fmt::format("line {}", found->number);
        const auto refuse = [&](const base::Error& error) {
            return tl::unexpected<base::Error>(error.within(where));
        };
        if (line.size() > kItemLineBytesMax) {
            return fail(ErrorCode::exhausted, "{}: {} bytes; at most {}", where, line.size(),
                        kItemLineBytesMax);
        }
        if (items.size() == kItemsMax) {
            return fail(ErrorCode::exhausted, "{}: more than {} items", where, kItemsMax);
        }
        if (text::sanitize_utf8(line) != line) {
            return fail(ErrorCode::corrupt, "{}: not UTF-8", where);
        }
        auto item = read_item(line);
        if (!item) return refuse(item.error());
        while (first < items.size() && items[first].task != TaskKind::classification) ++first;
        const Item& like = first < items.size() ? items[first] : *item;
        if (const auto status = check_classes(like, *item); !status) return refuse(status.error());
        item->where = where;
        items.push_back(std::move(*item));
    }
    if (items.size() == before) {
        return fail(ErrorCode::invalid_argument, "there are no items in it");
    }
    return {};
}

}  // namespace hone::quality
