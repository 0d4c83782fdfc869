#include "quality/answers.h"

#include <algorithm>
#include <cmath>
#include <ctime>
#include <optional>

#include "base/json.h"
#include "quality/window_reader.h"
#include "runtime/generation.h"
#include "runtime/text_reader.h"
#include "text/chat_prompt.h"
#include "text/utf8.h"

namespace hone::quality {
namespace {

using base::ErrorCode;
using base::fail;

constexpr base::JsonLimits kStoredAnswers{
    .bytes_max = size_t{1} << 30, .depth_max = 8, .keys_max = 64};

std::tm fixed_date() {
    std::tm date{};
    date.tm_year = 125;
    date.tm_mday = 1;
    date.tm_wday = 3;  // a Wednesday
    return date;
}

size_t common_prefix(const std::vector<int32_t>& a, const std::vector<int32_t>& b) {
    const auto ends = std::mismatch(a.begin(), a.end(), b.begin(), b.end());
    return static_cast<size_t>(ends.first - a.begin());
}

class Answerer {
  public:
    Answerer(runtime::Session& session, runtime::TextReader reader,
             std::unique_ptr<runtime::Engine> engine, const AnswerOptions& options,
             const base::Clock& clock)
        : session_(session),
          reader_(std::move(reader)),
          engine_(std::move(engine)),
          generator_(*engine_, session.tokenizer(), clock),
          options_(options) {}

    base::Result<ItemAnswer> answer(const Item& item) {
        if (item.answered()) return blank_answer(item);
        ItemAnswer out;
        if (!item.choices.empty()) {
            HONE_TRY(out.log_likelihoods, choice_likelihoods(item));
        } else if (!item.turns.empty()) {
            HONE_TRY(out.outputs, answer_turns(item));
        } else {
            HONE_TRY(out.outputs, answer_prompts(item));
        }
        return out;
    }

  private:
    const text::Tokenizer& tokenizer() const { return session_.tokenizer(); }

    base::Result<text::ChatPrompt> render(const std::vector<ItemMessage>& messages) {
        if (!template_) {
            const std::string& source = tokenizer().chat_template();
            if (source.empty()) {
                return fail(ErrorCode::unsupported,
                            "the item is a conversation, and the model's file has no chat format");
            }
            HONE_TRY(auto parsed, text::ChatTemplate::parse(source));
            template_ = std::move(parsed);
        }
        std::vector<text::ChatMessage> chat;
        for (const ItemMessage& message : messages) chat.push_back({message.role, message.content});
        return text::chat_prompt(*template_, tokenizer(), std::move(chat), fixed_date());
    }

    base::Result<text::ChatPrompt> prompt_of(const ItemPrompt& prompt) {
        if (!prompt.messages.empty()) return render(prompt.messages);
        return text::ChatPrompt{prompt.text, {}};
    }

    base::Result<std::vector<double>> choice_likelihoods(const Item& item) {
        HONE_TRY(const text::ChatPrompt prompt, prompt_of(item.prompts.front()));
        const bool chat = !item.prompts.front().messages.empty();
        const std::vector<int32_t> context = tokenizer().encode(prompt.text, prompt.encode);
        std::vector<double> out;
        for (const std::string& choice : item.choices) {
            TextWindow window;
            if (chat) {
                const auto tokens = tokenizer().encode(choice, {.add_bos = false});
                window = {context, context.size()};
                window.tokens.insert(window.tokens.end(), tokens.begin(), tokens.end());
            } else {
                window.tokens = tokenizer().encode(prompt.text + choice, prompt.encode);
                window.scored = common_prefix(window.tokens, context);
            }
            HONE_TRY(const double log_likelihood, likelihood(window));
            out.push_back(log_likelihood);
        }
        return out;
    }

    base::Result<double> likelihood(const TextWindow& window) {
        const uint32_t context = session_.options().limits.context;
        if (window.tokens.size() > context) {
            return fail(ErrorCode::exhausted, "{} tokens; the context is {}", window.tokens.size(),
                        context);
        }
        if (window.scored < 1 || window.rows() == 0) {
            return fail(ErrorCode::invalid_argument,
                        "no token of the prompt stands before the choice, or none is the choice's");
        }
        double log_likelihood = 0;
        const auto add = [&](const runtime::LogSoftmax& logits, int32_t next) {
            log_likelihood -= logits.nll(next);
        };
        HONE_TRY_STATUS(read_window(reader_, window, session_.model().path(), add));
        return log_likelihood;
    }

    base::Result<std::vector<std::string>> answer_prompts(const Item& item) {
        std::vector<std::string> outputs;
        for (const ItemPrompt& prompt : item.prompts) {
            HONE_TRY(const text::ChatPrompt rendered, prompt_of(prompt));
            for (uint32_t sample = 0; sample < item.samples; ++sample) {
                HONE_TRY(std::string output, generate(item, rendered, sample));
                outputs.push_back(std::move(output));
            }
        }
        return outputs;
    }

    base::Result<std::vector<std::string>> answer_turns(const Item& item) {
        std::vector<ItemMessage> messages;
        if (!item.system.empty()) messages.push_back({"system", item.system});
        std::vector<std::string> outputs;
        for (const std::string& turn : item.turns) {
            messages.push_back({"user", turn});
            HONE_TRY(const text::ChatPrompt rendered, render(messages));
            HONE_TRY(std::string output, generate(item, rendered, 0));
            messages.push_back({"assistant", output});
            outputs.push_back(std::move(output));
        }
        return outputs;
    }

    base::Result<std::string> generate(const Item& item, const text::ChatPrompt& prompt,
                                       uint32_t sample) {
        runtime::GenerationRequest request;
        request.prompt = prompt.text;
        request.encode = prompt.encode;
        request.output_tokens_max = item.output_tokens;
        request.sampling.temperature = static_cast<float>(item.temperature);
        request.sampling.seed = options_.seed + sample;
        request.stop_strings = item.stop;
        HONE_TRY(auto outcome, generator_.generate(request, {}, options_.cancel));
        if (outcome.finish == runtime::FinishReason::cancelled) {
            return fail(ErrorCode::cancelled, "stopped on request");
        }
        if (outcome.text.size() > kItemTextBytesMax) {
            outcome.text.resize(kItemTextBytesMax);
            const size_t cut = text::incomplete_suffix_bytes(outcome.text);
            outcome.text.resize(kItemTextBytesMax - cut);
        }
        return std::move(outcome.text);
    }

    runtime::Session& session_;
    runtime::TextReader reader_;
    std::unique_ptr<runtime::Engine> engine_;
    runtime::TextGenerator generator_;
    const AnswerOptions& options_;
    std::optional<text::ChatTemplate> template_;
};

base::Result<Answerer> make_answerer(runtime::Session& session, const AnswerOptions& options,
                                     const base::Clock& clock) {
    runtime::EngineLimits limits = session.options().limits;
    limits.sequences_max = 1;
    limits.kv_bytes_max = 0;
    HONE_TRY(auto reader, runtime::TextReader::create(session, limits.context));
    HONE_TRY(auto engine, runtime::Engine::create(session.config(), session.executor(), limits));
    return Answerer(session, std::move(reader), std::move(engine), options, clock);
}

// What of an answer must be there for an item.
bool fits(const ItemAnswer& answer, const Item& item) {
    const ItemAnswer wanted = blank_answer(item);
    const bool finite = std::all_of(answer.log_likelihoods.begin(), answer.log_likelihoods.end(),
                                    [](double value) { return std::isfinite(value); });
    const bool within =
        std::all_of(answer.outputs.begin(), answer.outputs.end(),
                    [](const std::string& text) { return text.size() <= kItemTextBytesMax; });
    return finite && within && answer.log_likelihoods.size() == wanted.log_likelihoods.size() &&
           answer.outputs.size() == wanted.outputs.size();
}

base::Result<ItemAnswer> parse_answer(const base::Json& json) {
    ItemAnswer answer;
    if (!json.is_object()) return fail(ErrorCode::corrupt, "no object");
    const auto likelihoods = json.find("log_likelihoods");
    const auto outputs = json.find("outputs");
    if (likelihoods != json.end() && likelihoods->is_array()) {
        for (const base::Json& value : *likelihoods) {
            if (!value.is_number()) return fail(ErrorCode::corrupt, "no number");
            answer.log_likelihoods.push_back(value.get<double>());
        }
    }
    if (outputs != json.end() && outputs->is_array()) {
        for (const base::Json& value : *outputs) {
            if (!value.is_string()) return fail(ErrorCode::corrupt, "no text");
            answer.outputs.push_back(value.get<std::string>());
        }
    }
    return answer;
}

}  // namespace

ItemAnswer blank_answer(const Item& item) {
    if (item.answered()) return {{}, item.outputs};
    if (!item.choices.empty()) return {std::vector<double>(item.choices.size(), 0.0), {}};
    return {{}, std::vector<std::string>(item.outputs_wanted())};
}

base::Result<std::vector<ItemAnswer>> answer_items(runtime::Session& session,
                                                   std::span<const Item> items,
                                                   const AnswerOptions& options,
                                                   const base::Clock& clock) {
    HONE_TRY(Answerer answerer, make_answerer(session, options, clock));
    std::vector<ItemAnswer> answers;
    for (const Item& item : items) {
        if (options.cancel != nullptr && *options.cancel) {
            return fail(ErrorCode::cancelled, "stopped on request");
        }
        auto answer = answerer.answer(item);
        if (!answer && answer.error().code == ErrorCode::cancelled) {
            return tl::unexpected<base::Error>(answer.error());
        }
        if (!answer) return tl::unexpected<base::Error>(answer.error().within(item.where));
        answers.push_back(std::move(*answer));
        if (options.report) {
            options.report(static_cast<double>(answers.size()) / static_cast<double>(items.size()));
        }
    }
    return answers;
}

std::string answers_text(std::span<const ItemAnswer> answers) {
    base::Json out = base::Json::array();
    for (const ItemAnswer& answer : answers) {
        base::Json json = base::Json::object();
        if (!answer.log_likelihoods.empty()) json["log_likelihoods"] = answer.log_likelihoods;
        if (!answer.outputs.empty()) json["outputs"] = answer.outputs;
        out.push_back(std::move(json));
    }
    return base::dump_json(out, -1);
}

base::Result<std::vector<ItemAnswer>> parse_answers(std::string_view text,
                                                    std::span<const Item> items) {
    HONE_TRY(const base::Json json, base::parse_json(text, kStoredAnswers));
    if (!json.is_array() || json.size() != items.size()) {
        return fail(ErrorCode::corrupt, "stored answers of other items");
    }
    std::vector<ItemAnswer> answers;
    for (size_t i = 0; i < items.size(); ++i) {
        HONE_TRY(ItemAnswer answer, parse_answer(json[i]));
        if (!fits(answer, items[i])) {
            return fail(ErrorCode::corrupt, "a stored answer does not fit {}", items[i].where);
        }
        answers.push_back(std::move(answer));
    }
    return answers;
}

}  // namespace hone::quality
