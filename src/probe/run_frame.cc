#include "probe/run_frame.h"

#include <algorithm>
#include <filesystem>

#include "cost/observations.h"
#include "machine/facts.h"
#include "machine/isa.h"
#include "probe/ceilings.h"
#include "probe/peak_resident.h"

namespace hone::probe {
namespace {

// Beyond every cache that the profile sees, and small beside a model.
constexpr uint64_t kReadingBytes = uint64_t{64} << 20;

measure::ModelFacts model_facts(const models::Model& model) {
    const models::ModelConfig& config = model.config();
    measure::ModelFacts facts;
    facts.file = std::filesystem::path(model.path()).filename().string();
    facts.name = config.name;
    facts.architecture = config.architecture;
    facts.file_bytes = model.file_bytes();
    facts.parameters = model.parameters();
    facts.context_max = config.context_max;
    facts.layers = config.n_layers;
    facts.bytes_by_dtype = model.bytes_by_dtype();
    return facts;
}

}  // namespace

RunFrame::RunFrame(runtime::Session& session, const RunSetting& setting)
    : session_(session), setting_(setting) {
    fill_facts();
    peak_bytes_ = machine::read_resident_bytes().peak;
    before_gb_per_s_ = read_bandwidth();
    probe_mark_bytes_ = forget_peak_resident() ? 0 : machine::read_resident_bytes().peak;
    watch_.emplace(setting.clock);
}

void RunFrame::fill_facts() {
    record_.context.command = setting_.command;
    record_.context.slo = setting_.slo;
    record_.context.price_per_hour = setting_.price_per_hour;
    record_.context.threads = session_.options().threads;
    record_.build = setting_.build;
    record_.isa = machine::isa_name(session_.plan().options.isa);
    record_.machine = setting_.machine;
    record_.model = model_facts(session_.model());
    record_.passes = session_.plan().passes;
    record_.nodes = session_.plan().facts();
    record_.load_stage_ms = session_.load_stage_ms();
    const runtime::StorageReads& reads = session_.load_reads();
    record_.experiments.push_back(cost::to_experiment(
        cost::LoadReads{session_.model().file_bytes(), reads.bytes, reads.major_faults}));
}

std::optional<double> RunFrame::read_bandwidth() {
    if (setting_.reading_s <= 0) return std::nullopt;
    ReprobeOptions options;
    options.bytes = kReadingBytes;
    options.budget_s = setting_.reading_s;
    const auto point = reprobe_bandwidth(session_.executor().team(), session_.plan().options.isa,
                                         setting_.clock, options);
    // A reading that cannot be had leaves the drift unknown; the run itself is as good as before.
    if (!point) return std::nullopt;
    return point->gb_per_s;
}

void RunFrame::sample_memory() {
    peak_bytes_ = std::max(peak_bytes_, machine::read_resident_bytes().now);
}

void RunFrame::finish(const runtime::KvPoolFacts& kv) {
    record_.interference = watch_->so_far();
    sample_memory();
    const uint64_t mark = machine::read_resident_bytes().peak;
    if (mark > probe_mark_bytes_) peak_bytes_ = std::max(peak_bytes_, mark);
    after_gb_per_s_ = read_bandwidth();
    if (before_gb_per_s_ && after_gb_per_s_) {
        record_.interference.ceiling_drift = ceiling_drift(*before_gb_per_s_, *after_gb_per_s_);
    }
    store_memory(kv);
    record_.add_sample("load_ms", "ms", session_.load_ms());
    if (setting_.cold_start_ms) {
        record_.add_sample("cold_start_ms", "ms", *setting_.cold_start_ms);
    }
}

void RunFrame::store_memory(const runtime::KvPoolFacts& kv) {
    const graph::ExecutorMemory memory = session_.executor().memory();
    record_.memory.weights_bytes = memory.weights_bytes;
    record_.memory.workspace_bytes = memory.workspace_bytes;
    record_.memory.kv_bytes = kv.bytes_total;
    record_.memory.kv_bytes_per_token = kv.bytes_per_token;
    const auto store = [&](const char* name, const char* unit, uint64_t value) {
        record_.add_sample(name, unit, static_cast<double>(value));
    };
    store("weights_bytes", "bytes", memory.weights_bytes);
    store("workspace_bytes", "bytes", memory.workspace_bytes);
    store("kv_bytes", "bytes", kv.bytes_total);
    store("kv_bytes_per_token", "bytes/token", kv.bytes_per_token);
    if (peak_bytes_ == 0) return;  // the system does not tell
    record_.memory.peak_rss_bytes = peak_bytes_;
    store("peak_rss_bytes", "bytes", peak_bytes_);
}

}  // namespace hone::probe
