#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "ledger/learning.h"
#include "ledger/ledger.h"
#include "probe/probe_fixture.h"
#include "tune/optimizer.h"

namespace hone::tune {
namespace {

using base::ErrorCode;
using ledger::RunStatus;
using ledger::Trial;
using ledger::TrialStatus;
using ::testing::HasSubstr;

// Real time, told eight times as fast: budgets end sooner, and what is compared stays comparable.
class HastyClock final : public base::Clock {
  public:
    int64_t now_ns() const override { return 8 * steady_.now_ns(); }

  private:
    base::SteadyClock steady_;
};

// A second passes with every look at it.
class RunawayClock final : public base::Clock {
  public:
    int64_t now_ns() const override { return seconds_++ * 1'000'000'000; }

  private:
    mutable std::atomic<int64_t> seconds_{0};
};

class LoopTest : public probe::TinyModelTest {
  protected:
    void SetUp() override {
        path_ = directory_ + "/ledger.db";
        options_.model = directory_ + "/tiny.gguf";
        options_.work.scenario = *diagnose::find_scenario("realtime");
        options_.gate = *parse_gate("ppl:+1%");
        options_.start.threads = 1;
        options_.budget_s = 10;
    }
    void TearDown() override {
        for (const char* beside : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + beside);
    }

    base::Result<ledger::Run> run(std::optional<ledger::Run> left = {}) {
        return run(HastyClock(), std::move(left));
    }
    base::Result<ledger::Run> run(const base::Clock& clock, std::optional<ledger::Run> left) {
        HONE_TRY(auto ledger, ledger::Ledger::open(path_, ledger::Access::read_write));
        const OptimizeSetting setting{
            clock, machine_, ledger, 1, "test", "hone test", directory_ + "/weights", told_};
        probe::Conduct conduct;
        conduct.cancel = &cancel_;
        return optimize(options_, setting, std::move(left), conduct);
    }
    ledger::Ledger ledger() {
        return std::move(*ledger::Ledger::open(path_, ledger::Access::read_write));
    }
    static const Trial* find(const ledger::Run& run, const std::string& action) {
        for (const Trial& trial : run.trials) {
            if (trial.action == action) return &trial;
        }
        return nullptr;
    }

    std::string path_;
    OptimizeOptions options_;
    std::function<void(const Trial&)> told_;
    std::atomic<bool> cancel_{false};
};

TEST_F(LoopTest, EveryActionHasAnOutcomeAndAReason) {
    options_.kinds_to_try = {"pin", "kv"};
    // A busy machine must have time for both, too.
    options_.budget_s = 30;
    const auto result = run();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_GE(result->trials.size(), 4u);
    for (const Trial& trial : result->trials) {
        EXPECT_NE(trial.status, TrialStatus::promised) << trial.action;
        EXPECT_FALSE(trial.reason.empty()) << trial.action;
        EXPECT_FALSE(trial.apply.empty());
        EXPECT_EQ(trial.apply.size(), trial.undo.size());
        if (trial.status == TrialStatus::refused) continue;
        EXPECT_TRUE(trial.quality.has_value()) << trial.action;
    }
    // Pinning changes no bit.
    const Trial* pin = find(*result, "pin:on");
    ASSERT_NE(pin, nullptr);
    ASSERT_TRUE(pin->quality) << pin->reason.id;
    EXPECT_EQ(pin->quality->kl_max, 0);
    EXPECT_FALSE(pin->promise);
    ASSERT_FALSE(result->ending.empty());
    EXPECT_EQ(result->grade.size(), 1u);
    // What the ledger has is what was returned.
    const auto stored = ledger().run(result->id);
    ASSERT_TRUE(stored);
    EXPECT_EQ(stored->status, result->status);
    EXPECT_EQ(stored->best, result->best);
    EXPECT_EQ(stored->trials.size(), result->trials.size());
}

TEST_F(LoopTest, PromisesAreCorrectedByResultsThatWereThere) {
    options_.kinds_to_try = {"step_tokens", "kv", "threads"};
    options_.start.step_tokens = 8;
    const auto result = run();
    ASSERT_TRUE(result) << result.error().message;
    const auto first = ledger().first_promises();
    ASSERT_TRUE(first && !first->empty());
    const auto again = ledger::learned(*first);
    for (size_t i = 0; i < first->size(); ++i) {
        const ledger::TestedPromise& made = (*first)[i];
        // What the loop said is what its ledger says that it should have.
        EXPECT_EQ(made.learned_from, i) << made.action;
        EXPECT_EQ(again[i].learned_from, i);
        EXPECT_NEAR(made.promise.change_percent, again[i].promise.change_percent, 1e-9);
        EXPECT_NEAR(made.promise.ci95->low, again[i].promise.ci95->low, 1e-9);
    }
    options_.learning = false;
    const auto without = run();
    ASSERT_TRUE(without) << without.error().message;
    for (const Trial& trial : without->trials) {
        EXPECT_EQ(trial.learned_from, 0u);
        if (trial.promise) {
            EXPECT_EQ(trial.promise->change_percent, trial.raw->change_percent);
        }
    }
}

TEST_F(LoopTest, AGateThatIsBrokenUndoesTheChange) {
    options_.kinds_to_try = {"kv"};
    options_.gate = *parse_gate("kl:0");
    const auto result = run();
    ASSERT_TRUE(result) << result.error().message;
    const Trial* kv = find(*result, "kv:q8");
    ASSERT_NE(kv, nullptr);
    EXPECT_EQ(kv->status, TrialStatus::rolled_back);
    EXPECT_EQ(kv->reason.id, "gate_broken");
    EXPECT_GT(kv->quality->kl_mean, 0);
    EXPECT_TRUE(kv->measured.empty());
    EXPECT_EQ(value_of(*changed({}, result->best), "kv"), "f16");
}

TEST_F(LoopTest, ARunThatIsStoppedGoesOn) {
    options_.kinds_to_try = {"pin", "kv"};
    // Stopped while the first action is tested: its promise is in the ledger, its result is not.
    told_ = [&](const Trial&) { cancel_ = true; };
    const auto stopped = run();
    ASSERT_TRUE(stopped) << stopped.error().message;
    EXPECT_EQ(stopped->status, RunStatus::cancelled);
    ASSERT_EQ(stopped->trials.size(), 1u);
    EXPECT_EQ(stopped->trials[0].status, TrialStatus::promised);
    const int64_t promised = stopped->trials[0].id;
    cancel_ = false;
    told_ = nullptr;
    auto left = ledger().resumable(stopped->subject);
    ASSERT_TRUE(left && *left);
    const auto resumed = run(**left);
    ASSERT_TRUE(resumed) << resumed.error().message;
    EXPECT_EQ(resumed->id, stopped->id);
    EXPECT_NE(resumed->status, RunStatus::cancelled);
    // The same promise, now tested.
    EXPECT_EQ(resumed->trials[0].id, promised);
    EXPECT_NE(resumed->trials[0].status, TrialStatus::promised);
    EXPECT_GT(resumed->spent_s, stopped->spent_s);
    if (resumed->status != RunStatus::budget) {
        EXPECT_FALSE(*ledger().resumable(stopped->subject));
    }
}

TEST_F(LoopTest, ARecipeIsTriedInItsOrder) {
    options_.recipe = {"step_tokens:64", "threads:2"};
    options_.start.step_tokens = 16;
    std::vector<std::string> order;
    told_ = [&](const Trial& trial) {
        if (trial.status == TrialStatus::promised) order.push_back(trial.action);
    };
    const auto result = run();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_EQ(order, options_.recipe);
    EXPECT_EQ(result->trials.size(), 2u);
}

TEST_F(LoopTest, WhatCannotBeDoneHereIsSaidAndTheRestGoesOn) {
    options_.recipe = {"variant:linear=no_such_kernel", "pin:on"};
    const auto result = run();
    ASSERT_TRUE(result) << result.error().message;
    ASSERT_EQ(result->trials.size(), 2u);
    EXPECT_EQ(result->trials[0].status, TrialStatus::refused);
    EXPECT_EQ(result->trials[0].reason.id, "refused_impossible");
    EXPECT_NE(result->trials[1].status, TrialStatus::promised);
}

// A head in 8 bits can be screened, and changes no bit; in 4 bits there is nothing to save.
TEST_F(LoopTest, AHeadIsScreenedOnlyWhereThatSaves) {
    options_.recipe = {"head:screened"};
    const auto result = run();
    ASSERT_TRUE(result) << result.error().message;
    const Trial* trial = find(*result, "head:screened");
    ASSERT_NE(trial, nullptr);
    EXPECT_NE(trial->status, TrialStatus::refused) << trial->reason.id;
    ASSERT_TRUE(trial->quality.has_value());
    EXPECT_EQ(trial->quality->kl_max, 0);
    EXPECT_EQ(trial->undo, (ledger::Changes{{"head", "full"}}));

    models::SynthSpec spec;
    spec.n_layers = 2;
    spec.n_embd = 64;
    spec.n_ff = 128;
    spec.n_ctx = 256;
    spec.type = tensor::DType::q4_0;
    options_.model = directory_ + "/small_head.gguf";
    ASSERT_TRUE(models::write_synth(spec, options_.model));
    const auto refused = run();
    ASSERT_TRUE(refused) << refused.error().message;
    trial = find(*refused, "head:screened");
    ASSERT_NE(trial, nullptr);
    EXPECT_EQ(trial->status, TrialStatus::refused);
    EXPECT_EQ(trial->reason.id, "refused_impossible");
}

TEST_F(LoopTest, LayersGoOnlyByTheGate) {
    const auto try_layers = [&](const char* action, const char* gate) {
        options_.recipe = {action};
        options_.gate = *parse_gate(gate);
        auto result = run();
        EXPECT_TRUE(result) << result.error().message;
        const Trial* trial = find(*result, action);
        EXPECT_NE(trial, nullptr);
        return trial != nullptr ? *trial : Trial();
    };
    // Weights at random predict nothing, so a perplexity cannot say what a layer was worth.
    Trial trial = try_layers("without_layers:1", "ppl:+1%");
    EXPECT_EQ(trial.status, TrialStatus::rolled_back);
    EXPECT_EQ(trial.reason.id, "gate_meaningless");
    trial = try_layers("without_layers:1", "kl:<0.0001");
    EXPECT_EQ(trial.status, TrialStatus::rolled_back);
    EXPECT_EQ(trial.reason.id, "gate_broken");
    trial = try_layers("without_layers:7", "ppl:+1%");
    EXPECT_EQ(trial.status, TrialStatus::refused) << "there is no layer 7";

    models::SynthSpec spec;
    spec.n_layers = 3;
    spec.n_embd = 64;
    spec.n_ff = 128;
    spec.n_ctx = 256;
    spec.plants.zero_layer = true;
    options_.model = directory_ + "/idle.gguf";
    ASSERT_TRUE(models::write_synth(spec, options_.model));
    trial = try_layers("without_layers:2", "ppl:+1%");
    ASSERT_TRUE(trial.quality.has_value());
    EXPECT_EQ(trial.quality->kl_max, 0) << "it does nothing";
    EXPECT_FALSE(trial.measured.empty()) << "so its time decides";
}

TEST_F(LoopTest, NoTimeForTheWeightsOfTheStartIsNoWishOfTheUser) {
    std::filesystem::remove_all(directory_ + "/weights");  // what other tests left
    options_.start.weights = "Q5_0";
    const auto late = run(RunawayClock(), {});
    ASSERT_FALSE(late);
    EXPECT_EQ(late.error().code, ErrorCode::deadline);
    EXPECT_THAT(late.error().message, HasSubstr("budget of 10 s"));
    EXPECT_TRUE(ledger().runs(10)->empty());
    cancel_ = true;
    const auto stopped = run(RunawayClock(), {});
    ASSERT_FALSE(stopped);
    EXPECT_EQ(stopped.error().code, ErrorCode::cancelled);
}

TEST_F(LoopTest, AnSloThatIsMissedIsSaid) {
    options_.slo = "latency_p50<0.001us";
    const auto result = run();
    ASSERT_TRUE(result) << result.error().message;
    EXPECT_TRUE(slo_missed(*result));
    options_.slo = "latency_p50<1000s";
    const auto met = run();
    ASSERT_TRUE(met);
    EXPECT_FALSE(slo_missed(*met));
}

TEST_F(LoopTest, BadRequestsLeaveNothingBehind) {
    const auto error = [&](OptimizeOptions changed_options) {
        options_ = std::move(changed_options);
        const auto result = run();
        EXPECT_FALSE(result);
        EXPECT_TRUE(ledger().runs(10)->empty());
        return result ? base::Error{} : result.error();
    };
    const OptimizeOptions good = options_;
    OptimizeOptions bad = good;
    bad.budget_s = 1;
    EXPECT_THAT(error(bad).message, HasSubstr("too short"));
    bad = good;
    bad.work.text = "Far too short to be read in halves.";
    bad.work.text_name = "short.txt";
    EXPECT_THAT(error(bad).message, HasSubstr("short.txt"));
    bad = good;
    bad.start.context = 16;
    EXPECT_EQ(error(bad).code, ErrorCode::invalid_argument);
    bad = good;
    bad.start.without = {"no_such_pass"};
    EXPECT_EQ(error(bad).code, ErrorCode::invalid_argument);
    bad = good;
    bad.model = directory_ + "/none.gguf";
    EXPECT_EQ(error(bad).code, ErrorCode::not_found);
    bad = good;
    bad.work.scenario = *diagnose::find_scenario("generative");
    EXPECT_EQ(error(bad).code, ErrorCode::unsupported);  // 264 positions; the model has 256
    EXPECT_EQ(*ledger().resumable({}), std::nullopt);
}

}  // namespace
}  // namespace hone::tune
