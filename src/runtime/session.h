// Session: a model file made ready to run: model, tokenizer, executor and engine, opened in this
// order with the time of every stage.
//
//   open        file and metadata            vocabulary  tokenizer
//   graph       unoptimized graph            plan        passes, variants, memory
//   threads     the team                     pack        weights into tiles, workspace
//   kv          pages and slots              warm_up     first steps: memory is touched, caches
//   fill
//
// Where packed weights of an earlier load are mapped (runtime/packed_cache.h), `map` stands for
// `pack`; where they are written for later ones, that is `store`.
//
// Not a server and not a cache of models. Owns everything; the parts live as long as the session
// and may be used by its one thread. Errors come from the stage that failed, with the file's name.
#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "graph/executor.h"
#include "machine/isa.h"
#include "machine/thread_team.h"
#include "models/model.h"
#include "runtime/engine.h"
#include "runtime/packed_cache.h"
#include "text/tokenizer.h"

namespace hone::runtime {

struct LoadOptions {
    int threads = 0;  // 0 = default_threads()
    bool pin_threads = false;
    std::optional<machine::Isa> isa = std::nullopt;  // nothing = the highest; above that: an error
    std::vector<std::string> disabled_passes = {};
    bool screen_head = false;                   // graph/screen.h
    std::vector<uint32_t> without_layers = {};  // models::Model::remove_layers
    // FAMILY=NAME: families linear, rows, attention.
    std::vector<std::pair<std::string, std::string>> variants = {};
    EngineLimits limits = {};
    bool warm_up = true;
    bool flush_denormals = false;  // see machine::ThreadTeamOptions
    PackedCacheOptions packed_cache = {};
    bool lock_memory = false;  // keep the packed weights in memory
};

// What opening a model fetched from storage: next to nothing where the file was in memory already.
struct StorageReads {
    std::optional<uint64_t> bytes;  // absent where the kernel does not count them
    uint64_t major_faults = 0;
};

// CPUs that affinity and the cgroup's quota leave to this process.
int default_threads();

// An executor with the team it runs on.
struct ExecutorParts {
    std::unique_ptr<machine::ThreadTeam> team;
    std::unique_ptr<graph::Executor> executor;
    std::map<std::string, double> stage_ms;  // graph, plan, threads, pack or map, store
    std::string cache_note;                  // PackedCache::note()
};

// With every default of `options` filled in: threads, isa, limits. Errors of prepare and
// Executor::create; unsupported when the CPU lacks options.isa; invalid_argument for limits.
base::Result<ExecutorParts> make_executor(const models::Model& model, LoadOptions& options,
                                          const base::Clock& clock);
// Errors begin with the file's name.
base::Result<text::Tokenizer> open_tokenizer(const models::Model& model);

class Session {
  public:
    // unsupported for an encoder, which generates nothing (runtime/embedder.h); else errors of
    // Model::open, Tokenizer::create, prepare, Executor::create, Engine::create; unsupported when
    // the CPU lacks options.isa; invalid_argument for limits.
    static base::Result<std::unique_ptr<Session>> open(const std::string& path,
                                                       const LoadOptions& options,
                                                       const base::Clock& clock);

    const models::Model& model() const { return *model_; }
    const models::ModelConfig& config() const { return model_->config(); }
    const text::Tokenizer& tokenizer() const { return *tokenizer_; }
    graph::Executor& executor() { return *parts_.executor; }
    const graph::Plan& plan() const { return parts_.executor->plan(); }
    Engine& engine() { return *engine_; }
    // With every default filled in: threads, isa, limits.
    const LoadOptions& options() const { return options_; }
    // By stage, in ms, and their sum.
    const std::map<std::string, double>& load_stage_ms() const { return load_stage_ms_; }
    double load_ms() const;
    const StorageReads& load_reads() const { return load_reads_; }
    // Why packed weights of an earlier load were not used or could not be kept; "" when all is
    // well.
    const std::string& cache_note() const { return parts_.cache_note; }

    // A second executor of the same model beside the session's, for comparisons: other threads,
    // passes or variants (limits.context, step_tokens_max and sequences_max count too). Weights are
    // packed again, and need their memory again, unless both map them from the cache.
    base::Result<ExecutorParts> make_executor(LoadOptions options) const;

  private:
    explicit Session(const base::Clock& clock) : clock_(&clock) {}

    const base::Clock* clock_;
    LoadOptions options_;
    std::unique_ptr<models::Model> model_;
    std::optional<text::Tokenizer> tokenizer_;
    ExecutorParts parts_;
    std::unique_ptr<Engine> engine_;  // last: it uses all of the above
    std::map<std::string, double> load_stage_ms_;
    StorageReads load_reads_;
};

base::Result<std::unique_ptr<Session>> open_session(const std::string& path,
                                                    const LoadOptions& options,
                                                    const base::Clock& clock);

}  // namespace hone::runtime
