#include <fmt/format.h>

#include <memory>
#include <string>
#include <vector>

#include "cli/command.h"
#include "models/architecture.h"
#include "models/synth.h"

namespace hone::cli {
namespace {

struct SynthOptions {
    models::SynthSpec spec;
    std::string type = "Q8_0";
    std::string embedding_type;
    std::string output;
    bool untied = false;
    std::vector<std::string> plants;
};

base::Result<tensor::DType> parse_type(const std::string& name) {
    const auto type = tensor::parse_dtype(name);
    if (!type) {
        return base::fail(base::ErrorCode::invalid_argument, "unknown type '{}'", name);
    }
    return *type;
}

base::Status run_synth(SynthOptions& options, const CommandContext&) {
    HONE_TRY(options.spec.type, parse_type(options.type));
    if (!options.embedding_type.empty()) {
        HONE_TRY(options.spec.embedding_type, parse_type(options.embedding_type));
    }
    options.spec.tied_embeddings = !options.untied;
    for (const std::string& plant : options.plants) {
        HONE_TRY_STATUS(models::add_plant(plant, options.spec.plants));
    }
    return models::write_synth(options.spec, options.output);
}

}  // namespace

Action add_synth(Command program) {
    auto command = program.add_command("synth", "Write a deterministic random model file");
    auto options = std::make_shared<SynthOptions>();
    models::SynthSpec& spec = options->spec;
    command
        .add_option("architecture", spec.architecture,
                    "Architecture: " + models::architecture_names())
        .required();
    command.add_option("-o,--output", options->output, "File to write").required();
    command.add_option("--type", options->type, "Type of the matrices").show_default();
    command.add_option("--embedding-type", options->embedding_type,
                       "Type of token_embd and output (default: as --type)");
    command.add_option("--layers", spec.n_layers, "Layers").show_default();
    command.add_option("--embd", spec.n_embd, "Embedding width").show_default();
    command.add_option("--heads", spec.n_heads, "Attention heads").show_default();
    command.add_option("--kv-heads", spec.n_kv_heads, "KV heads").show_default();
    command.add_option("--head-dim", spec.head_dim, "Head width (0: embd / heads)");
    command.add_option("--ff", spec.n_ff, "Feed-forward width").show_default();
    command.add_option("--vocab", spec.n_vocab, "Vocabulary size").show_default();
    command.add_option("--context", spec.n_ctx, "Context length").show_default();
    command.add_option("--seed", spec.seed, "Seed of the weights").show_default();
    command.add_option("--window", spec.sliding_window, "Sliding window (0: none)");
    command.add_option("--window-pattern", spec.sliding_window_pattern,
                       "Every N-th layer is global (0: none is)");
    command.add_option("--plant", options->plants,
                       "Put something to be found into the weights: denormals, zero-blocks, "
                       "zero-layer, duplicate-layer, duplicate-rows (repeatable)");
    command.add_flag("--untied", options->untied, "Give the head a matrix of its own");
    return [options](const CommandContext& context) { return run_synth(*options, context); };
}

}  // namespace hone::cli
