// The one place that knows how a RunRecord is spelled in JSON (docs/run-record.md).
#include "measure/record_json.h"

#include <cmath>
#include <set>

#include "base/json.h"
#include "machine/json_fields.h"
#include "measure/record.h"

namespace hone::measure {
namespace {

using base::Json;
using machine::json_number;
using machine::json_numbers;
using machine::json_optional;
using machine::JsonFields;

template <class Row, class Write>
Json json_rows(const std::vector<Row>& rows, Write&& write) {
    Json out = Json::array();
    for (const Row& row : rows) out.push_back(write(row));
    return out;
}

Json json_map(const std::map<std::string, double>& map) {
    Json out = Json::object();
    for (const auto& [key, value] : map) out[key] = json_number(value);
    return out;
}

Json context_json(const RunContext& context) {
    return {{"scenario", context.scenario},
            {"slo", context.slo},
            {"command", context.command},
            {"primary_metric", context.primary_metric},
            {"prompt_tokens", context.prompt_tokens},
            {"output_tokens", context.output_tokens},
            {"batch", context.batch},
            {"repeats", context.repeats},
            {"threads", context.threads},
            {"seed", context.seed},
            {"warm", context.warm},
            {"price_per_hour", json_optional(context.price_per_hour)}};
}

void read_context(JsonFields& fields, RunContext& context) {
    fields.optional("scenario", context.scenario);
    fields.optional("slo", context.slo);
    fields.optional("command", context.command);
    fields.optional("primary_metric", context.primary_metric);
    fields.optional("prompt_tokens", context.prompt_tokens);
    fields.optional("output_tokens", context.output_tokens);
    fields.optional("batch", context.batch);
    fields.optional("repeats", context.repeats);
    fields.optional("threads", context.threads);
    fields.optional("seed", context.seed);
    fields.optional("warm", context.warm);
    fields.optional("price_per_hour", context.price_per_hour);
}

void read_model(JsonFields& fields, ModelFacts& model) {
    fields.optional("file", model.file);
    fields.optional("name", model.name);
    fields.optional("architecture", model.architecture);
    fields.optional("file_bytes", model.file_bytes);
    fields.optional("parameters", model.parameters);
    fields.optional("context_max", model.context_max);
    fields.optional("layers", model.layers);
    fields.optional("bytes_by_dtype", model.bytes_by_dtype);
}

Json pass_json(const PassRun& pass) {
    return {{"name", pass.name},
            {"enabled", pass.enabled},
            {"rewrites", pass.rewrites},
            {"ms", json_number(pass.ms)}};
}

void read_pass(JsonFields& fields, PassRun& pass) {
    fields.required("name", pass.name);
    fields.optional("enabled", pass.enabled);
    fields.optional("rewrites", pass.rewrites);
    fields.optional("ms", pass.ms);
}

Json node_json(const PlanNodeFacts& node) {
    Json json = {{"index", node.index},
                 {"name", node.name},
                 {"kind", node.kind},
                 {"variant", node.variant},
                 {"layer", node.layer}};
    const NodeShape& shape = node.shape;
    if (shape.arithmetic.empty()) return json;
    Json& out = json["shape"] = {{"arithmetic", shape.arithmetic}};
    // Zeros are what a reader assumes; 300 nodes need not repeat them.
    const auto add = [&](const char* key, uint64_t value) {
        if (value > 0) out[key] = value;
    };
    add("rows", shape.rows);
    add("columns", shape.columns);
    add("weight_bytes", shape.weight_bytes);
    add("heads", shape.heads);
    add("kv_heads", shape.kv_heads);
    add("head_dim", shape.head_dim);
    add("window", shape.window);
    if (shape.kv_element_bytes > 0) out["kv_element_bytes"] = json_number(shape.kv_element_bytes);
    if (shape.per_output) out["per_output"] = true;
    if (shape.per_thread) out["per_thread"] = true;
    return json;
}

void read_node(JsonFields& fields, PlanNodeFacts& node) {
    fields.required("index", node.index);
    fields.optional("name", node.name);
    fields.required("kind", node.kind);
    fields.optional("variant", node.variant);
    fields.optional("layer", node.layer);
    fields.section("shape", [&](JsonFields& shape) {
        shape.required("arithmetic", node.shape.arithmetic);
        shape.optional("rows", node.shape.rows);
        shape.optional("columns", node.shape.columns);
        shape.optional("weight_bytes", node.shape.weight_bytes);
        shape.optional("per_output", node.shape.per_output);
        shape.optional("per_thread", node.shape.per_thread);
        shape.optional("heads", node.shape.heads);
        shape.optional("kv_heads", node.shape.kv_heads);
        shape.optional("head_dim", node.shape.head_dim);
        shape.optional("kv_element_bytes", node.shape.kv_element_bytes);
        shape.optional("window", node.shape.window);
    });
}

Json operator_json(const OperatorSample& sample) {
    return {{"node", sample.node},
            {"slice", sample.slice},
            {"position_bucket", sample.position_bucket},
            {"calls", sample.calls},
            {"tokens", sample.tokens},
            {"compute_ns", json_number(sample.compute_ns)},
            {"compute_mean_ns", json_number(sample.compute_mean_ns)},
            {"barrier_ns", json_number(sample.barrier_ns)},
            {"dispatch_ns", json_number(sample.dispatch_ns)},
            {"bytes", json_number(sample.bytes)},
            {"flops", json_number(sample.flops)}};
}

// A sum of times or of work: everything is divided by these, so nothing else is let in.
void read_sum(JsonFields& fields, const char* key, double& out, bool must) {
    if (must) {
        fields.required(key, out);
    } else {
        fields.optional(key, out);
    }
    if (!(out >= 0) || std::isinf(out)) fields.reject(key, "must be finite and not negative");
}

void read_operator(JsonFields& fields, OperatorSample& sample) {
    fields.required("node", sample.node);
    fields.required("slice", sample.slice);
    fields.optional("position_bucket", sample.position_bucket);
    fields.required("calls", sample.calls);
    fields.optional("tokens", sample.tokens);
    read_sum(fields, "compute_ns", sample.compute_ns, true);
    sample.compute_mean_ns = sample.compute_ns;
    read_sum(fields, "compute_mean_ns", sample.compute_mean_ns, false);
    read_sum(fields, "barrier_ns", sample.barrier_ns, false);
    read_sum(fields, "dispatch_ns", sample.dispatch_ns, false);
    read_sum(fields, "bytes", sample.bytes, false);
    read_sum(fields, "flops", sample.flops, false);
}

Json request_json(const RequestSample& request) {
    return {{"phase", request.phase},
            {"stage_ns", json_map(request.stage_ns)},
            {"ttft_ns", json_number(request.ttft_ns)},
            {"total_ns", json_number(request.total_ns)},
            {"token_gap_ns", json_numbers(request.token_gap_ns)},
            {"prompt_tokens", request.prompt_tokens},
            {"output_tokens", request.output_tokens},
            {"prompt_tokens_reused", request.prompt_tokens_reused},
            {"prompt_tokens_repeated", request.prompt_tokens_repeated},
            {"padding_tokens", request.padding_tokens}};
}

void read_request(JsonFields& fields, RequestSample& request) {
    fields.required("phase", request.phase);
    fields.optional("stage_ns", request.stage_ns);
    fields.required("ttft_ns", request.ttft_ns);
    fields.required("total_ns", request.total_ns);
    fields.optional("token_gap_ns", request.token_gap_ns);
    fields.optional("prompt_tokens", request.prompt_tokens);
    fields.optional("output_tokens", request.output_tokens);
    fields.optional("prompt_tokens_reused", request.prompt_tokens_reused);
    fields.optional("prompt_tokens_repeated", request.prompt_tokens_repeated);
    fields.optional("padding_tokens", request.padding_tokens);
}

Json metric_json(const MetricSamples& metric) {
    return {
        {"name", metric.name}, {"unit", metric.unit}, {"samples", json_numbers(metric.samples)}};
}

void read_metric(JsonFields& fields, MetricSamples& metric) {
    fields.required("name", metric.name);
    fields.required("unit", metric.unit);
    fields.required("samples", metric.samples);
    for (const double sample : metric.samples) {
        if (std::isnan(sample)) fields.reject("samples", "null is no sample");
    }
}

void read_experiment(JsonFields& fields, ExperimentResult& experiment) {
    fields.required("name", experiment.name);
    fields.optional("subject", experiment.subject);
    fields.optional("parameters", experiment.parameters);
    fields.optional("values", experiment.values);
    fields.optional("valid", experiment.valid);
    fields.optional("note", experiment.note);
}

Json interference_json(const Interference& interference) {
    return {{"steal_share", json_optional(interference.steal_share)},
            {"foreign_share", json_optional(interference.foreign_share)},
            {"run_delay_share", json_optional(interference.run_delay_share)},
            {"major_faults", json_optional(interference.major_faults)},
            {"minor_faults", json_optional(interference.minor_faults)},
            {"ceiling_drift", json_optional(interference.ceiling_drift)},
            {"wall_s", json_number(interference.wall_s)}};
}

void read_interference(JsonFields& fields, Interference& interference) {
    fields.optional("steal_share", interference.steal_share);
    fields.optional("foreign_share", interference.foreign_share);
    fields.optional("run_delay_share", interference.run_delay_share);
    fields.optional("major_faults", interference.major_faults);
    fields.optional("minor_faults", interference.minor_faults);
    fields.optional("ceiling_drift", interference.ceiling_drift);
    fields.optional("wall_s", interference.wall_s);
}

Json memory_json(const MemoryPartition& memory) {
    return {{"weights_bytes", memory.weights_bytes},
            {"workspace_bytes", memory.workspace_bytes},
            {"kv_bytes", memory.kv_bytes},
            {"kv_bytes_per_token", memory.kv_bytes_per_token},
            {"peak_rss_bytes", json_optional(memory.peak_rss_bytes)}};
}

void read_memory(JsonFields& fields, MemoryPartition& memory) {
    fields.optional("weights_bytes", memory.weights_bytes);
    fields.optional("workspace_bytes", memory.workspace_bytes);
    fields.optional("kv_bytes", memory.kv_bytes);
    fields.optional("kv_bytes_per_token", memory.kv_bytes_per_token);
    fields.optional("peak_rss_bytes", memory.peak_rss_bytes);
}

Json known_json(const RunRecord& record) {
    return {{"schema", record.schema},
            {"build", record.build},
            {"isa", record.isa},
            {"context", context_json(record.context)},
            {"machine", machine::to_json(record.machine)},
            {"model", model_json(record.model)},
            {"memory", memory_json(record.memory)},
            {"load_stage_ms", json_map(record.load_stage_ms)},
            {"forward_wall_ns", json_number(record.forward_wall_ns)},
            {"timing_overhead_share", json_optional(record.timing_overhead_share)},
            {"interference", interference_json(record.interference)},
            {"metrics", json_rows(record.metrics, metric_json)},
            {"passes", json_rows(record.passes, pass_json)},
            {"nodes", json_rows(record.nodes, node_json)},
            {"operators", json_rows(record.operators, operator_json)},
            {"experiments", json_rows(record.experiments, experiment_json)},
            {"requests", json_rows(record.requests, request_json)}};
}

// Adds what `known` lacks; never replaces what it has. Objects only: rows of an array have no
// identity that would tell which row an unknown field belonged to.
void merge_unknown(Json& known, const Json& unknown) {
    if (!unknown.is_object()) return;
    for (const auto& [key, value] : unknown.items()) {
        const auto found = known.find(key);
        if (found == known.end()) {
            known[key] = value;
        } else if (found->is_object()) {
            merge_unknown(*found, value);
        }
    }
}

// The fields of `read` that `known` does not write, in objects of any depth.
Json unknown_fields(const Json& read, const Json& known) {
    Json unknown = Json::object();
    for (const auto& [key, value] : read.items()) {
        const auto found = known.find(key);
        if (found == known.end()) {
            unknown[key] = value;
        } else if (found->is_object() && value.is_object()) {
            Json inner = unknown_fields(value, *found);
            if (!inner.empty()) unknown[key] = std::move(inner);
        }
    }
    return unknown;
}

void read_machine(const Json& json, RunRecord& record, base::Status& status) {
    const auto found = json.find("machine");
    if (found == json.end() || !status) return;
    auto profile = machine::profile_from_json(*found);
    if (profile) {
        record.machine = std::move(*profile);
        return;
    }
    // Its paths begin at the profile's own "$".
    base::Error error = profile.error();
    error.message = "$.machine" + error.message.substr(1);
    status = tl::unexpected<base::Error>(std::move(error));
}

// Readers look nodes up by index, so a row that names none would be a trap.
void check_nodes(const RunRecord& record, base::Status& status) {
    if (!status) return;
    std::set<uint32_t> known;
    for (size_t i = 0; i < record.nodes.size(); ++i) {
        if (known.insert(record.nodes[i].index).second) continue;
        status = base::fail(base::ErrorCode::corrupt, "$.nodes[{}].index: {} appears twice", i,
                            record.nodes[i].index);
        return;
    }
    for (size_t i = 0; i < record.operators.size(); ++i) {
        if (known.count(record.operators[i].node) != 0) continue;
        status = base::fail(base::ErrorCode::corrupt, "$.operators[{}].node: no node has index {}",
                            i, record.operators[i].node);
        return;
    }
}

}  // namespace

Json model_json(const ModelFacts& model) {
    Json by_dtype = Json::object();
    for (const auto& [dtype, bytes] : model.bytes_by_dtype) by_dtype[dtype] = bytes;
    return {{"file", model.file},
            {"name", model.name},
            {"architecture", model.architecture},
            {"file_bytes", model.file_bytes},
            {"parameters", model.parameters},
            {"context_max", model.context_max},
            {"layers", model.layers},
            {"bytes_by_dtype", std::move(by_dtype)}};
}

Json experiment_json(const ExperimentResult& experiment) {
    return {{"name", experiment.name},
            {"subject", experiment.subject},
            {"parameters", experiment.parameters},
            {"values", experiment.values},
            {"valid", experiment.valid},
            {"note", experiment.note}};
}

Json interval_json(const std::optional<Interval>& interval) {
    if (!interval) return nullptr;
    return Json::array({machine::json_number(interval->low), machine::json_number(interval->high)});
}

Json to_json(const RunRecord& record) {
    Json json = known_json(record);
    merge_unknown(json, record.unknown);
    return json;
}

base::Result<RunRecord> record_from_json(const Json& json) {
    RunRecord record;
    base::Status status;
    JsonFields fields(json, "$", status);
    fields.required("schema", record.schema);
    HONE_TRY_STATUS(status);
    if (record.schema < 1) {
        return base::fail(base::ErrorCode::corrupt, "$.schema: {} is no schema", record.schema);
    }
    if (record.schema > kRecordSchema) {
        return base::fail(base::ErrorCode::unsupported,
                          "$.schema: record schema {} is newer than {}, the newest this program "
                          "reads",
                          record.schema, kRecordSchema);
    }
    fields.optional("build", record.build);
    fields.optional("isa", record.isa);
    fields.section("context", [&](JsonFields& f) { read_context(f, record.context); });
    read_machine(json, record, status);
    fields.section("model", [&](JsonFields& f) { read_model(f, record.model); });
    fields.section("memory", [&](JsonFields& f) { read_memory(f, record.memory); });
    fields.optional("load_stage_ms", record.load_stage_ms);
    read_sum(fields, "forward_wall_ns", record.forward_wall_ns, false);
    fields.optional("timing_overhead_share", record.timing_overhead_share);
    fields.section("interference",
                   [&](JsonFields& f) { read_interference(f, record.interference); });
    fields.rows("metrics", record.metrics, read_metric);
    fields.rows("passes", record.passes, read_pass);
    fields.rows("nodes", record.nodes, read_node);
    fields.rows("operators", record.operators, read_operator);
    fields.rows("experiments", record.experiments, read_experiment);
    fields.rows("requests", record.requests, read_request);
    check_nodes(record, status);
    HONE_TRY_STATUS(status);
    record.unknown = unknown_fields(json, known_json(record));
    return record;
}

}  // namespace hone::measure
