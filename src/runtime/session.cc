#include "runtime/session.h"

#include <algorithm>
#include <cmath>

#include "graph/plan.h"
#include "machine/facts.h"
#include "models/checkpoint.h"

namespace hone::runtime {

namespace {

using base::ErrorCode;

constexpr uint32_t kWarmUpTokens = 16;

StorageReads reads_between(const machine::DisturbanceCounters& before,
                           const machine::DisturbanceCounters& after) {
    StorageReads reads;
    if (before.storage_bytes && after.storage_bytes) {
        reads.bytes = *after.storage_bytes - std::min(*before.storage_bytes, *after.storage_bytes);
    }
    reads.major_faults = after.major_faults - std::min(before.major_faults, after.major_faults);
    return reads;
}

// Adds the time since construction, or since the last stage, to the stages.
class StageClock {
  public:
    StageClock(const base::Clock& clock, std::map<std::string, double>& stage_ms)
        : clock_(clock), stage_ms_(stage_ms), last_ns_(clock.now_ns()) {}

    void finish(const char* stage) {
        const int64_t now_ns = clock_.now_ns();
        stage_ms_[stage] += static_cast<double>(now_ns - last_ns_) * 1e-6;
        last_ns_ = now_ns;
    }

  private:
    const base::Clock& clock_;
    std::map<std::string, double>& stage_ms_;
    int64_t last_ns_;
};

base::Status fill_defaults(const models::ModelConfig& config, LoadOptions& options) {
    const machine::Isa have = machine::detect_isa();
    if (!options.isa) options.isa = have;
    if (*options.isa > have) {
        return base::fail(ErrorCode::unsupported, "this CPU has {}, not {}",
                          machine::isa_name(have), machine::isa_name(*options.isa));
    }
    if (options.threads == 0) options.threads = default_threads();
    return resolve_limits(config, options.limits);
}

// The executor with its weights, packed or mapped, and the time of that as a stage.
base::Status pack_weights(const models::Model& model, const LoadOptions& options, graph::Plan plan,
                          const base::Clock& clock, ExecutorParts& parts) {
    const int64_t begin_ns = clock.now_ns();
    graph::WeightMemory memory;
    memory.lock = options.lock_memory;
    std::optional<PackedCache> cache;
    if (options.packed_cache.enabled()) {
        cache.emplace(
            options.packed_cache, [&model] { return model.identity(); }, clock);
        memory.store = &*cache;
    }
    HONE_TRY(parts.executor, graph::Executor::create(std::move(plan), model, *parts.team, memory));
    double ms = static_cast<double>(clock.now_ns() - begin_ns) * 1e-6;
    if (cache) {
        parts.cache_note = cache->note();
        if (cache->store_ms()) {
            parts.stage_ms["store"] = *cache->store_ms();
            ms -= *cache->store_ms();
        }
    }
    const bool found = parts.executor->memory().weights_mapped && !parts.stage_ms.contains("store");
    parts.stage_ms[found ? "map" : "pack"] = ms;
    return {};
}

base::Result<ExecutorParts> build_executor(const models::Model& model, const LoadOptions& options,
                                           const base::Clock& clock) {
    ExecutorParts parts;
    StageClock stages(clock, parts.stage_ms);
    HONE_TRY(auto graph, model.build_graph(options.limits.context));
    stages.finish("graph");
    graph::PrepareOptions prepare_options;
    prepare_options.isa = *options.isa;
    prepare_options.threads = options.threads;
    prepare_options.tokens_max = options.limits.step_tokens_max;
    // Every token of an encoder is an output.
    prepare_options.outputs_max =
        model.config().causal ? outputs_at_most(options.limits) : options.limits.step_tokens_max;
    prepare_options.positions_max = options.limits.context;
    prepare_options.kv_dtype = options.limits.kv_dtype;
    prepare_options.screen_head = options.screen_head;
    prepare_options.disabled_passes = options.disabled_passes;
    prepare_options.variants = options.variants;
    HONE_TRY(auto plan, graph::prepare(std::move(graph), prepare_options, clock));
    stages.finish("plan");
    machine::ThreadTeamOptions team_options;
    team_options.threads = options.threads;
    team_options.pin = options.pin_threads;
    team_options.flush_denormals = options.flush_denormals;
    HONE_TRY(parts.team, machine::ThreadTeam::create(team_options));
    stages.finish("threads");
    HONE_TRY_STATUS(pack_weights(model, options, std::move(plan), clock, parts));
    return parts;
}

// A prompt and one decode step: touches the workspace, the pages and both paths of the kernels.
base::Status warm_up(Engine& engine, uint32_t vocab) {
    SequenceRequest request;
    const uint32_t n_tokens = std::min(kWarmUpTokens, engine.limits().context);
    for (uint32_t i = 0; i < n_tokens; ++i) {
        request.prompt.push_back(static_cast<int32_t>(i % vocab));
    }
    request.output_tokens_max = 2;
    HONE_TRY_STATUS(engine.add(std::move(request)));
    StepPlan plan;
    std::vector<TokenEvent> events;
    while (!engine.idle()) {
        engine.schedule_into(plan);
        engine.apply(plan, engine.run(plan), events);
    }
    return {};
}

}  // namespace

int default_threads() {
    const machine::MachineFacts facts = machine::read_machine_facts();
    int threads = std::max(facts.cpus_allowed, 1);
    if (facts.cpu_quota > 0) {
        threads = std::min(threads, std::max(1, static_cast<int>(std::ceil(facts.cpu_quota))));
    }
    return std::min(threads, machine::ThreadTeam::kThreadsMax);
}

base::Result<ExecutorParts> make_executor(const models::Model& model, LoadOptions& options,
                                          const base::Clock& clock) {
    HONE_TRY_STATUS(fill_defaults(model.config(), options));
    return build_executor(model, options, clock);
}

base::Result<text::Tokenizer> open_tokenizer(const models::Model& model) {
    const std::string file = models::display_name(model.path());
    HONE_TRY(auto vocabulary, model.vocabulary());
    auto tokenizer = text::Tokenizer::create(std::move(vocabulary));
    if (!tokenizer) return tl::unexpected(tokenizer.error().within(file));
    return std::move(*tokenizer);
}

base::Result<std::unique_ptr<Session>> Session::open(const std::string& path,
                                                     const LoadOptions& options,
                                                     const base::Clock& clock) {
    std::unique_ptr<Session> session(new Session(clock));
    const machine::DisturbanceCounters before = machine::read_disturbance();
    StageClock stages(clock, session->load_stage_ms_);
    HONE_TRY(session->model_, models::Model::open(path));
    if (!session->config().causal) {
        return base::fail(ErrorCode::unsupported,
                          "{}: {} is an encoder: it makes embeddings (hone embed) and no text",
                          path, session->config().architecture);
    }
    HONE_TRY_STATUS(session->model_->remove_layers(options.without_layers));
    stages.finish("open");
    HONE_TRY(session->tokenizer_, open_tokenizer(*session->model_));
    stages.finish("vocabulary");

    session->options_ = options;
    HONE_TRY(session->parts_, runtime::make_executor(*session->model_, session->options_, clock));
    session->load_stage_ms_.merge(std::map(session->parts_.stage_ms));

    StageClock last_stages(clock, session->load_stage_ms_);
    HONE_TRY(session->engine_, Engine::create(session->config(), *session->parts_.executor,
                                              session->options_.limits));
    last_stages.finish("kv");
    if (session->options_.warm_up) {
        HONE_TRY_STATUS(warm_up(*session->engine_, session->config().n_vocab));
        last_stages.finish("warm_up");
    }
    session->load_reads_ = reads_between(before, machine::read_disturbance());
    return session;
}

double Session::load_ms() const {
    double sum = 0;
    for (const auto& [stage, ms] : load_stage_ms_) sum += ms;
    return sum;
}

base::Result<ExecutorParts> Session::make_executor(LoadOptions options) const {
    return runtime::make_executor(*model_, options, *clock_);
}

base::Result<std::unique_ptr<Session>> open_session(const std::string& path,
                                                    const LoadOptions& options,
                                                    const base::Clock& clock) {
    return Session::open(path, options, clock);
}

}  // namespace hone::runtime
