// Records whose bottleneck is known, for the tests of this room and of report: each is the clean
// record of cost/fake_record.h with one thing made wrong. Not for anything that ships.
#pragma once

#include "cost/fake_record.h"
#include "cost/observations.h"
#include "diagnose/diagnosis.h"

namespace hone::diagnose {

using cost::fake_record;
using cost::samples;

// The card of an action, or null.
inline const Decision* card_of(const Diagnosis& diagnosis, std::string_view action) {
    for (const Decision& card : diagnosis.decisions) {
        if (card.action == action) return &card;
    }
    return nullptr;
}

// The clean record with the experiments that `hone explain` runs.
inline measure::RunRecord experimented_record() {
    measure::RunRecord record = fake_record();
    for (const char* kind : {"linear", "linear_gated"}) {
        record.experiments.push_back(cost::to_experiment(
            cost::HotCopy{kind, "decode", 10'000'000, 131'072, samples(500e3), samples(200e3)}));
    }
    record.experiments.push_back(
        cost::to_experiment(cost::Sweep{"thread_sweep",
                                        "",
                                        "2",
                                        {{"1", samples(1.9e6), samples(6.0e6)},
                                         {"2", samples(1.0e6), samples(5.0e6)},
                                         {"4", samples(1.6e6), samples(9.0e6)}}}));
    record.experiments.push_back(cost::to_experiment(cost::Sweep{"batch_sweep",
                                                                 "",
                                                                 "1",
                                                                 {{"1", {}, samples(5.0e6)},
                                                                  {"2", {}, samples(5.4e6)},
                                                                  {"4", {}, samples(6.2e6)},
                                                                  {"8", {}, samples(8.0e6)}}}));
    record.experiments.push_back(cost::to_experiment(cost::Sweep{
        "pass_ablation",
        "merge_qkv",
        "on",
        {{"on", samples(1.0e6), samples(5.0e6)}, {"off", samples(1.03e6), samples(5.2e6)}}}));
    return record;
}

// Every sample's slice at this efficiency, with these overheads per call.
inline measure::RunRecord resampled(const std::vector<cost::FakeNode>& nodes,
                                    const char* variant_isa, double efficiency, double barrier_ns,
                                    double dispatch_ns) {
    measure::RunRecord record = fake_record(nodes);
    record.isa = variant_isa;
    record.operators.clear();
    record.forward_wall_ns = 0;
    for (uint32_t i = 0; i < nodes.size(); ++i) {
        const uint64_t rows = nodes[i].name == "head" ? 1 : 64;
        cost::add_fake_sample(record, i, nodes[i],
                              {"prefill", 72, rows, efficiency, barrier_ns, dispatch_ns});
        cost::add_fake_sample(record, i, nodes[i],
                              {"decode", 72 * 15, 1, efficiency, barrier_ns, dispatch_ns});
    }
    return record;
}

// A few kilobytes of weights: every node is over before the threads have met.
inline measure::RunRecord tiny_record() {
    auto nodes = cost::fake_nodes();
    for (cost::FakeNode& node : nodes) {
        node.weight_bytes /= 5000;
        node.flops_per_token /= 5000;
        node.bytes_per_token /= 500;
    }
    measure::RunRecord record = resampled(nodes, "avx2", 0.5, 1000, 400);
    record.memory.weights_bytes = 20'000;
    return record;
}

inline measure::RunRecord inefficient_record() {
    return resampled(cost::fake_nodes(), "avx2", 0.2, 1000, 200);
}

// f32 arithmetic on 4-bit weights, well done: near its own roof, far from the best one.
inline measure::RunRecord weak_arithmetic_record() {
    auto nodes = cost::fake_nodes();
    for (cost::FakeNode& node : nodes) {
        if (node.variant == "u4m/avx2") node.variant = "u4m/f32/avx2";
    }
    return resampled(nodes, "avx2", 0.9, 1000, 200);
}

inline measure::RunRecord stolen_record() {
    measure::RunRecord record = fake_record();
    record.interference.steal_share = 0.35;
    record.interference.run_delay_share = 0.4;
    record.interference.ceiling_drift = 0.3;
    return record;
}

// One cold request and a load that waited for storage.
inline measure::RunRecord cold_record() {
    measure::RunRecord record = fake_record();
    record.requests.clear();
    for (int i = 0; i < 3; ++i) cost::add_fake_request(record, "warm", 1.0);
    cost::add_fake_request(record, "cold", 8.0);
    record.load_stage_ms = {{"open", 3000}, {"pack", 100}};
    record.interference.major_faults = 20'000;
    record.experiments.push_back(cost::to_experiment(
        cost::ColdWarm{"load", {2.9e9, 2.9e9, 2.9e9}, {2e8, 2e8, 2e8}, 98'000'000}));
    return record;
}

// The head runs for all 64 positions of a prompt.
inline measure::RunRecord wasteful_record() {
    measure::RunRecord record = fake_record();
    for (measure::PassRun& pass : record.passes) {
        if (pass.name == "last_position_logits") pass.enabled = false;
    }
    for (auto& sample : record.operators) {
        if (sample.node != 5 || sample.slice != "prefill") continue;
        const double before = cost::sample_wall_ns(sample);
        sample.flops *= 64;
        sample.tokens *= 64;
        sample.compute_ns *= 12;
        sample.compute_mean_ns *= 12;
        record.forward_wall_ns += cost::sample_wall_ns(sample) - before;
    }
    return record;
}

// A clean run with eight threads on the two CPUs: they wait for a CPU and for each other.
inline measure::RunRecord oversubscribed_record() {
    measure::RunRecord record = resampled(cost::fake_nodes(), "avx2", 0.5, 200'000, 2000);
    record.context.threads = 8;
    for (const int count : {1, 2}) {
        for (auto& point : fake_record().machine.overheads) {
            if (point.threads == count) record.machine.overheads.push_back(point);
        }
    }
    record.interference.run_delay_share = 8 * 0.72;
    record.experiments.push_back(
        cost::to_experiment(cost::Sweep{"thread_sweep",
                                        "",
                                        "8",
                                        {{"1", samples(1.9e6), samples(6.0e6)},
                                         {"2", samples(1.0e6), samples(5.0e6)},
                                         {"8", samples(1.5e6), samples(8.0e6)}}}));
    return record;
}

// One fusion off that is worth a tenth of decode.
inline measure::RunRecord unfused_record(double off_decode_ns = 5.5e6) {
    measure::RunRecord record = fake_record();
    record.passes.push_back({"merge_gate_up", false, 0, 0});
    record.experiments.push_back(
        cost::to_experiment(cost::Sweep{"pass_ablation",
                                        "merge_gate_up",
                                        "off",
                                        {{"on", samples(1.0e6), samples(5.0e6)},
                                         {"off", samples(1.06e6), samples(off_decode_ns)}}}));
    return record;
}

// Weights with denormals, on a CPU that is slow with them (or is not).
inline measure::RunRecord denormal_record(double off_decode_ns = 9e6) {
    measure::RunRecord record = fake_record();
    cost::FlushDenormals flush;
    flush.baseline = "off";
    flush.off = {"off", samples(off_decode_ns / 5), samples(off_decode_ns)};
    flush.on = {"on", samples(1e6), samples(5e6)};
    flush.rows = 8;
    record.experiments.push_back(cost::to_experiment(flush));
    cost::WeightScan scan;
    scan.tensors = scan.tensors_scanned = 10;
    scan.bytes = scan.bytes_scanned = 98'000'000;
    scan.complete = true;
    cost::TensorScan tensor;
    tensor.name = "blk.0.ffn_down.weight";
    tensor.dtype = "F32";
    tensor.elements = 1'000'000;
    tensor.bytes = 4'000'000;
    tensor.denormals = 250'000;
    scan.findings.push_back(tensor);
    record.experiments.push_back(cost::to_experiment(scan));
    return record;
}

// 48 of 64 prompt tokens had been computed for an earlier request (and are taken from the cache).
inline measure::RunRecord shared_prefix_record(bool reused = false) {
    measure::RunRecord record = fake_record();
    for (auto& request : record.requests) {
        request.prompt_tokens_repeated = 48;
        if (reused) request.prompt_tokens_reused = 48;
    }
    return record;
}

inline measure::RunRecord padded_record(int padding = 32) {
    measure::RunRecord record = fake_record();
    for (auto& request : record.requests) request.padding_tokens = padding;
    return record;
}

// Somebody else reads memory all the time; no CPU time is missing.
inline measure::RunRecord traffic_record(double gb_per_s = 11) {
    measure::RunRecord record = fake_record();
    cost::BandwidthProbe probe;
    probe.bytes = 64u << 20;
    probe.threads = 2;
    probe.gb_per_s = samples(gb_per_s);
    for (size_t i = 0; i < probe.gb_per_s.size(); ++i) {
        probe.at_s.push_back(static_cast<double>(i + 1));
    }
    probe.quiet_gb_per_s = 20;
    record.experiments.push_back(cost::to_experiment(probe));
    return record;
}

inline measure::RunRecord throttled_record(double share = 0.3) {
    measure::RunRecord record = fake_record();
    cost::InterferenceSeries series;
    series.slices.push_back({1.0, 1.0, 0.0, 0.0, share, std::nullopt});
    series.throttled_periods = 30;
    series.throttled_share = share;
    record.experiments.push_back(cost::to_experiment(series));
    return record;
}

}  // namespace hone::diagnose
