#include <algorithm>
#include <memory>
#include <set>

#include "base/json.h"
#include "base/text.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/inspect_tensors.h"
#include "cli/session_options.h"
#include "cost/node_desc.h"
#include "cost/speed_of_light.h"
#include "report/inspect_report.h"
#include "runtime/embedder.h"

namespace hone::cli {
namespace {

struct InspectOptions {
    std::vector<std::string> models;
    SessionOptions session;
    TensorOptions tensors;
    uint32_t context = 2048;
    bool json = false;
};

// Prompt length that "at prefill" means in this report.
constexpr uint64_t kPrefillTokens = 512;

struct StepCost {
    double flops = 0;
    double bytes = 0;
};

StepCost step_cost(const graph::Plan& plan, const cost::StepShape& step) {
    StepCost total;
    for (const graph::PlanNode& node : plan.nodes) {
        const cost::Work work = cost::node_work(node.desc, step);
        total.flops += work.flops;
        total.bytes += work.bytes;
    }
    return total;
}

void fill_costs(const graph::Plan& plan, bool decodes, const machine::MachineProfile& machine,
                const runtime::LoadOptions& load, report::InspectRow& row) {
    const std::string isa = machine::isa_name(load.isa.value_or(machine::detect_isa()));
    const uint64_t prompt = std::min<uint64_t>(kPrefillTokens, row.context);
    const double tokens = static_cast<double>(prompt);
    cost::StepShape prefill;
    prefill.add_slice(0, prompt);
    prefill.outputs = decodes ? 1 : prompt;
    std::vector<cost::NodeDesc> nodes;
    for (const graph::PlanNode& node : plan.nodes) nodes.push_back(node.desc);
    const uint64_t set = row.weights_bytes.value_or(0);
    const StepCost at_prefill = step_cost(plan, prefill);
    row.prefill_flops_per_token = at_prefill.flops / tokens;
    row.prefill_bytes_per_token = at_prefill.bytes / tokens;
    if (const auto ns = cost::light_step_ns(nodes, prefill, machine, load.threads, set, isa)) {
        row.prefill_light_tokens_per_s = tokens / *ns * 1e9;
    }
    if (!decodes) return;
    cost::StepShape decode;
    decode.add_slice(0, 1);
    decode.outputs = 1;
    const StepCost at_decode = step_cost(plan, decode);
    row.decode_flops_per_token = at_decode.flops;
    row.decode_bytes_per_token = at_decode.bytes;
    if (const auto ns = cost::light_step_ns(nodes, decode, machine, load.threads, set, isa)) {
        row.decode_light_tokens_per_s = 1e9 / *ns;
    }
}

void fill_identity(const std::string& path, const models::Model& model,
                   const graph::ExecutorMemory& memory, report::InspectRow& row) {
    const models::ModelConfig& config = model.config();
    row.file = file_name(path);
    row.name = config.name;
    row.architecture = config.architecture;
    row.parameters = model.parameters();
    row.file_bytes = model.file_bytes();
    row.bytes_by_dtype = model.bytes_by_dtype();
    row.context_max = config.context_max;
    row.layers = config.n_layers;
    row.weights_bytes = memory.weights_bytes;
    row.workspace_bytes = memory.workspace_bytes;
}

base::Status inspect_decoder(const std::string& path, const InspectOptions& options,
                             const runtime::LoadOptions& load,
                             const machine::MachineProfile& machine, const CommandContext& context,
                             report::InspectRow& row) {
    HONE_TRY(const auto session, open_session(path, options.session, load, context));
    fill_identity(path, session->model(), session->executor().memory(), row);
    row.context = load.limits.context;
    const runtime::KvPoolFacts kv = session->engine().kv_facts();
    row.kv_bytes = kv.bytes_total;
    row.kv_bytes_per_token = kv.bytes_per_token;
    row.load_ms = session->load_ms();
    fill_costs(session->plan(), true, machine, session->options(), row);
    return {};
}

// Each token of a text is an output, and nothing is decoded.
base::Status inspect_encoder(const std::string& path, const InspectOptions& options,
                             const runtime::LoadOptions& load,
                             const machine::MachineProfile& machine, const CommandContext& context,
                             report::InspectRow& row) {
    const int64_t start_ns = context.clock.now_ns();
    HONE_TRY(const auto file, model_file(path, options.session, context));
    HONE_TRY(const auto embedder, runtime::Embedder::open(file, load, context.clock));
    row.load_ms = static_cast<double>(context.clock.now_ns() - start_ns) * 1e-6;
    fill_identity(path, embedder->model(), embedder->executor().memory(), row);
    row.context = load.limits.context;
    row.kv_bytes = embedder->kv_facts().bytes_total;
    fill_costs(embedder->executor().plan(), false, machine, embedder->options(), row);
    return {};
}

base::Result<report::InspectRow> inspect(const std::string& path, const InspectOptions& options,
                                         const machine::MachineProfile& machine,
                                         const CommandContext& context) {
    report::InspectRow row;
    HONE_TRY(const auto model, models::Model::open(path));
    const models::ModelConfig& config = model->config();
    runtime::EngineLimits limits;
    limits.context = std::min(options.context, config.context_max);
    if (!config.causal) limits.sequences_max = 1;
    HONE_TRY(const auto load, load_options(options.session, limits, context));
    const auto fill = config.causal ? inspect_decoder : inspect_encoder;
    HONE_TRY_STATUS(fill(path, options, load, machine, context, row));
    return row;
}

// --tensor reads the file alone: an option that would do nothing is a mistake.
base::Status check_unused(const InspectOptions& options) {
    HONE_TRY_STATUS(base::Status(options.session.config));
    tune::Settings unused = options.session;
    unused.threads = 0;
    unused.context = options.context == InspectOptions().context ? 0 : options.context;
    const std::string flags = tune::flags_text(unused);
    if (flags.empty()) return {};
    return base::fail(base::ErrorCode::invalid_argument,
                      "--tensor reads the file as it is: without {}", base::printable(flags));
}

base::Status run_inspect(const InspectOptions& options, const CommandContext& context) {
    HONE_TRY_STATUS(check_tensor_options(options.tensors));
    if (!options.tensors.patterns.empty()) {
        if (options.models.size() != 1) {
            return base::fail(base::ErrorCode::invalid_argument, "--tensor takes one model");
        }
        HONE_TRY_STATUS(check_unused(options));
        return inspect_tensors(options.models.front(), options.tensors, options.session.threads,
                               options.json, context);
    }
    HONE_TRY(const auto machine, load_profile(context, false));
    std::vector<report::InspectRow> rows;
    for (const std::string& path : options.models) {
        HONE_TRY(auto row, inspect(path, options, machine, context));
        rows.push_back(std::move(row));
        if (context.cancelled) {
            return base::fail(base::ErrorCode::cancelled, "stopped on request");
        }
    }
    if (options.json) return print(base::dump_json(report::inspect_json(rows)) + "\n");
    return print(report::render_inspect(rows, context.terminal.style));
}

}  // namespace

Action add_inspect(Command program) {
    auto command = program.add_command(
        "inspect",
        "Size, memory split, cost per token and speed of light of models; values of tensors");
    auto options = std::make_shared<InspectOptions>();
    command.add_option("models", options->models, "Model files or directories").required();
    add_tensor_options(command, options->tensors);
    add_session_options(command, options->session);
    command.add_option("--context", options->context, "Positions the memory split is for")
        .in_range(1, 1 << 24)
        .show_default();
    command.add_flag("--json", options->json, "Print JSON");
    return [options](const CommandContext& context) { return run_inspect(*options, context); };
}

}  // namespace hone::cli
