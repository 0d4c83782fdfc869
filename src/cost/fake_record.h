// Hand-made records for tests: a machine with round ceilings and a model of a few nodes whose times
// are given as an efficiency against its roofs. Not for anything that ships.
//
// The machine: 2 CPUs, 2 threads reach 20 GB/s from memory (100 from cache), 200 GFLOP/s f32 and
// 800 GOP/s int8 on avx2; a barrier costs 1000 ns and a dispatch 200.
#pragma once

#include <algorithm>
#include <string>
#include <vector>

#include "cost/experiments.h"
#include "cost/speed_of_light.h"
#include "measure/record.h"

namespace hone::cost {

inline machine::MachineProfile fake_machine() {
    machine::MachineProfile profile;
    profile.facts.cpu_model = "Example CPU";
    profile.facts.os = "6.1.0";
    profile.facts.cpus_online = profile.facts.cpus_allowed = 2;
    profile.facts.memory_bytes = 8ull << 30;
    profile.facts.isa = "avx2";
    profile.facts.caches = {{2, "unified", 1u << 20, 1}, {3, "unified", 32u << 20, 2}};
    profile.fingerprint = "0123456789abcdef";
    profile.measured_at = "2026-01-02T03:04:05Z";
    for (const int threads : {1, 2}) {
        profile.bandwidth.push_back({1u << 20, threads, 50.0 * threads, 55.0 * threads});
        profile.bandwidth.push_back({256u << 20, threads, threads == 1 ? 15.0 : 20.0, 22.0});
        for (const char* isa : {"portable", "avx2"}) {
            const double scale = std::string(isa) == "avx2" ? 1.0 : 0.25;
            profile.peaks.push_back({"f32_fma", isa, threads, 100.0 * threads * scale});
            profile.peaks.push_back({"int8_dot", isa, threads, 400.0 * threads * scale});
        }
        profile.overheads.push_back({"barrier", threads, 1000});
        profile.overheads.push_back({"dispatch", threads, 200});
    }
    return profile;
}

struct FakeNode {
    std::string name;
    std::string kind;
    std::string variant;
    int layer = 0;
    double weight_bytes = 0;
    double flops_per_token = 0;
    double bytes_per_token = 0;  // activations, or KV
};

struct FakeSlice {
    const char* slice = "decode";
    uint64_t calls = 1;
    uint64_t tokens_per_call = 1;
    double efficiency = 0.8;  // bound / compute; overheads come on top
    double barrier_ns = 1000;
    double dispatch_ns = 200;
};

// Adds the samples of one node for one slice kind; compute = bound / efficiency.
inline void add_fake_sample(measure::RunRecord& record, uint32_t index, const FakeNode& node,
                            const FakeSlice& slice) {
    measure::OperatorSample sample;
    sample.node = index;
    sample.slice = slice.slice;
    sample.calls = slice.calls;
    sample.tokens = slice.calls * slice.tokens_per_call;
    const auto calls = static_cast<double>(slice.calls);
    const auto tokens = static_cast<double>(sample.tokens);
    sample.flops = tokens * node.flops_per_token;
    sample.bytes = calls * node.weight_bytes + tokens * node.bytes_per_token;
    sample.compute_ns = sample_light(record, sample).bound_ns().value_or(0) / slice.efficiency;
    sample.compute_mean_ns = sample.compute_ns * 0.98;
    sample.barrier_ns = calls * slice.barrier_ns;
    sample.dispatch_ns = calls * slice.dispatch_ns;
    record.operators.push_back(sample);
    record.forward_wall_ns += sample_wall_ns(sample);
}

// A 4-bit model of about 90 MB: decode is bound by memory, prefill by arithmetic.
inline std::vector<FakeNode> fake_nodes() {
    return {{"embed", "embedding", "plain", -1, 0, 576, 2600},
            {"blk.0.norm", "rms_norm_quantize", "avx2", 0, 0, 4032, 3000},
            {"blk.0.qkv", "linear", "u4m/avx2", 0, 10e6, 32e6, 6000},
            {"blk.0.attend", "attend", "avx2", 0, 0, 2e6, 40000},
            {"blk.0.gate_up", "linear_gated", "u4m/avx2", 0, 50e6, 160e6, 9000},
            {"head", "linear", "u4m/avx2", -1, 30e6, 96e6, 200000}};
}

inline void add_fake_request(measure::RunRecord& record, const char* phase, double jitter) {
    measure::RequestSample request;
    request.phase = phase;
    request.prompt_tokens = 64;
    request.output_tokens = 16;
    request.stage_ns = {
        {"queue", 1e4},  {"tokenize", 5e4},  {"prefill", 40e6 * jitter}, {"decode", 75e6 * jitter},
        {"sample", 2e5}, {"detokenize", 1e5}};
    for (int i = 0; i < 15; ++i) request.token_gap_ns.push_back(75e6 * jitter / 15);
    request.ttft_ns = 40.1e6 * jitter;
    request.total_ns = 115.5e6 * jitter + 1e6;
    record.requests.push_back(request);
}

// A clean realtime run: quiet machine, 72 warm requests, all experiments absent.
inline measure::RunRecord fake_record(const std::vector<FakeNode>& nodes = fake_nodes()) {
    measure::RunRecord record;
    record.context.scenario = "realtime";
    record.context.slo = "ttft_p95<200ms,itl_p95<40ms";
    record.context.command = "explain model.gguf --scenario realtime";
    record.context.primary_metric = "latency_ms";
    record.context.prompt_tokens = 64;
    record.context.output_tokens = 16;
    record.context.repeats = 72;
    record.context.threads = 2;
    record.build = "0.1.0 gcc Release";
    record.isa = "avx2";
    record.machine = fake_machine();
    record.model.file = "model.gguf";
    record.model.name = "Example 135M";
    record.model.architecture = "llama";
    record.model.file_bytes = 98'000'000;
    record.model.parameters = 135'000'000;
    record.memory = {90'000'000, 4'000'000, 47'185'920, 23'040, 160'000'000};
    for (const char* pass : {"fold_constants", "last_position_logits", "merge_qkv"}) {
        record.passes.push_back({pass, true, 3, 0.2});
    }
    for (uint32_t i = 0; i < nodes.size(); ++i) {
        record.nodes.push_back({i, nodes[i].name, nodes[i].kind, nodes[i].variant, nodes[i].layer});
        const bool head = nodes[i].name == "head";
        add_fake_sample(record, i, nodes[i], {"prefill", 72, head ? 1u : 64u, 0.8, 1000, 200});
        add_fake_sample(record, i, nodes[i], {"decode", 72 * 15, 1, 0.8, 1000, 200});
    }
    // Two percent of the steps lie between the operators.
    record.forward_wall_ns *= 1.02;
    record.timing_overhead_share = 0.01;
    record.interference = {.steal_share = 0.0,
                           .foreign_share = 0.0,
                           .run_delay_share = 0.01,
                           .major_faults = 0,
                           .minor_faults = 1000,
                           .ceiling_drift = 0.02,
                           .wall_s = 9.0};
    record.load_stage_ms = {{"open", 2.0}, {"pack", 80.0}, {"plan", 3.0}, {"warm_up", 30.0}};
    for (int i = 0; i < 72; ++i) add_fake_request(record, "warm", 1.0 + 0.002 * (i % 7));
    return record;
}

inline std::vector<double> samples(double center, int n = 8) {
    std::vector<double> out;
    for (int i = 0; i < n; ++i) out.push_back(center * (1 + 0.002 * (i % 3 - 1)));
    return out;
}

}  // namespace hone::cost
