#include "ledger/ledger.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/random.h"
#include "base/text.h"
#include "ledger/journal_text.h"
#include "ledger/learning.h"
#include "ledger/loop_lock.h"

namespace hone::ledger {
namespace {

using base::ErrorCode;
using diagnose::note;
using ::testing::HasSubstr;

class LedgerTest : public ::testing::Test {
  protected:
    using Run = ledger::Run;  // not that of the test framework

    void SetUp() override {
        std::string name = ::testing::TempDir() + "hone_ledger_XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
        path_ = directory_ + "/state/ledger.db";
    }
    void TearDown() override { std::filesystem::remove_all(directory_); }

    Ledger opened(Journal journal = Journal::wal) {
        auto ledger = Ledger::open(path_, Access::read_write, journal);
        EXPECT_TRUE(ledger) << ledger.error().message;
        return std::move(*ledger);
    }

    static Run some_run(const std::string& model = "m1") {
        Run run;
        run.started_utc_s = 1'700'000'000;
        run.subject = {model + ".gguf", model, "CPU", "machine", "realtime", "latency_ms", "b"};
        run.request = "{}";
        run.start = {{"threads", "1"}, {"kv", "f16"}};
        run.best = run.start;
        return run;
    }

    static Trial some_trial(const std::string& action, double promised) {
        Trial trial;
        trial.action = action;
        trial.title = note("card_threads").with("threads", 2).with("now", 1);
        trial.apply = {{"threads", "2"}};
        trial.undo = {{"threads", "1"}};
        trial.risk = "exact";
        trial.minutes = 1;
        trial.evidence = {note("barrier_share").with("share", 0.25).with("what", "a \"b\"")};
        trial.promise_metric = "latency_ms";
        trial.promise =
            measure::PredictedChange{promised, measure::Interval{promised - 2, promised + 2}, "x"};
        return trial;
    }

    static measure::MetricComparison some_result(double change) {
        measure::MetricComparison metric;
        metric.name = "latency_ms";
        metric.unit = "ms";
        metric.better = measure::Better::lower;
        metric.a = 10;
        metric.b = 10 * (1 + change / 100);
        metric.change_percent = change;
        metric.ci95 = measure::Interval{change - 1, change + 1};
        metric.n = 12;
        metric.verdict = change < 0 ? measure::Verdict::improved : measure::Verdict::regressed;
        return metric;
    }

    std::string directory_;
    std::string path_;
};

TEST_F(LedgerTest, EverythingComesBack) {
    Run run = some_run();
    {
        Ledger ledger = opened();
        ASSERT_TRUE(ledger.begin(run));
        Trial trial = some_trial("threads:2", -30);
        ASSERT_TRUE(ledger.promise(run.id, trial));
        trial.status = TrialStatus::kept;
        trial.reason = note("kept").with("change_percent", -31.5);
        trial.measured = {some_result(-31.5)};
        trial.quality = measure::QualityComparison();
        trial.quality->n = 64;
        trial.quality->kl_mean = 0.001;
        trial.quality->nll_change_ci95 = measure::Interval{-0.01, 0.02};
        run.best = {{"threads", "2"}, {"kv", "f16"}};
        run.spent_s = 4.5;
        ASSERT_TRUE(ledger.settle(trial, run));
        Trial refused = some_trial("kv:q8", 3);
        refused.promise.reset();
        refused.status = TrialStatus::refused;
        ASSERT_TRUE(ledger.promise(run.id, refused));
        run.status = RunStatus::improved;
        run.grade = "B";
        run.ending = {note("ending").with("n", 2)};
        run.after = {some_result(-29)};
        run.after_ended = "decided";
        ASSERT_TRUE(ledger.update(run));
    }
    auto ledger = Ledger::open(path_, Access::read_only);
    ASSERT_TRUE(ledger) << ledger.error().message;
    const auto back = ledger->run(run.id);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->subject.model_key, "m1");
    EXPECT_EQ(back->best, run.best);
    EXPECT_EQ(back->start, run.start);
    EXPECT_EQ(back->status, RunStatus::improved);
    EXPECT_EQ(back->grade, "B");
    ASSERT_EQ(back->ending.size(), 1u);
    EXPECT_EQ(back->ending[0].id, "ending");
    ASSERT_EQ(back->after.size(), 1u);
    EXPECT_EQ(*back->after[0].change_percent, -29);
    ASSERT_EQ(back->trials.size(), 2u);
    const Trial& trial = back->trials[0];
    EXPECT_EQ(trial.status, TrialStatus::kept);
    EXPECT_EQ(trial.title.parameters.size(), 2u);
    EXPECT_EQ(trial.evidence.at(0).parameters.at(1).second, cost::NoteValue("a \"b\""));
    EXPECT_EQ(trial.promise->ci95->low, -32);
    EXPECT_EQ(*trial.result()->change_percent, -31.5);
    EXPECT_EQ(trial.result()->verdict, measure::Verdict::improved);
    EXPECT_EQ(trial.quality->n, 64u);
    EXPECT_EQ(trial.quality->nll_change_ci95->high, 0.02);
    EXPECT_EQ(back->trials[1].status, TrialStatus::refused);
    EXPECT_FALSE(back->trials[1].promise);
}

TEST_F(LedgerTest, OnlyTheFirstTestedPromiseCounts) {
    Ledger ledger = opened();
    const auto test = [&](const char* model, const char* action, double promised, double result,
                          bool tested) {
        Run run = some_run(model);
        ASSERT_TRUE(ledger.begin(run));
        Trial trial = some_trial(action, promised);
        ASSERT_TRUE(ledger.promise(run.id, trial));
        if (!tested) return;
        trial.status = TrialStatus::rolled_back;
        trial.measured = {some_result(result)};
        ASSERT_TRUE(ledger.settle(trial, run));
    };
    test("m1", "threads:2", -50, 0, false);   // never tested: proves nothing
    test("m1", "threads:2", -30, -27, true);  // counts
    test("m1", "threads:2", -27, -27, true);  // knows the answer
    test("m2", "threads:2", -10, 5, true);    // another model: counts
    test("m1", "kv:q8", 1, -4, true);
    const auto first = ledger.first_promises();
    ASSERT_TRUE(first) << first.error().message;
    ASSERT_EQ(first->size(), 3u);
    EXPECT_EQ((*first)[0].promise.change_percent, -30);
    const Accuracy all = accuracy_of(*first, &TestedPromise::promise);
    EXPECT_EQ(all.n, 3u);
    EXPECT_EQ(*all.median_error_points, 5);  // 3, 15, 5
    EXPECT_EQ(all.with_interval, 3u);
    EXPECT_EQ(all.covered, 0u);
    EXPECT_EQ(all.with_sign, 3u);
    EXPECT_EQ(all.sign_right, 1u);
    // Widths of 4, and 40 times the distances 1, 13 and 3 outside.
    EXPECT_NEAR(*all.interval_score, 4 + 40 * 17 / 3.0, 1e-6);
    const auto kinds = accuracy_by_kind(*first);
    ASSERT_EQ(kinds.size(), 3u);
    EXPECT_EQ(kinds[1].kind, "threads");
    EXPECT_EQ(kinds[1].before.n, 2u);
}

TEST_F(LedgerTest, APromiseIsTestedByTheQuantityItIsOf) {
    Ledger ledger = opened();
    Run run = some_run();
    ASSERT_TRUE(ledger.begin(run));
    const auto test = [&](const char* action, const char* metric) {
        Trial trial = some_trial(action, -10);
        trial.promise_metric = metric;
        ASSERT_TRUE(ledger.promise(run.id, trial));
        trial.measured = {some_result(-3), some_result(-7)};
        trial.measured[1].name = "itl_ms";
        ASSERT_TRUE(ledger.settle(trial, run));
    };
    test("threads:2", "latency_ms_p95");
    test("context:64", "kv_bytes");  // was not measured
    test("kv:q8", "itl_ms_p99.9");
    test("pin:on", "latency");
    const auto first = ledger.first_promises();
    ASSERT_TRUE(first) << first.error().message;
    ASSERT_EQ(first->size(), 2u);
    EXPECT_EQ((*first)[0].action, "threads:2");
    EXPECT_EQ((*first)[0].change_percent, -3);
    EXPECT_EQ((*first)[1].action, "kv:q8");
    EXPECT_EQ((*first)[1].change_percent, -7);
}

TEST_F(LedgerTest, WhatWasLearnedIsKeptBesideWhatWasNot) {
    Ledger ledger = opened();
    Run run = some_run();
    ASSERT_TRUE(ledger.begin(run));
    Trial early = some_trial("kv:q8", 1);  // promised first, tested last
    ASSERT_TRUE(ledger.promise(run.id, early));
    Trial trial = some_trial("threads:2", -30);
    trial.raw = measure::PredictedChange{-40, measure::Interval{-45, -35}, "x"};
    trial.learned_from = 7;
    ASSERT_TRUE(ledger.promise(run.id, trial));
    for (Trial* tested : {&trial, &early}) {
        tested->measured = {some_result(-3)};
        ASSERT_TRUE(ledger.settle(*tested, run));
    }
    const auto back = ledger.run(run.id);
    ASSERT_TRUE(back) << back.error().message;
    EXPECT_EQ(back->trials[0].raw->change_percent, 1);
    EXPECT_EQ(back->trials[0].learned_from, 0u);
    EXPECT_EQ(back->trials[1].promise->change_percent, -30);
    EXPECT_EQ(back->trials[1].raw->change_percent, -40);
    EXPECT_EQ(back->trials[1].raw->ci95->high, -35);
    EXPECT_EQ(back->trials[1].learned_from, 7u);
    const auto first = ledger.first_promises();
    ASSERT_TRUE(first && first->size() == 2);
    EXPECT_EQ((*first)[0].action, "threads:2");  // the first result
    EXPECT_EQ((*first)[0].settled, 1);
    EXPECT_EQ((*first)[0].raw.change_percent, -40);
    EXPECT_EQ((*first)[1].settled, 2);
    EXPECT_EQ((*first)[1].made, 0);  // so it learns nothing from the other
    EXPECT_EQ(learned(*first)[1].learned_from, 0u);
}

// As the first version made it.
constexpr const char* kSchema1 = R"sql(
CREATE TABLE runs (
    id INTEGER PRIMARY KEY, started_utc_s INTEGER NOT NULL,
    model TEXT NOT NULL, model_key TEXT NOT NULL, machine TEXT NOT NULL, machine_key TEXT NOT NULL,
    scenario TEXT NOT NULL, metric TEXT NOT NULL, build TEXT NOT NULL,
    request TEXT NOT NULL, start TEXT NOT NULL, best TEXT NOT NULL,
    status TEXT NOT NULL, spent_s REAL NOT NULL, grade TEXT NOT NULL, ending TEXT NOT NULL,
    after_quality TEXT NOT NULL, after_ended TEXT NOT NULL, after_wall_s REAL NOT NULL);
CREATE TABLE actions (
    id INTEGER PRIMARY KEY, run INTEGER NOT NULL REFERENCES runs (id),
    action TEXT NOT NULL, title TEXT NOT NULL, apply TEXT NOT NULL, undo TEXT NOT NULL,
    risk TEXT NOT NULL, minutes INTEGER NOT NULL, status TEXT NOT NULL, reason TEXT NOT NULL,
    evidence TEXT NOT NULL, quality TEXT NOT NULL, UNIQUE (run, action));
CREATE TABLE promises (
    action INTEGER PRIMARY KEY REFERENCES actions (id),
    metric TEXT NOT NULL, change_percent REAL NOT NULL, low REAL, high REAL, basis TEXT NOT NULL);
CREATE TABLE results (
    action INTEGER NOT NULL REFERENCES actions (id), position INTEGER NOT NULL,
    metric TEXT NOT NULL, unit TEXT NOT NULL, better TEXT NOT NULL,
    a REAL, b REAL, change_percent REAL, low REAL, high REAL, n INTEGER NOT NULL,
    verdict TEXT NOT NULL, PRIMARY KEY (action, position));
CREATE TABLE finals (
    run INTEGER NOT NULL REFERENCES runs (id), position INTEGER NOT NULL,
    metric TEXT NOT NULL, unit TEXT NOT NULL, better TEXT NOT NULL,
    a REAL, b REAL, change_percent REAL, low REAL, high REAL, n INTEGER NOT NULL,
    verdict TEXT NOT NULL, PRIMARY KEY (run, position));
INSERT INTO runs VALUES (1, 1, 'm1.gguf', 'm1', 'CPU', 'machine', 'realtime', 'latency_ms', 'b',
    '{}', '{}', '{}', 'running', 1, 'B', '[]', '', '', 0);
INSERT INTO actions VALUES (1, 1, 'threads:2', '[]', '{}', '{}', 'exact', 1, 'kept', '[]', '[]',
    '');
INSERT INTO actions VALUES (2, 1, 'kv:q8', '[]', '{}', '{}', 'exact', 1, 'kept', '[]', '[]',
    '');
INSERT INTO promises VALUES (1, 'latency_ms_p95', -30, -33, -27, 'x');
INSERT INTO promises VALUES (2, 'latency_ms_p95', 2, 1, 3, 'x');
INSERT INTO results VALUES (1, 0, 'latency_ms', 'ms', 'lower', 10, 8, -20, -21, -19, 9, 'improved');
INSERT INTO results VALUES (2, 0, 'latency_ms', 'ms', 'lower', 10, 9, -10, -11, -9, 9, 'improved');
PRAGMA application_id = 1213156933; PRAGMA user_version = 1;
)sql";

TEST_F(LedgerTest, AnOldFileIsReadAsItIsAndBroughtUpToDateByTheFirstWriter) {
    std::filesystem::create_directories(directory_ + "/state");
    ASSERT_TRUE(Database::open(path_, Access::read_write, Journal::rollback)->execute(kSchema1));
    const auto expect_same = [&](Access access) {
        auto ledger = Ledger::open(path_, access, Journal::rollback);
        ASSERT_TRUE(ledger) << ledger.error().message;
        const auto first = ledger->first_promises();
        ASSERT_TRUE(first) << first.error().message;
        ASSERT_EQ(first->size(), 2u);
        for (const TestedPromise& tested : *first) {
            EXPECT_EQ(tested.raw.change_percent, tested.promise.change_percent);
            EXPECT_EQ(tested.raw.ci95->low, tested.promise.ci95->low);
            EXPECT_EQ(tested.learned_from, 0u);
        }
        EXPECT_EQ((*first)[1].change_percent, -10);
        EXPECT_EQ((*first)[1].made, 1);
        EXPECT_EQ(learned(*first)[1].learned_from, 1u);
        const auto run = ledger->run(1);
        ASSERT_TRUE(run) << run.error().message;
        EXPECT_EQ(run->trials.at(0).raw->change_percent, -30);
    };
    const auto version = [&] {
        auto file = Database::open(path_, Access::read_only, Journal::rollback);
        return *file->integer("PRAGMA user_version");
    };
    expect_same(Access::read_only);
    EXPECT_EQ(version(), 1);
    expect_same(Access::read_write);
    EXPECT_EQ(version(), kLedgerSchema);
    expect_same(Access::read_only);
    Ledger ledger = opened(Journal::rollback);
    Run run = *ledger.run(1);
    Trial trial = some_trial("pin:on", -1);
    ASSERT_TRUE(ledger.promise(run.id, trial));
    trial.measured = {some_result(-1)};
    ASSERT_TRUE(ledger.settle(trial, run));
    const auto first = ledger.first_promises();
    ASSERT_TRUE(first && first->size() == 3);
    EXPECT_EQ((*first)[2].made, 2);
    EXPECT_EQ((*first)[2].settled, 3);
}

TEST_F(LedgerTest, AnOldFileThatCannotBeBroughtUpToDateStaysAsItIs) {
    std::filesystem::create_directories(directory_ + "/state");
    {
        auto file = Database::open(path_, Access::read_write, Journal::rollback);
        ASSERT_TRUE(file->execute(kSchema1));
        ASSERT_TRUE(file->execute("DROP TABLE results"));
    }
    const std::string before = *base::read_file(path_, 1 << 20);
    const auto ledger = Ledger::open(path_, Access::read_write, Journal::rollback);
    ASSERT_FALSE(ledger);
    EXPECT_EQ(ledger.error().code, ErrorCode::corrupt);
    EXPECT_EQ(*base::read_file(path_, 1 << 20), before);
}

TEST_F(LedgerTest, AnUnfinishedRunCanGoOnUntilAnotherBegins) {
    Ledger ledger = opened();
    Run first = some_run();
    EXPECT_FALSE(*ledger.resumable(first.subject));
    ASSERT_TRUE(ledger.begin(first));
    auto found = ledger.resumable(first.subject);
    ASSERT_TRUE(found && *found);
    EXPECT_EQ((*found)->id, first.id);
    Run other = some_run("m2");
    EXPECT_FALSE(*ledger.resumable(other.subject));
    Run second = some_run();
    ASSERT_TRUE(ledger.begin(second));
    EXPECT_EQ(ledger.run(first.id)->status, RunStatus::abandoned);
    second.status = RunStatus::nothing;
    ASSERT_TRUE(ledger.update(second));
    EXPECT_FALSE(*ledger.resumable(first.subject));
}

TEST_F(LedgerTest, AnActionIsOnceInARun) {
    Ledger ledger = opened();
    Run run = some_run();
    ASSERT_TRUE(ledger.begin(run));
    Trial trial = some_trial("threads:2", -30);
    ASSERT_TRUE(ledger.promise(run.id, trial));
    const auto again = ledger.promise(run.id, trial);
    ASSERT_FALSE(again);
    EXPECT_EQ(again.error().code, ErrorCode::corrupt);
    EXPECT_EQ(ledger.run(run.id)->trials.size(), 1u);  // nothing of the failed one stays
    EXPECT_FALSE(ledger.promise(run.id + 1, trial));   // no such run
    EXPECT_EQ(ledger.run(99).error().code, ErrorCode::not_found);
}

TEST_F(LedgerTest, FilesThatAreNoLedgerAreAnError) {
    const auto code = [&](const std::string& bytes) {
        std::filesystem::create_directories(directory_ + "/state");
        for (const char* beside : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + beside);
        std::ofstream(path_, std::ios::binary) << bytes;
        std::optional<ErrorCode> out;
        for (const Access access : {Access::read_write, Access::read_only}) {
            auto ledger = Ledger::open(path_, access);
            if (ledger) ledger->run(1);
            if (!ledger) out = ledger.error().code;
        }
        return out;
    };
    Run run = some_run();
    {
        Ledger ledger = opened(Journal::rollback);
        ASSERT_TRUE(ledger.begin(run));
        Trial trial = some_trial("threads:2", -30);
        ASSERT_TRUE(ledger.promise(run.id, trial));
    }
    const std::string good = *base::read_file(path_, 1 << 20);
    EXPECT_EQ(code(good), std::nullopt);
    EXPECT_EQ(
        code("this is not a database, and long enough to be seen as none" + std::string(4096, 'x')),
        ErrorCode::corrupt);
    EXPECT_EQ(code(good.substr(0, good.size() / 2)), ErrorCode::corrupt);
    std::string newer = good;
    newer[63] = kLedgerSchema +
                1;  // user_version, big endian, at offset 60 (sqlite.org/fileformat.html, 1.3)
    EXPECT_EQ(code(newer), ErrorCode::unsupported);
    std::string foreign = good;
    foreign[68] = 'X';  // application_id at offset 68
    EXPECT_EQ(code(foreign), ErrorCode::corrupt);
}

// Whatever single bytes say: an error or an answer, never a crash.
TEST_F(LedgerTest, DamagedBytesNeverCrash) {
    Run run = some_run();
    {
        Ledger ledger = opened(Journal::rollback);
        ASSERT_TRUE(ledger.begin(run));
        Trial trial = some_trial("threads:2", -30);
        ASSERT_TRUE(ledger.promise(run.id, trial));
        trial.measured = {some_result(-3)};
        ASSERT_TRUE(ledger.settle(trial, run));
    }
    const std::string good = *base::read_file(path_, 1 << 20);
    base::Random random(7);
    int refused = 0;
    for (int i = 0; i < 200; ++i) {
        std::string bad = good;
        for (int k = 0; k < 8; ++k) {
            bad[random.next_below(bad.size())] = static_cast<char>(random.next_below(256));
        }
        std::ofstream(path_, std::ios::binary | std::ios::trunc) << bad;
        auto ledger = Ledger::open(path_, Access::read_only);
        if (!ledger || !ledger->runs(10) || !ledger->run(1) || !ledger->first_promises()) ++refused;
    }
    EXPECT_GT(refused, 0);
}

TEST_F(LedgerTest, WhatIsNotThereIsSaid) {
    EXPECT_EQ(Ledger::open(path_, Access::read_only).error().code, ErrorCode::not_found);
    std::ofstream(directory_ + "/file") << "x";
    const auto below = Ledger::open(directory_ + "/file/ledger.db", Access::read_write);
    ASSERT_FALSE(below);
    EXPECT_EQ(below.error().code, ErrorCode::unavailable);
}

TEST_F(LedgerTest, OneLoopAtATime) {
    const std::string path = directory_ + "/lock";
    {
        const auto first = LoopLock::acquire(path);
        ASSERT_TRUE(first);
        const auto second = LoopLock::acquire(path);
        ASSERT_FALSE(second);
        EXPECT_EQ(second.error().code, ErrorCode::unavailable);
        EXPECT_THAT(second.error().message, HasSubstr("another optimization"));
    }
    EXPECT_TRUE(LoopLock::acquire(path));
}

// A writer is killed at 20 random moments; each time the file is whole, what was committed is
// there, and the next one goes on with the same run.
TEST_F(LedgerTest, AKilledWriterLosesAtMostWhatItWasWriting) {
    base::Random random(11);
    for (const Journal journal : {Journal::wal, Journal::rollback}) {
        int64_t settled = 0;
        for (int round = 0; round < 10; ++round) {
            int pipe_ends[2];
            ASSERT_EQ(pipe(pipe_ends), 0);
            const pid_t child = fork();
            ASSERT_GE(child, 0);
            if (child == 0) {
                Ledger ledger = opened(journal);
                Run run = some_run();
                const auto left = ledger.resumable(run.subject);
                if (left && *left) {
                    run = **left;
                } else if (!ledger.begin(run)) {
                    _exit(1);
                }
                for (int i = 0;; ++i) {
                    Trial trial = some_trial(fmt::format("a:{}:{}", getpid(), i), -1);
                    if (!ledger.promise(run.id, trial)) _exit(1);
                    trial.status = TrialStatus::kept;
                    trial.measured = {some_result(-1)};
                    if (!ledger.settle(trial, run)) _exit(1);
                    // Says "settled" after the commit.
                    if (write(pipe_ends[1], "s", 1) != 1) _exit(1);
                }
            }
            close(pipe_ends[1]);
            char byte = 0;
            int64_t seen = read(pipe_ends[0], &byte, 1);  // it has begun
            usleep(static_cast<useconds_t>(random.next_below(20'000)));
            kill(child, SIGKILL);
            int status = 0;
            waitpid(child, &status, 0);
            EXPECT_TRUE(WIFSIGNALED(status)) << "the writer ended by itself";
            while (read(pipe_ends[0], &byte, 1) == 1) ++seen;
            close(pipe_ends[0]);
            Ledger ledger = opened(journal);
            const auto run = ledger.resumable(some_run().subject);
            ASSERT_TRUE(run && *run);
            int64_t kept = 0;
            int open = 0;
            for (const Trial& trial : (*run)->trials) {
                const bool is_kept = trial.status == TrialStatus::kept;
                kept += is_kept ? 1 : 0;
                open += is_kept ? 0 : 1;
                EXPECT_EQ(trial.measured.size(), is_kept ? 1u : 0u);
            }
            settled += seen;
            EXPECT_GE(kept, settled);      // nothing that was committed is lost
            EXPECT_LE(kept, settled + 1);  // committed, and killed before saying so
            EXPECT_LE(open, round + 1);    // at most one sample per death
            settled = kept;
        }
        for (const char* beside : {"", "-wal", "-shm"}) std::filesystem::remove(path_ + beside);
    }
}

TEST(JournalText, BrokenTextsAreCorrupt) {
    for (const char* text : {"", "{", "[1]", "{\"threads\": 2}", "null"}) {
        EXPECT_FALSE(parse_changes(text)) << text;
    }
    for (const char* text :
         {"", "{}", "[{}]", "[{\"id\": 3}]", "[{\"id\":\"a\",\"parameters\":1}]"}) {
        EXPECT_FALSE(parse_notes(text)) << text;
    }
    for (const char* text : {"{", "{}",
                             "{\"n\":1,\"kl_mean\":0,\"kl_max\":0,\"same_top\":1,"
                             "\"nll_a\":0,\"nll_b\":0,\"verdict\":\"great\"}"}) {
        EXPECT_FALSE(parse_quality(text)) << text;
    }
    EXPECT_TRUE(parse_quality("")->has_value() == false);
}

}  // namespace
}  // namespace hone::ledger
