// What a session does with fewer layers, and with a screened head: on synthetic models.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "graph/screen.h"
#include "models/synth.h"
#include "runtime/session.h"

namespace hone::runtime {
namespace {

using base::ErrorCode;

std::string write(const char* name, const models::SynthSpec& spec) {
    const std::string path = ::testing::TempDir() + "hone_" + name + ".gguf";
    const auto status = models::write_synth(spec, path);
    EXPECT_TRUE(status) << status.error().message;
    return path;
}

LoadOptions options(int threads) {
    LoadOptions options;
    options.threads = threads;
    options.limits.context = 128;
    options.limits.step_tokens_max = 32;
    return options;
}

std::unique_ptr<Session> open(const std::string& path, const LoadOptions& options) {
    static const base::SteadyClock clock;
    auto session = open_session(path, options, clock);
    EXPECT_TRUE(session) << session.error().message;
    return session ? std::move(*session) : nullptr;
}

SequenceRequest request(uint32_t seed, const SamplingOptions& sampling = {}) {
    SequenceRequest out;
    for (uint32_t t = 0; t < 9; ++t) {
        out.prompt.push_back(static_cast<int32_t>((t * 37 + seed * 11) % 1000));
    }
    out.output_tokens_max = 24;
    out.sampling = sampling;
    out.sampling.seed = seed;
    out.only_samples = true;
    return out;
}

// Tokens, and every row of logits.
struct Answer {
    std::vector<int32_t> tokens;
    std::vector<std::vector<float>> logits;
};

Answer answer(Session& session, const SequenceRequest& request) {
    Answer out;
    Engine& engine = session.engine();
    EXPECT_TRUE(engine.add(request));
    std::vector<TokenEvent> events;
    while (!engine.idle()) {
        const StepPlan plan = engine.schedule();
        const StepResult result = engine.run(plan);
        engine.apply(plan, result, events);
        for (const TokenEvent& event : events) out.tokens.push_back(event.token);
        if (!result.logits.empty()) {
            out.logits.emplace_back(result.logits.begin(), result.logits.end());
        }
    }
    return out;
}

// Rows that were left out; the others must be those of the full head, bit for bit.
size_t left_out(const Answer& screened, const Answer& full) {
    size_t out = 0;
    EXPECT_EQ(screened.logits.size(), full.logits.size());
    for (size_t row = 0; row < full.logits.size(); ++row) {
        const auto& a = screened.logits[row];
        const auto& b = full.logits[row];
        for (size_t i = 0; i < b.size(); ++i) {
            if (a[i] == -INFINITY) {
                ++out;
            } else if (std::memcmp(&a[i], &b[i], sizeof(float)) != 0) {
                ADD_FAILURE() << "row " << row << " token " << i << ": " << a[i] << ", " << b[i];
                return out;
            }
        }
    }
    return out;
}

struct HeadCase {
    const char* name;
    tensor::DType type;
    bool duplicate_rows;
};

TEST(ScreenedHead, GivesTheSameTokensFromFewerRows) {
    for (const HeadCase& head :
         {HeadCase{"q8", tensor::DType::q8_0, false}, HeadCase{"f16", tensor::DType::f16, false},
          HeadCase{"ties", tensor::DType::q8_0, true}}) {
        SCOPED_TRACE(head.name);
        models::SynthSpec spec;
        spec.n_layers = 2;
        spec.n_vocab = 1031;  // no whole tiles
        spec.embedding_type = head.type;
        spec.plants.duplicate_rows = head.duplicate_rows;
        const std::string path = write(head.name, spec);
        for (const int threads : {1, 2}) {
            LoadOptions with = options(threads);
            with.screen_head = true;
            auto screened = open(path, with);
            auto full = open(path, options(threads));
            size_t rows_left_out = 0;
            for (uint32_t seed = 0; seed < 4; ++seed) {
                SamplingOptions min_p;
                min_p.temperature = 0.7f;
                min_p.min_p = 0.2f;
                for (const SamplingOptions& sampling : {SamplingOptions(), min_p}) {
                    const Answer a = answer(*screened, request(seed, sampling));
                    const Answer b = answer(*full, request(seed, sampling));
                    EXPECT_EQ(a.tokens, b.tokens);
                    rows_left_out += left_out(a, b);
                }
            }
            EXPECT_GT(rows_left_out, 8u * 24u * 1031u / 4u) << "screened out too little to pay";
        }
        std::filesystem::remove(path);
    }
}

TEST(ScreenedHead, EveryLogitIsThereWhereItCounts) {
    models::SynthSpec spec;
    spec.n_layers = 2;
    const std::string path = write("whole", spec);
    LoadOptions with = options(2);
    with.screen_head = true;
    with.limits.sequences_max = 2;
    auto screened = open(path, with);
    LoadOptions plain = options(2);
    plain.limits.sequences_max = 2;
    auto full = open(path, plain);
    SamplingOptions nucleus;
    nucleus.temperature = 1;
    nucleus.top_p = 0.9f;
    nucleus.min_p = 0.1f;
    SamplingOptions penalty;
    penalty.repetition_penalty = 1.2f;
    SamplingOptions bias;
    bias.logit_bias = {{5, 30.0f}};
    SequenceRequest watched = request(1);
    watched.only_samples = false;
    for (const SequenceRequest& whole :
         {request(1, nucleus), request(1, penalty), request(1, bias), watched}) {
        const Answer a = answer(*screened, whole);
        const Answer b = answer(*full, whole);
        EXPECT_EQ(a.tokens, b.tokens);
        EXPECT_EQ(left_out(a, b), 0u);
    }
    // Two sequences in a step.
    for (Session* session : {screened.get(), full.get()}) {
        ASSERT_TRUE(session->engine().add(request(2)));
    }
    const Answer a = answer(*screened, request(3));
    const Answer b = answer(*full, request(3));
    EXPECT_EQ(a.tokens, b.tokens);
    EXPECT_EQ(left_out(a, b), 0u);
    std::filesystem::remove(path);
}

TEST(ScreenedHead, StepsThatScreenOutTooLittleAreNotScreenedForAWhile) {
    graph::ScreenMeter meter;
    EXPECT_TRUE(meter.wants_screen());
    meter.add(29, 100);
    EXPECT_TRUE(meter.wants_screen());
    meter.add(31, 100);
    for (uint32_t step = 0; step < graph::ScreenMeter::kPauseSteps; ++step) {
        EXPECT_FALSE(meter.wants_screen());
    }
    EXPECT_TRUE(meter.wants_screen());

    // Every logit within 60 of the largest is all of them.
    models::SynthSpec spec;
    spec.n_layers = 2;
    const std::string path = write("unsure", spec);
    LoadOptions with = options(1);
    with.screen_head = true;
    SamplingOptions sampling;
    sampling.temperature = 1;
    sampling.min_p = 1e-26f;
    const Answer a = answer(*open(path, with), request(1, sampling));
    const Answer b = answer(*open(path, options(1)), request(1, sampling));
    EXPECT_EQ(a.tokens, b.tokens);
    EXPECT_EQ(left_out(a, b), 0u);
    std::filesystem::remove(path);
}

TEST(ScreenedHead, AHeadThatWouldGainNothingIsRefused) {
    models::SynthSpec spec;
    spec.n_layers = 1;
    spec.embedding_type = tensor::DType::q4_0;
    const std::string path = write("small_head", spec);
    LoadOptions with = options(1);
    with.screen_head = true;
    const base::SteadyClock clock;
    const auto session = open_session(path, with, clock);
    ASSERT_FALSE(session);
    EXPECT_EQ(session.error().code, ErrorCode::unsupported);
    EXPECT_NE(session.error().message.find("saves too little"), std::string::npos);
    std::filesystem::remove(path);
}

TEST(SamplingMargin, IsWhatASamplerCanChooseFrom) {
    SamplingOptions sampling;
    EXPECT_EQ(sampling.logits_margin(), 0.0f);
    sampling.temperature = 0.5f;
    EXPECT_FALSE(sampling.logits_margin()) << "any token";
    sampling.top_k = 40;
    EXPECT_FALSE(sampling.logits_margin()) << "how far the 40th is below the first is not known";
    sampling.min_p = 0.05f;
    EXPECT_NEAR(sampling.logits_margin().value_or(0), 2.9957f, 1e-4);
    sampling.top_p = 0.9f;
    EXPECT_FALSE(sampling.logits_margin());
}

TEST(WithoutLayers, ALayerThatDoesNothingIsNotMissed) {
    models::SynthSpec spec;
    spec.n_layers = 4;
    spec.plants.zero_layer = true;
    spec.sliding_window = 16;
    spec.sliding_window_pattern = 2;
    const std::string path = write("idle_layer", spec);
    auto whole = open(path, options(2));
    LoadOptions fewer = options(2);
    fewer.without_layers = {3};
    auto without = open(path, fewer);
    EXPECT_EQ(without->config().layers_in_use(), (std::vector<int>{0, 1, 2}));
    EXPECT_LT(without->plan().nodes.size(), whole->plan().nodes.size());
    EXPECT_LT(without->executor().memory().weights_bytes, whole->executor().memory().weights_bytes);
    EXPECT_EQ(without->engine().kv_facts().bytes_per_token * 4,
              whole->engine().kv_facts().bytes_per_token * 3);
    const Answer a = answer(*without, request(1));
    const Answer b = answer(*whole, request(1));
    EXPECT_EQ(a.tokens, b.tokens);
    EXPECT_EQ(left_out(a, b), 0u);
    // One that does something is missed.
    fewer.without_layers = {1};
    const Answer c = answer(*open(path, fewer), request(1));
    EXPECT_NE(c.logits.front(), b.logits.front());
    // A group of layers may go altogether.
    fewer.without_layers = {3, 1, 3};
    EXPECT_EQ(open(path, fewer)->engine().kv_facts().groups.size(), 1u);
    std::filesystem::remove(path);
}

TEST(WithoutLayers, WhatIsNotThereIsAnError) {
    models::SynthSpec spec;
    spec.n_layers = 2;
    const std::string path = write("two_layers", spec);
    const base::SteadyClock clock;
    for (const std::vector<uint32_t>& layers :
         {std::vector<uint32_t>{2}, {0, 1}, {4'000'000'000u}}) {
        LoadOptions wrong = options(1);
        wrong.without_layers = layers;
        const auto session = open_session(path, wrong, clock);
        ASSERT_FALSE(session);
        EXPECT_EQ(session.error().code, ErrorCode::invalid_argument);
    }
    std::filesystem::remove(path);
}

}  // namespace
}  // namespace hone::runtime
