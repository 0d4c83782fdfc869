// RunRecord: the one thing that engine and probe write and that diagnosis, report and comparison
// read.
//
// A versioned value, stored as JSON (docs/run-record.md has the schema). Everything later is a pure
// function of it, so a diagnosis can be tested from a file and a record made elsewhere explained
// here. At most kRecordBytesMax; no prompt text. Unknown fields of a read record are kept in
// `unknown` and written back. "Not available" is an absent optional (JSON null), never 0; a failed
// latency is +inf (JSON "+inf"). Plain data: no thread rule beyond that of its members.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"
#include "machine/profile.h"

namespace hone::measure {

inline constexpr int kRecordSchema = 1;
inline constexpr size_t kRecordBytesMax = 5u << 20;

// Samples of one metric of METRICS.md, in `unit`.
struct MetricSamples {
    std::string name;
    std::string unit;
    std::vector<double> samples;
};

// Layer "context": what kind of use, what counts as success.
struct RunContext {
    std::string scenario;        // realtime | batch | generative | "" (bench)
    std::string slo;             // as given, "" = none
    std::string command;         // the arguments, without paths beyond the model's file name
    std::string primary_metric;  // name in metrics that the scenario is judged by
    int prompt_tokens = 0;
    int output_tokens = 0;
    int batch = 1;
    int repeats = 0;
    int threads = 1;
    uint64_t seed = 0;
    bool warm = true;
    std::optional<double> price_per_hour;  // EUR
};

struct ModelFacts {
    std::string file;  // base name only
    std::string name;
    std::string architecture;
    uint64_t file_bytes = 0;
    uint64_t parameters = 0;
    uint64_t context_max = 0;
    uint32_t layers = 0;
    std::map<std::string, uint64_t> bytes_by_dtype;
};

// One pass of the graph pipeline as it ran.
struct PassRun {
    std::string name;
    bool enabled = true;
    int rewrites = 0;
    double ms = 0;
};

// Sizes from which the work of a node can be counted for any step (cost/node_desc.h). All zero:
// the writer did not say.
struct NodeShape {
    std::string arithmetic;  // none | f32 | int8; "" without a shape
    uint64_t rows = 0;
    uint64_t columns = 0;
    uint64_t weight_bytes = 0;
    bool per_output = false;
    bool per_thread = false;
    uint32_t heads = 0;
    uint32_t kv_heads = 0;
    uint32_t head_dim = 0;
    double kv_element_bytes = 0;  // of a value in the cache, scales included
    uint32_t window = 0;
};

// One node of the plan. bytes and flops are those of one call at the sample's token count and live
// in OperatorSample; here is what does not change.
struct PlanNodeFacts {
    uint32_t index = 0;
    std::string name;     // "blk.3.ffn_gate_up"
    std::string kind;     // "linear", "attention", "rms_norm", ...
    std::string variant;  // "u4m/avx512vnni"
    int layer = -1;       // -1: outside the layers
    NodeShape shape = {};
};

// Aggregate over all calls of one node within one slice kind and position bucket.
// Times are sums over calls; over all rows, compute + barrier + dispatch is the wall time of the
// steps but for an unattributed remainder (the identity is in measure/step_timer.h). Imbalance is
// compute - compute_mean. "Slowest" is the thread that ends the node's segment last.
struct OperatorSample {
    uint32_t node = 0;             // PlanNodeFacts::index
    std::string slice;             // "prefill" | "decode" | "mixed"
    uint32_t position_bucket = 0;  // first position of the bucket: 0, 256, 512, 1024, 2048, ...
    uint64_t calls = 0;
    uint64_t tokens = 0;
    double compute_ns = 0;       // kernel time of the slowest thread
    double compute_mean_ns = 0;  // kernel time, mean over threads
    double barrier_ns = 0;       // from the slowest thread's compute end to the barrier's opening
    double dispatch_ns = 0;      // from the previous opening to the slowest thread's start
    double bytes = 0;            // must-move bytes, summed over calls
    double flops = 0;            // must-do FLOPs (1 MAC = 2), summed over calls
};

// One request (or one sequence of a batch), from its scheduled start. Stage times in ns.
struct RequestSample {
    std::string phase;  // "cold" | "warm"
    std::map<std::string, double>
        stage_ns;  // queue, tokenize, prefill, decode, sample, detokenize, ...
    double ttft_ns = 0;
    double total_ns = 0;
    std::vector<double> token_gap_ns;  // between output tokens
    int prompt_tokens = 0;
    int output_tokens = 0;
    // Of the prompt: taken from the prefix cache and not computed; a prefix that earlier requests
    // had computed, in whole pages of the KV cache (so what an endless prefix cache had saved);
    // runs of the padding token at either end.
    int prompt_tokens_reused = 0;
    int prompt_tokens_repeated = 0;
    int padding_tokens = 0;
};

// Result of one probe experiment: free of interpretation.
struct ExperimentResult {
    std::string name;     // "hot_copy", "thread_sweep", "batch_sweep", "cold_warm", ...
    std::string subject;  // operator kind or "" for the whole run
    base::JsonBox parameters;
    base::JsonBox values;
    bool valid = true;
    std::string note;
};

// How disturbed the machine was while the record was made.
struct Interference {
    std::optional<double> steal_share;      // /proc/stat, of total ticks
    std::optional<double> foreign_share;    // of total ticks, those of other processes
    std::optional<double> run_delay_share;  // /proc/self/schedstat, of wall
    std::optional<uint64_t> major_faults;
    std::optional<uint64_t> minor_faults;
    std::optional<double> ceiling_drift;  // |after / before - 1| of the read-bandwidth re-probe
    double wall_s = 0;
};

struct MemoryPartition {
    uint64_t weights_bytes = 0;
    uint64_t workspace_bytes = 0;
    uint64_t kv_bytes = 0;
    uint64_t kv_bytes_per_token = 0;
    std::optional<uint64_t> peak_rss_bytes;
};

struct RunRecord {
    int schema = kRecordSchema;
    RunContext context;
    std::string build;  // version, compiler, build type
    std::string isa;    // level in use
    machine::MachineProfile machine;
    ModelFacts model;
    std::vector<PassRun> passes;
    std::vector<PlanNodeFacts> nodes;
    std::vector<OperatorSample> operators;
    std::vector<RequestSample> requests;
    std::vector<MetricSamples> metrics;
    std::vector<ExperimentResult> experiments;
    std::map<std::string, double> load_stage_ms;  // open, vocabulary, pack, plan, warm_up
    double forward_wall_ns = 0;                   // sum of step walls that `operators` decomposes
    std::optional<double> timing_overhead_share;  // timed against untimed steps
    Interference interference;
    MemoryPartition memory;
    base::JsonBox unknown = base::JsonBox::object();

    const MetricSamples* metric(std::string_view name) const;
    // Adds a sample to the metric of that name, creating it.
    void add_sample(std::string_view name, std::string_view unit, double value);
};

base::Json to_json(const RunRecord& record);
// corrupt on missing or mistyped fields ("$.operators[3].calls: expected ..."), unsupported on a
// newer schema.
base::Result<RunRecord> record_from_json(const base::Json& json);
// Also exhausted on text over the limits of size, depth and keys of one object.
base::Result<RunRecord> parse_record(std::string_view text);
// Also not_found and unavailable; errors begin with the path.
base::Result<RunRecord> read_record(const std::string& path);
// exhausted over kRecordBytesMax; the file is whole or not there.
base::Status write_record(const RunRecord& record, const std::string& path);

}  // namespace hone::measure
