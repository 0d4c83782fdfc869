#include <fmt/format.h>

#include <cstdio>
#include <ctime>
#include <iostream>
#include <memory>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/session_options.h"
#include "runtime/generation.h"
#include "text/chat_prompt.h"

namespace hone::cli {
namespace {

struct RunOptions {
    std::string model;
    SessionOptions session;
    std::string prompt;
    std::string file;
    std::string system;
    int output_tokens = 256;
    uint32_t context = 0;  // 0 = that of --config, or kContextDefault
    runtime::SamplingOptions sampling;
    std::vector<std::string> logit_bias;  // ID=BIAS
    std::vector<std::string> stop;
    bool greedy = false;
    bool raw = false;
    uint32_t logprobs = 0;
    bool stats = false;
    bool json = false;
};

constexpr uint32_t kContextDefault = 2048;
constexpr size_t kPromptBytesMax = 16u << 20;

base::Status parse_logit_bias(RunOptions& options) {
    for (const std::string& text : options.logit_bias) {
        int32_t id = 0;
        float bias = 0;
        int used = 0;
        if (std::sscanf(text.c_str(), "%d=%f%n", &id, &bias, &used) != 2 ||
            static_cast<size_t>(used) != text.size()) {
            return base::fail(base::ErrorCode::invalid_argument,
                              "--logit-bias {}: not TOKEN_ID=NUMBER", base::printable(text));
        }
        options.sampling.logit_bias.emplace_back(id, bias);
    }
    return {};
}

std::string statistics(const runtime::GenerationOutcome& outcome, double load_ms) {
    const measure::RequestSample& s = outcome.sample;
    const auto stage = [&](const char* name) {
        const auto found = s.stage_ns.find(name);
        return found == s.stage_ns.end() ? 0.0 : found->second;
    };
    const double prefill_ns = stage("prefill");
    const double decode_ns = stage("decode");
    std::string out = fmt::format("load {:.0f} ms", load_ms);
    out += fmt::format(" | prompt {} tokens", s.prompt_tokens);
    const int computed = s.prompt_tokens - s.prompt_tokens_reused;
    if (s.prompt_tokens_reused > 0) out += fmt::format(" ({} kept)", s.prompt_tokens_reused);
    if (prefill_ns > 0) out += fmt::format(", {:.0f} tok/s", computed / prefill_ns * 1e9);
    if (s.ttft_ns > 0) out += fmt::format(" | first token {:.0f} ms", s.ttft_ns * 1e-6);
    out += fmt::format(" | output {} tokens", s.output_tokens);
    if (s.output_tokens > 1 && decode_ns > 0) {
        out += fmt::format(", {:.0f} tok/s", (s.output_tokens - 1) / decode_ns * 1e9);
    }
    if (outcome.drafts) {
        const runtime::DraftCounts& drafts = *outcome.drafts;
        out += fmt::format(" | drafts {} of {} right ({:.0f} %), {:.2f} tok/step", drafts.accepted,
                           drafts.drafted, drafts.accepted_share() * 100, drafts.tokens_per_step());
    }
    return out + fmt::format(" | end: {}\n", runtime::finish_reason_name(outcome.finish));
}

// Per output token the likeliest ones: their ids, texts and logarithms.
base::Json logprobs_json(const runtime::GenerationOutcome& outcome,
                         const text::Tokenizer& tokenizer) {
    base::Json rows = base::Json::array();
    for (const auto& likeliest : outcome.logprobs) {
        base::Json row = base::Json::array();
        for (const runtime::TokenLogprob& entry : likeliest) {
            row.push_back({{"token", entry.token},
                           {"text", tokenizer.decode_piece(entry.token, true)},
                           {"logprob", entry.logprob}});
        }
        rows.push_back(std::move(row));
    }
    return rows;
}

base::Json outcome_json(const runtime::GenerationOutcome& outcome, double load_ms) {
    const measure::RequestSample& s = outcome.sample;
    base::Json json;
    json["text"] = outcome.text;
    json["tokens"] = outcome.tokens;
    json["finish"] = runtime::finish_reason_name(outcome.finish);
    json["prompt_tokens"] = s.prompt_tokens;
    json["prompt_tokens_reused"] = s.prompt_tokens_reused;
    json["output_tokens"] = s.output_tokens;
    json["load_ms"] = load_ms;
    json["ttft_ms"] = s.output_tokens > 0 ? base::Json(s.ttft_ns * 1e-6) : base::Json();
    json["total_ms"] = s.total_ns * 1e-6;
    for (const auto& [name, ns] : s.stage_ns) json["stages_ms"][name] = ns * 1e-6;
    if (outcome.drafts) {
        const runtime::DraftCounts& drafts = *outcome.drafts;
        json["speculation"] = {{"steps", drafts.steps},
                               {"drafted_steps", drafts.drafted_steps},
                               {"tokens", drafts.tokens},
                               {"drafted", drafts.drafted},
                               {"accepted", drafts.accepted},
                               {"accepted_share", drafts.accepted_share()},
                               {"tokens_per_step", drafts.tokens_per_step()}};
    }
    return json;
}

class Conversation {
  public:
    Conversation(const RunOptions& options, runtime::Session& session,
                 const CommandContext& context)
        : options_(options),
          session_(session),
          context_(context),
          generator_(session.engine(), session.tokenizer(), context.clock) {}

    base::Status start() {
        if (!options_.system.empty()) messages_.push_back({"system", options_.system});
        const std::string& source = session_.tokenizer().chat_template();
        if (options_.raw) return {};
        if (source.empty()) {
            return base::fail(base::ErrorCode::unsupported,
                              "{}: the file has no chat format; use --raw to complete plain text",
                              options_.model);
        }
        HONE_TRY(auto parsed, text::ChatTemplate::parse(source));
        template_ = std::move(parsed);
        return {};
    }

    // One prompt in, one answer out, streamed to stdout unless --json.
    base::Result<runtime::GenerationOutcome> answer(const std::string& prompt) {
        HONE_TRY(const auto request, request_for(prompt));
        const auto stream = [&](std::string_view piece) {
            if (options_.json || !output_) return;
            output_ = print(std::string(piece));
        };
        output_ = base::Status();
        HONE_TRY(auto outcome, generator_.generate(request, stream, &context_.cancelled));
        HONE_TRY_STATUS(output_);
        messages_.push_back({"assistant", outcome.text});
        return outcome;
    }

  private:
    base::Result<runtime::GenerationRequest> request_for(const std::string& prompt) {
        runtime::GenerationRequest request;
        request.output_tokens_max = static_cast<uint32_t>(options_.output_tokens);
        request.sampling = options_.sampling;
        request.stop_strings = options_.stop;
        request.logprobs = options_.logprobs;
        request.prompt = prompt;
        if (!template_) return request;
        messages_.push_back({"user", prompt});
        const std::time_t now = std::time(nullptr);
        std::tm local{};
        localtime_r(&now, &local);
        HONE_TRY(const auto rendered,
                 text::chat_prompt(*template_, session_.tokenizer(), messages_, local));
        request.prompt = rendered.text;
        request.encode = rendered.encode;
        return request;
    }

    const RunOptions& options_;
    runtime::Session& session_;
    const CommandContext& context_;
    runtime::TextGenerator generator_;
    std::optional<text::ChatTemplate> template_;
    std::vector<text::ChatMessage> messages_;
    base::Status output_;
};

base::Status run_once(const RunOptions& options, const std::string& prompt,
                      runtime::Session& session, const CommandContext& context) {
    Conversation conversation(options, session, context);
    HONE_TRY_STATUS(conversation.start());
    HONE_TRY(const auto outcome, conversation.answer(prompt));
    const bool cancelled = outcome.finish == runtime::FinishReason::cancelled;
    if (options.json) {
        base::Json json = outcome_json(outcome, session.load_ms());
        if (options.logprobs > 0) {
            json["logprobs"] = logprobs_json(outcome, session.tokenizer());
        }
        HONE_TRY_STATUS(print(base::dump_json(json) + "\n"));
    } else if (context.terminal.stdout_tty) {
        HONE_TRY_STATUS(print("\n"));
    }
    if (options.stats || context.terminal.stderr_tty || cancelled) {
        fmt::print(stderr, "{}", statistics(outcome, session.load_ms()));
    }
    if (cancelled) return base::fail(base::ErrorCode::cancelled, "stopped on request");
    return {};
}

base::Status run_chat(const RunOptions& options, runtime::Session& session,
                      const CommandContext& context) {
    Conversation conversation(options, session, context);
    HONE_TRY_STATUS(conversation.start());
    fmt::print(stderr, "Chat with {}. Ctrl-D ends it.\n", session.config().name);
    std::string line;
    while (!context.cancelled) {
        HONE_TRY_STATUS(print("> "));
        if (!std::getline(std::cin, line)) break;
        if (base::trim(line).empty()) continue;
        HONE_TRY(const auto outcome, conversation.answer(line));
        HONE_TRY_STATUS(print("\n"));
        fmt::print(stderr, "{}", statistics(outcome, session.load_ms()));
        if (outcome.finish == runtime::FinishReason::cancelled) {
            return base::fail(base::ErrorCode::cancelled, "stopped on request");
        }
        if (outcome.finish == runtime::FinishReason::context) {
            return base::fail(base::ErrorCode::exhausted,
                              "the context of {} positions is full; start again or give --context",
                              session.options().limits.context);
        }
    }
    HONE_TRY_STATUS(print("\n"));
    if (context.cancelled) return base::fail(base::ErrorCode::cancelled, "stopped on request");
    return {};
}

base::Status run_model(RunOptions& options, const CommandContext& context, bool has_prompt) {
    HONE_TRY_STATUS(parse_logit_bias(options));
    if (options.greedy) options.sampling.temperature = 0;
    if (has_prompt && !options.file.empty()) {
        return base::fail(base::ErrorCode::invalid_argument, "give -p or -f, not both");
    }
    runtime::EngineLimits limits;
    HONE_TRY(const auto model, models::Model::open(options.model));
    uint32_t wanted = options.context;
    if (wanted == 0) wanted = options.session.context;
    if (wanted == 0) wanted = kContextDefault;
    limits.context = std::min(wanted, model->config().context_max);
    HONE_TRY_STATUS(options.sampling.validate(model->config().n_vocab));
    HONE_TRY(const auto load, load_options(options.session, limits, context));
    std::string prompt = options.prompt;
    const bool chat = !has_prompt && options.file.empty() && context.terminal.stdin_tty;
    if (!options.file.empty()) {
        HONE_TRY(prompt, base::read_file(options.file, kPromptBytesMax));
    } else if (!has_prompt && !chat) {
        HONE_TRY(prompt, read_standard_input(kPromptBytesMax));
    }
    HONE_TRY(const auto session, open_session(options.model, options.session, load, context));
    if (chat) return run_chat(options, *session, context);
    return run_once(options, prompt, *session, context);
}

void add_sampling_options(Command command, RunOptions& options) {
    runtime::SamplingOptions& s = options.sampling;
    command.add_flag("--greedy", options.greedy, "Always the most likely token (the default)");
    command.add_option("--temperature", s.temperature, "0 is greedy").show_default();
    command.add_option("--top-k", s.top_k, "Only the k most likely tokens (0: all)");
    command.add_option("--top-p", s.top_p, "Only the most likely tokens up to this mass");
    command.add_option("--min-p", s.min_p, "Only tokens this likely relative to the likeliest");
    command.add_option("--repetition-penalty", s.repetition_penalty, "1 is none");
    command.add_option("--repeat-last-n", s.repeat_last_n, "Tokens the penalty looks back at");
    command.add_option("--seed", s.seed, "Same seed, same text");
    command.add_option("--logit-bias", options.logit_bias, "TOKEN_ID=NUMBER, repeatable");
    command.add_option("--stop", options.stop, "Stop before this text, repeatable");
}

}  // namespace

Action add_run(Command program) {
    auto command = program.add_command("run", "Generate text: a prompt, a file, a pipe or a chat");
    auto options = std::make_shared<RunOptions>();
    command.add_option("model", options->model, "Model file or directory").required();
    auto prompt = command.add_option("-p,--prompt", options->prompt, "Prompt");
    command.add_option("-f,--file", options->file, "Read the prompt from this file");
    command.add_option("--system", options->system, "System message of the chat");
    command.add_flag("--raw", options->raw, "Complete the text as it is, without chat format");
    command.add_option("-n,--output-tokens", options->output_tokens, "Tokens to generate at most")
        .in_range(1, 1 << 20)
        .show_default();
    command
        .add_option("--context", options->context,
                    "Positions: prompt and output together (default: 2048)")
        .in_range(1, 1 << 24);
    add_sampling_options(command, *options);
    add_session_options(command, options->session);
    command.add_flag("--stats", options->stats, "Print statistics to stderr also in a pipe");
    auto json =
        command.add_flag("--json", options->json, "Print one JSON object instead of streaming");
    command
        .add_option("--logprobs", options->logprobs,
                    "With --json: the N likeliest tokens at each position")
        .in_range(1u, runtime::kLogprobsMax)
        .needs(json);
    return [options, prompt](const CommandContext& context) {
        return run_model(*options, context, prompt.given());
    };
}

}  // namespace hone::cli
