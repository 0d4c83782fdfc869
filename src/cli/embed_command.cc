#include <memory>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "cli/session_options.h"
#include "runtime/embedder.h"

namespace hone::cli {
namespace {

using base::ErrorCode;
using models::Pooling;

struct EmbedOptions {
    std::string model;
    std::vector<std::string> texts;
    std::string file;
    std::string pooling;
    bool raw_lengths = false;
    uint32_t context = 0;
    SessionOptions session;
    bool json = false;
};

constexpr size_t kInputBytesMax = 64u << 20;
constexpr size_t kTextsMax = 100'000;
constexpr uint32_t kStepTexts = 64;  // of one step at most
// Texts between two looks at the user's wish to stop.
constexpr size_t kChunkTexts = 256;

struct PoolingName {
    const char* name;
    Pooling pooling;
};
constexpr PoolingName kPoolings[] = {{"none", Pooling::none},
                                     {"mean", Pooling::mean},
                                     {"cls", Pooling::cls},
                                     {"last", Pooling::last}};

const char* pooling_name(Pooling pooling) {
    for (const PoolingName& known : kPoolings) {
        if (known.pooling == pooling) return known.name;
    }
    return "none";
}

Pooling chosen_pooling(const EmbedOptions& options, const models::ModelConfig& config) {
    for (const PoolingName& known : kPoolings) {
        if (options.pooling == known.name) return known.pooling;
    }
    return config.pooling;
}

// Each line is a text; the end of the last line begins no other.
std::vector<std::string> lines_of(std::string_view input) {
    if (!input.empty() && input.back() == '\n') input.remove_suffix(1);
    std::vector<std::string> out;
    for (std::string_view line : base::split(input, '\n')) {
        if (!line.empty() && line.back() == '\r') line.remove_suffix(1);
        out.emplace_back(line);
    }
    return out;
}

base::Result<std::vector<std::string>> read_texts(const EmbedOptions& options) {
    std::vector<std::string> texts = options.texts;
    if (texts.empty()) {
        std::string input;
        if (options.file.empty()) {
            HONE_TRY(input, read_standard_input(kInputBytesMax));
        } else {
            HONE_TRY(input, base::read_file(options.file, kInputBytesMax));
        }
        if (input.empty()) {
            return base::fail(ErrorCode::invalid_argument,
                              "no text: give -p, -f or lines on "
                              "standard input");
        }
        texts = lines_of(input);
    }
    if (texts.size() > kTextsMax) {
        return base::fail(ErrorCode::exhausted, "{} texts; {} are the limit", texts.size(),
                          kTextsMax);
    }
    return texts;
}

std::string text_rows(const std::vector<float>& vectors, size_t width) {
    std::string out;
    for (size_t i = 0; i < vectors.size(); ++i) {
        out += fmt::format("{:.7g}{}", vectors[i], (i + 1) % width == 0 ? '\n' : ' ');
    }
    return out;
}

base::Json json_row(const std::vector<float>& vectors, size_t width, size_t tokens, bool each) {
    base::Json row = {{"tokens", tokens}};
    if (!each) {
        row["embedding"] = vectors;
        return row;
    }
    base::Json rows = base::Json::array();
    for (size_t at = 0; at < vectors.size(); at += width) {
        rows.push_back(std::vector<float>(vectors.begin() + static_cast<long>(at),
                                          vectors.begin() + static_cast<long>(at + width)));
    }
    row["embeddings"] = std::move(rows);
    return row;
}

base::Status embed_all(const EmbedOptions& options, const std::vector<std::vector<int32_t>>& texts,
                       const runtime::EmbedOptions& how, runtime::Embedder& embedder,
                       const CommandContext& context, base::Json& rows) {
    Progress progress(context.terminal.stderr_tty, context.clock);
    const size_t width = embedder.width();
    for (size_t at = 0; at < texts.size(); at += kChunkTexts) {
        if (context.cancelled) return base::fail(ErrorCode::cancelled, "stopped on request");
        const auto chunk = std::span(texts).subspan(at, std::min(kChunkTexts, texts.size() - at));
        HONE_TRY(const auto vectors, embedder.embed(chunk, how));
        std::string lines;
        for (size_t i = 0; i < vectors.size(); ++i) {
            if (options.json) {
                rows.push_back(
                    json_row(vectors[i], width, chunk[i].size(), how.pooling == Pooling::none));
            } else {
                lines += text_rows(vectors[i], width);
            }
        }
        HONE_TRY_STATUS(print(lines));
        progress.show("embedding",
                      static_cast<double>(at + chunk.size()) / static_cast<double>(texts.size()));
    }
    return {};
}

base::Status run_embed(const EmbedOptions& options, const CommandContext& context) {
    runtime::EngineLimits limits;
    limits.context = options.context;
    limits.sequences_max = kStepTexts;
    HONE_TRY(const auto load, load_options(options.session, limits, context));
    HONE_TRY(const auto texts, read_texts(options));
    HONE_TRY(const auto path, model_file(options.model, options.session, context));
    HONE_TRY(const auto embedder, runtime::Embedder::open(path, load, context.clock));
    const runtime::EmbedOptions how{chosen_pooling(options, embedder->config()),
                                    !options.raw_lengths};
    std::vector<std::vector<int32_t>> tokens;
    for (const std::string& text : texts) tokens.push_back(embedder->tokenizer().encode(text));
    // All of them before the first is computed: a text that is too long costs nothing then.
    HONE_TRY_STATUS(embedder->check(tokens));
    base::Json rows = base::Json::array();
    const int64_t start_ns = context.clock.now_ns();
    HONE_TRY_STATUS(embed_all(options, tokens, how, *embedder, context, rows));
    if (!options.json) return {};
    size_t token_count = 0;
    for (const auto& text : tokens) token_count += text.size();
    const base::Json json = {
        {"schema", 1},
        {"model", file_name(options.model)},
        {"pooling", pooling_name(how.pooling)},
        {"normalized", how.normalize},
        {"width", embedder->width()},
        {"tokens", token_count},
        {"embed_ms", static_cast<double>(context.clock.now_ns() - start_ns) * 1e-6},
        {"texts", std::move(rows)}};
    return print(base::dump_json(json, -1) + "\n");
}

}  // namespace

Action add_embed(Command program) {
    auto command = program.add_command("embed", "Vectors of texts, by an encoder (bert)");
    auto options = std::make_shared<EmbedOptions>();
    command.add_option("model", options->model, "Model file or directory").required();
    command.add_option("-p,--prompt", options->texts, "A text (repeatable)");
    command.add_option("-f,--file", options->file,
                       "A file whose lines are the texts (default: lines of standard input)");
    command
        .add_option("--pooling", options->pooling,
                    "One vector of a text's tokens: mean, cls (the first), last; none: a vector "
                    "of each token (default: as the model's file says, or mean)")
        .one_of({"none", "mean", "cls", "last"});
    command.add_flag("--no-normalize", options->raw_lengths,
                     "Leave the vectors' lengths (default: all have length 1)");
    command
        .add_option("--context", options->context,
                    "Tokens of the longest text (default: the model's, 4096 at most)")
        .in_range(1, 1 << 24);
    add_session_options(command, options->session);
    command.add_flag("--json", options->json, "Print JSON");
    return [options](const CommandContext& context) { return run_embed(*options, context); };
}

}  // namespace hone::cli
