#include "runtime/session.h"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <string_view>
#include <vector>

#include "models/synth.h"
#include "runtime/generation.h"

namespace hone::runtime {
namespace {

// A file with a random model, written once.
class SessionTest : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        path_ = ::testing::TempDir() + "hone_session_test.gguf";
        models::SynthSpec spec;
        spec.n_layers = 2;
        spec.n_ctx = 256;
        const base::Status status = models::write_synth(spec, path_);
        ASSERT_TRUE(status) << status.error().message;
        spec.n_layers = 4;
        spec.sliding_window = 40;
        spec.sliding_window_pattern = 2;
        ASSERT_TRUE(models::write_synth(spec, path_ + ".windowed"));
        spec.n_ctx = 2048;
        spec.sliding_window = 600;
        ASSERT_TRUE(models::write_synth(spec, path_ + ".long"));
    }
    static void TearDownTestSuite() {
        std::filesystem::remove(path_);
        std::filesystem::remove(path_ + ".windowed");
        std::filesystem::remove(path_ + ".long");
    }

    static LoadOptions options(int threads, uint32_t sequences, uint32_t step_tokens) {
        LoadOptions options;
        options.threads = threads;
        options.limits.context = 200;
        options.limits.sequences_max = sequences;
        options.limits.step_tokens_max = step_tokens;
        return options;
    }

    std::unique_ptr<Session> open(const LoadOptions& options, const std::string& suffix = "") {
        auto session = open_session(path_ + suffix, options, clock_);
        EXPECT_TRUE(session) << session.error().message;
        return std::move(*session);
    }

    base::ErrorCode code(const LoadOptions& options) {
        auto session = open_session(path_, options, clock_);
        EXPECT_FALSE(session);
        return session ? base::ErrorCode::internal : session.error().code;
    }

    // Logits of a step of 20 tokens.
    static std::vector<float> logits(Session& session) {
        SequenceRequest request;
        for (int32_t t = 0; t < 20; ++t) request.prompt.push_back(t * 37);
        EXPECT_TRUE(session.engine().add(std::move(request)));
        const StepResult result = session.engine().run(session.engine().schedule());
        return {result.logits.begin(), result.logits.end()};
    }

    static std::vector<SequenceRequest> requests() {
        std::vector<SequenceRequest> out(3);
        for (size_t i = 0; i < out.size(); ++i) {
            for (size_t t = 0; t < 10 + 35 * i; ++t) {
                out[i].prompt.push_back(static_cast<int32_t>((t * 37 + i * 11) % 1000));
            }
            out[i].output_tokens_max = 12;
        }
        out[1].sampling.temperature = 0.8f;
        out[1].sampling.seed = 5;
        return out;
    }

    // The logits that tokens were sampled from, as checksums, by sequence.
    struct Trace {
        int steps = 0;
        std::map<SequenceId, std::vector<size_t>> logits = {};

        void add(const StepPlan& plan, const StepResult& result,
                 const std::vector<TokenEvent>& events) {
            ++steps;
            size_t rows = 0;
            for (const PlannedSlice& slice : plan.slices) rows += slice.outputs();
            auto event = events.begin();
            size_t row = 0;
            for (const PlannedSlice& slice : plan.slices) {
                for (size_t i = row; event != events.end() && event->sequence == slice.sequence;
                     ++i, ++event) {
                    const size_t bytes = result.logits.size() / rows * sizeof(float);
                    const auto* text = reinterpret_cast<const char*>(result.logits.data());
                    logits[slice.sequence].push_back(
                        std::hash<std::string_view>()({text + i * bytes, bytes}));
                }
                row += slice.outputs();
            }
        }
        // Of the sequences in the order of their coming.
        std::vector<std::vector<size_t>> all() const {
            std::vector<std::vector<size_t>> out;
            for (const auto& [id, sums] : logits) out.push_back(sums);
            return out;
        }
    };

    // Tokens of the requests, run side by side.
    static std::vector<std::vector<int32_t>> run(Engine& engine,
                                                 const std::vector<SequenceRequest>& requests,
                                                 Trace* trace = nullptr) {
        std::map<SequenceId, size_t> index;
        std::vector<std::vector<int32_t>> out(requests.size());
        for (size_t i = 0; i < requests.size(); ++i) index[engine.add(requests[i]).value()] = i;
        std::vector<TokenEvent> events;
        while (!engine.idle()) {
            const StepPlan plan = engine.schedule();
            const StepResult result = engine.run(plan);
            engine.apply(plan, result, events);
            if (trace != nullptr) trace->add(plan, result, events);
            for (const TokenEvent& event : events) {
                out[index.at(event.sequence)].push_back(event.token);
            }
        }
        engine.check_invariants();
        return out;
    }

    static std::string path_;
    base::SteadyClock clock_;
};

std::string SessionTest::path_;

TEST_F(SessionTest, OpensWithDefaultsAndTimesItsStages) {
    LoadOptions plain;
    auto session = open(plain);
    EXPECT_EQ(session->options().threads, default_threads());
    EXPECT_EQ(session->options().isa, machine::detect_isa());
    EXPECT_EQ(session->options().limits.context, 256u);
    for (const char* stage :
         {"open", "vocabulary", "graph", "plan", "threads", "pack", "kv", "warm_up"}) {
        EXPECT_EQ(session->load_stage_ms().count(stage), 1u) << stage;
    }
    EXPECT_GT(session->load_ms(), 0);
    EXPECT_TRUE(session->engine().idle());
    EXPECT_EQ(session->plan().vocab, session->config().n_vocab);
    EXPECT_EQ(static_cast<uint32_t>(session->tokenizer().vocab_size()), session->config().n_vocab);
    EXPECT_EQ(session->executor().team().threads(), default_threads());
}

TEST_F(SessionTest, BatchEqualsSoloWithAnyThreadsAndChunks) {
    const std::vector<SequenceRequest> all = requests();
    for (const char* suffix : {"", ".windowed"}) {
        SCOPED_TRACE(suffix);
        auto solo_session = open(options(1, 1, 200), suffix);
        std::vector<std::vector<int32_t>> solo;
        for (const SequenceRequest& r : all) {
            solo.push_back(run(solo_session->engine(), {r}).front());
            EXPECT_EQ(solo.back().size(), 12u);
        }
        EXPECT_NE(solo[0], solo[1]);
        for (int threads : {1, 2}) {
            for (uint32_t step_tokens : {5u, 32u, 128u}) {
                auto session = open(options(threads, 3, step_tokens), suffix);
                EXPECT_EQ(run(session->engine(), all), solo) << threads << " " << step_tokens;
            }
        }
    }
}

// The kernels' side of it: logits of a token that is computed as a draft are those of its own step.
TEST_F(SessionTest, DraftsChangeNoTokenAndNoLogitOfAModel) {
    std::vector<SequenceRequest> all = requests();
    for (size_t i = 0; i < all.size(); ++i) {
        all[i].output_tokens_max = 70;
        // Few words, so that drafts are right now and then.
        for (int32_t token = 40; token < 44; ++token) {
            all[i].sampling.logit_bias.emplace_back(token, 200.0f);
        }
        all[i].sampling.temperature = i == 0 ? 0.0f : 0.8f;
        all[i].sampling.repetition_penalty = 1.0f + 0.1f * static_cast<float>(i);
        all[i].sampling.seed = i;
    }
    for (const char* suffix : {"", ".windowed"}) {
        for (const auto dtype :
             {kernels::KvDtype::f16, kernels::KvDtype::q8, kernels::KvDtype::q4}) {
            SCOPED_TRACE(suffix);
            LoadOptions plain = options(1, 1, 200);
            plain.limits.kv_dtype = dtype;
            auto solo_session = open(plain, suffix);
            std::vector<std::vector<int32_t>> solo;
            Trace single;
            for (const SequenceRequest& r : all) {
                solo.push_back(run(solo_session->engine(), {r}, &single).front());
            }
            for (const uint32_t drafts_max : {1u, 4u, 16u}) {
                for (const int threads : {1, 2}) {
                    LoadOptions drafting = options(threads, 3, 48);
                    drafting.limits.kv_dtype = dtype;
                    drafting.limits.drafts_max = drafts_max;
                    auto session = open(drafting, suffix);
                    Trace trace;
                    EXPECT_EQ(run(session->engine(), all, &trace), solo) << drafts_max;
                    EXPECT_EQ(trace.all(), single.all()) << "the last bits of logits differ";
                    EXPECT_LT(trace.steps, 70) << "no draft was right";
                    // Again, with what the prefix cache kept.
                    EXPECT_EQ(run(session->engine(), all), solo) << drafts_max;
                }
            }
        }
    }
}

TEST_F(SessionTest, AWindowedModelHasTwoGroups) {
    auto session = open(options(1, 1, 32), ".windowed");
    const KvPoolFacts facts = session->engine().kv_facts();
    ASSERT_EQ(facts.groups.size(), 2u);
    EXPECT_EQ(facts.groups[0].window + facts.groups[1].window, 40u);
    // 4 layers, K and V, 2 heads of 32 f16 values.
    EXPECT_EQ(facts.bytes_per_token, 4u * 2 * 2 * 32 * 2);
}

TEST_F(SessionTest, GeneratesText) {
    auto session = open(options(1, 1, 32));
    TextGenerator generator(session->engine(), session->tokenizer(), clock_);
    GenerationRequest request;
    request.prompt = "the house by the sea";
    request.output_tokens_max = 20;
    request.ends_at_end_of_generation = false;
    auto outcome = generator.generate(request);
    ASSERT_TRUE(outcome) << outcome.error().message;
    EXPECT_EQ(outcome->tokens.size(), 20u);
    EXPECT_EQ(outcome->text, generator.generate(request)->text);
}

TEST_F(SessionTest, ASecondExecutorStandsBesideTheFirst) {
    auto session = open(options(1, 2, 32));
    LoadOptions other = session->options();
    other.threads = 2;
    other.disabled_passes = {session->plan().passes.front().name};
    auto parts = session->make_executor(other);
    ASSERT_TRUE(parts) << parts.error().message;
    EXPECT_EQ(parts->team->threads(), 2);
    EXPECT_EQ(parts->executor->tokens_max(), 32u);
    EXPECT_FALSE(parts->executor->plan().passes.front().enabled);
    EXPECT_TRUE(session->plan().passes.front().enabled);
}

TEST_F(SessionTest, ACacheOfFewerBitsIsSmallerAndJustAsDeterministic) {
    auto f16 = open(options(2, 3, 32), ".windowed");
    const uint32_t dim = f16->config().head_dim;
    const std::pair<kernels::KvDtype, uint32_t> bytes[] = {{kernels::KvDtype::q8, dim + 4},
                                                           {kernels::KvDtype::q4, dim / 2 + 4}};
    for (const auto& [dtype, value_bytes] : bytes) {
        LoadOptions smaller = options(2, 3, 32);
        smaller.limits.kv_dtype = dtype;
        auto session = open(smaller, ".windowed");
        EXPECT_EQ(session->engine().kv_facts().bytes_per_token * 2 * dim,
                  f16->engine().kv_facts().bytes_per_token * value_bytes);
        const auto together = run(session->engine(), requests());
        for (size_t i = 0; i < requests().size(); ++i) {
            LoadOptions alone = options(1, 1, 7);
            alone.limits.kv_dtype = dtype;
            const auto tokens = run(open(alone, ".windowed")->engine(), {requests()[i]});
            EXPECT_EQ(tokens[0], together[i]) << i;
        }
    }
}

TEST_F(SessionTest, FewerBitsInTheCacheMoveLogitsALittle) {
    const auto with = [&](kernels::KvDtype dtype, const char* attention) {
        LoadOptions load = options(2, 3, 32);
        load.limits.kv_dtype = dtype;
        load.variants = {{"attention", attention}};
        return logits(*open(load));
    };
    const auto exact = with(kernels::KvDtype::f16, "portable");
    // rms of the difference, as a share of the logits' own.
    const auto apart = [&](const std::vector<float>& a, const std::vector<float>& b) {
        double squares = 0;
        double all = 0;
        for (size_t i = 0; i < a.size(); ++i) {
            squares += std::pow(a[i] - b[i], 2);
            all += a[i] * a[i];
        }
        return std::sqrt(squares / all);
    };
    const auto q8 = with(kernels::KvDtype::q8, "portable");
    const auto q4 = with(kernels::KvDtype::q4, "portable");
    EXPECT_GT(apart(exact, q8), 1e-5);
    EXPECT_LT(apart(exact, q8), 0.05);
    // A code of 4 bits errs 16 times as much as one of 8.
    EXPECT_GT(apart(exact, q4), 2 * apart(exact, q8));
    EXPECT_LT(apart(exact, q4), 0.2);
    // Activations are rounded to 8 bits on the way, which turns the last place of f32 into more.
    EXPECT_LT(apart(with(kernels::KvDtype::q4, "reference"), q4), 0.01);
}

// Beyond 512 positions several threads share one token's attention.
TEST_F(SessionTest, SplitAttentionGivesTheSameTokens) {
    std::vector<SequenceRequest> two(2);
    for (size_t i = 0; i < two.size(); ++i) {
        for (size_t t = 0; t < 1010 + 600 * i; ++t) {
            two[i].prompt.push_back(static_cast<int32_t>((t * 37 + i * 11) % 1000));
        }
        two[i].output_tokens_max = 20;
        two[i].sampling.temperature = 1.0f;
        two[i].sampling.seed = 5;
    }
    for (const kernels::KvDtype dtype :
         {kernels::KvDtype::f16, kernels::KvDtype::q8, kernels::KvDtype::q4}) {
        std::vector<std::vector<int32_t>> alone;
        for (const int threads : {1, 2, 3}) {
            LoadOptions load = options(threads, 2, 256);
            load.limits.context = 2000;
            load.limits.kv_dtype = dtype;
            const auto tokens = run(open(load, ".long")->engine(), two);
            if (threads == 1) alone = tokens;
            EXPECT_EQ(tokens, alone) << threads << " threads";
        }
    }
}

class PackedSessionTest : public SessionTest {
  protected:
    void SetUp() override {
        directory_ = ::testing::TempDir() + "hone_session_packed";
        std::filesystem::remove_all(directory_);
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    LoadOptions cached() const {
        LoadOptions load = options(2, 3, 32);
        load.packed_cache.mode = PackedCacheMode::on;
        load.packed_cache.directory = directory_;
        return load;
    }

    size_t files() const {
        return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(directory_),
                                                 std::filesystem::directory_iterator()));
    }

    std::string directory_;
};

TEST_F(PackedSessionTest, TheSecondLoadMapsAndGivesTheSameLogits) {
    for (const char* suffix : {"", ".windowed"}) {
        const auto plain = logits(*open(options(2, 3, 32), suffix));
        auto first = open(cached(), suffix);
        EXPECT_TRUE(first->load_stage_ms().contains("pack"));
        EXPECT_TRUE(first->load_stage_ms().contains("store"));
        EXPECT_EQ(first->cache_note(), "");
        auto second = open(cached(), suffix);
        EXPECT_TRUE(second->load_stage_ms().contains("map"));
        EXPECT_FALSE(second->load_stage_ms().contains("pack"));
        EXPECT_TRUE(second->executor().memory().weights_mapped);
        EXPECT_EQ(logits(*first), plain);
        EXPECT_EQ(logits(*second), plain);
    }
    EXPECT_EQ(files(), 2u);
}

TEST_F(PackedSessionTest, OtherPassesHaveTheirOwnFileOtherLevelsAndThreadsDoNot) {
    open(cached());
    LoadOptions other = cached();
    other.isa = machine::Isa::portable;
    other.threads = 1;
    EXPECT_TRUE(open(other)->load_stage_ms().contains("map"));
    other.disabled_passes = {"merge_gate_up"};
    EXPECT_TRUE(open(other)->load_stage_ms().contains("pack"));
    EXPECT_EQ(files(), 2u);
}

TEST_F(PackedSessionTest, AChangedModelIsPackedAnew) {
    const std::string copy = path_ + ".copy";
    std::filesystem::copy_file(path_, copy);
    open(cached(), ".copy");
    EXPECT_TRUE(open(cached(), ".copy")->load_stage_ms().contains("map"));
    std::filesystem::remove(copy);
    models::SynthSpec spec;
    spec.n_layers = 2;
    spec.n_ctx = 256;
    spec.seed = 9;
    ASSERT_TRUE(models::write_synth(spec, copy));
    auto changed = open(cached(), ".copy");
    EXPECT_TRUE(changed->load_stage_ms().contains("pack"));
    EXPECT_EQ(logits(*changed), logits(*open(options(2, 3, 32), ".copy")));
    std::filesystem::remove(copy);
}

TEST_F(PackedSessionTest, WithoutADirectoryNothingIsKept) {
    LoadOptions load = cached();
    load.packed_cache.directory = "";
    EXPECT_EQ(open(load)->load_stage_ms().count("store"), 0u);
    EXPECT_EQ(open(load)->load_stage_ms().count("map"), 0u);
}

TEST_F(PackedSessionTest, LockedWeightsGiveTheSameLogits) {
    rlimit limit{};
    ASSERT_EQ(getrlimit(RLIMIT_MEMLOCK, &limit), 0);
    LoadOptions load = options(2, 3, 32);
    load.lock_memory = true;
    auto session = open_session(path_, load, clock_);
    if (!session) {
        EXPECT_EQ(session.error().code, base::ErrorCode::exhausted);
        GTEST_SKIP() << "locked memory is limited to " << limit.rlim_cur << " bytes";
    }
    EXPECT_EQ(logits(**session), logits(*open(options(2, 3, 32))));
}

TEST_F(SessionTest, WrongOptionsAreErrors) {
    using base::ErrorCode;
    LoadOptions wrong = options(1, 1, 32);
    wrong.disabled_passes = {"no_such_pass"};
    EXPECT_EQ(code(wrong), ErrorCode::invalid_argument);
    wrong = options(1, 1, 32);
    wrong.variants = {{"no_such_family", "x"}};
    EXPECT_EQ(code(wrong), ErrorCode::invalid_argument);
    wrong = options(1, 1, 32);
    wrong.limits.context = 100000;
    EXPECT_EQ(code(wrong), ErrorCode::invalid_argument);
    wrong = options(-1, 1, 32);
    EXPECT_EQ(code(wrong), ErrorCode::invalid_argument);
    if (machine::detect_isa() < machine::Isa::avx512bf16) {
        wrong = options(1, 1, 32);
        wrong.isa = machine::Isa::avx512bf16;
        EXPECT_EQ(code(wrong), ErrorCode::unsupported);
    }
}

TEST_F(SessionTest, FilesThatAreNoModelsAreErrors) {
    auto missing = open_session(path_ + ".missing", {}, clock_);
    ASSERT_FALSE(missing);
    EXPECT_EQ(missing.error().code, base::ErrorCode::not_found);
    const std::string broken = path_ + ".broken";
    std::ofstream(broken) << "GGUF and then nothing";
    EXPECT_FALSE(open_session(broken, {}, clock_));
    std::filesystem::remove(broken);
}

}  // namespace
}  // namespace hone::runtime
