#include "ledger/ledger.h"

#include <filesystem>
#include <utility>

#include "ledger/journal_text.h"

namespace hone::ledger {
namespace {

using base::ErrorCode;
using base::fail;
using measure::Interval;
using measure::MetricComparison;

// "HONE", in the header of the file (PRAGMA application_id).
constexpr int64_t kApplicationId = 0x484f4e45;

constexpr const char* kTables = R"sql(
CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    started_utc_s INTEGER NOT NULL,
    model TEXT NOT NULL, model_key TEXT NOT NULL,
    machine TEXT NOT NULL, machine_key TEXT NOT NULL,
    scenario TEXT NOT NULL, metric TEXT NOT NULL, build TEXT NOT NULL,
    request TEXT NOT NULL, start TEXT NOT NULL, best TEXT NOT NULL,
    status TEXT NOT NULL, spent_s REAL NOT NULL, grade TEXT NOT NULL, ending TEXT NOT NULL,
    after_quality TEXT NOT NULL, after_ended TEXT NOT NULL, after_wall_s REAL NOT NULL);
CREATE INDEX runs_by_subject ON runs (model_key, machine_key, scenario);
CREATE TABLE actions (
    id INTEGER PRIMARY KEY,
    run INTEGER NOT NULL REFERENCES runs (id),
    action TEXT NOT NULL, title TEXT NOT NULL,
    apply TEXT NOT NULL, undo TEXT NOT NULL,
    risk TEXT NOT NULL, minutes INTEGER NOT NULL,
    status TEXT NOT NULL, reason TEXT NOT NULL, evidence TEXT NOT NULL, quality TEXT NOT NULL,
    UNIQUE (run, action));
CREATE TABLE promises (
    action INTEGER PRIMARY KEY REFERENCES actions (id),
    metric TEXT NOT NULL, change_percent REAL NOT NULL, low REAL, high REAL, basis TEXT NOT NULL,
    raw_change_percent REAL, raw_low REAL, raw_high REAL,
    learned_from INTEGER NOT NULL DEFAULT 0, made INTEGER NOT NULL DEFAULT 0);
CREATE TABLE results (
    action INTEGER NOT NULL REFERENCES actions (id),
    position INTEGER NOT NULL,
    metric TEXT NOT NULL, unit TEXT NOT NULL, better TEXT NOT NULL,
    a REAL, b REAL, change_percent REAL, low REAL, high REAL, n INTEGER NOT NULL,
    verdict TEXT NOT NULL, settled INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (action, position));
CREATE TABLE finals (
    run INTEGER NOT NULL REFERENCES runs (id),
    position INTEGER NOT NULL,
    metric TEXT NOT NULL, unit TEXT NOT NULL, better TEXT NOT NULL,
    a REAL, b REAL, change_percent REAL, low REAL, high REAL, n INTEGER NOT NULL,
    verdict TEXT NOT NULL,
    PRIMARY KEY (run, position));
)sql";

// Schema 1 knew neither learning nor the order of results, but a loop settled one action before it
// promised the next: their rows are in that order.
constexpr const char* kToSchema2 = R"sql(
ALTER TABLE promises ADD COLUMN raw_change_percent REAL;
ALTER TABLE promises ADD COLUMN raw_low REAL;
ALTER TABLE promises ADD COLUMN raw_high REAL;
ALTER TABLE promises ADD COLUMN learned_from INTEGER NOT NULL DEFAULT 0;
ALTER TABLE promises ADD COLUMN made INTEGER NOT NULL DEFAULT 0;
ALTER TABLE results ADD COLUMN settled INTEGER NOT NULL DEFAULT 0;
UPDATE promises SET raw_change_percent = change_percent, raw_low = low, raw_high = high,
    made = action - 1;
UPDATE results SET settled = action;
)sql";

// What of a promise p is of learning and of its order, and of a result e, by the file's schema.
constexpr const char* learning_columns(int64_t schema) {
    return schema < 2 ? "p.change_percent, p.low, p.high, 0, p.action - 1"
                      : "p.raw_change_percent, p.raw_low, p.raw_high, p.learned_from, p.made";
}

constexpr const char* order_column(int64_t schema) {
    return schema < 2 ? "e.action" : "e.settled";
}

constexpr const char* kRunColumns =
    "SELECT id, started_utc_s, model, model_key, machine, machine_key, scenario, metric, build, "
    "request, start, best, status, spent_s, grade, ending, after_quality, after_ended, "
    "after_wall_s FROM runs ";

std::optional<Interval> interval_of(std::optional<double> low, std::optional<double> high) {
    if (!low || !high) return std::nullopt;
    return Interval{*low, *high};
}

void bind_interval(Statement& statement, const std::optional<Interval>& interval) {
    statement.bind(interval ? std::optional(interval->low) : std::nullopt);
    statement.bind(interval ? std::optional(interval->high) : std::nullopt);
}

std::string one_note(const diagnose::Note& note) {
    return note.empty() ? notes_text({}) : notes_text({note});
}

base::Result<diagnose::Note> parse_one_note(const std::string& text) {
    HONE_TRY(auto notes, parse_notes(text));
    return notes.empty() ? diagnose::Note() : std::move(notes.front());
}

template <class T>
base::Result<T> found(std::optional<T> value, const char* what, const std::string& text) {
    if (value) return *value;
    return fail(ErrorCode::corrupt, "unknown {} '{}'", what, text.substr(0, 32));
}

size_t count_of(const Statement& row, int column) {
    return static_cast<size_t>(std::max<int64_t>(0, row.integer(column)));
}

// The columns metric .. verdict.
base::Result<MetricComparison> read_metric(const Statement& row) {
    MetricComparison metric;
    metric.name = row.text(0);
    metric.unit = row.text(1);
    metric.better = row.text(2) == "higher" ? measure::Better::higher : measure::Better::lower;
    metric.a = row.optional_real(3);
    metric.b = row.optional_real(4);
    metric.change_percent = row.optional_real(5);
    metric.ci95 = interval_of(row.optional_real(6), row.optional_real(7));
    metric.n = count_of(row, 8);
    const std::string verdict = row.text(9);
    HONE_TRY(metric.verdict, found(parse_verdict(verdict), "verdict", verdict));
    return metric;
}

base::Status write_metrics(Database& database, const char* sql, int64_t owner,
                           const std::vector<MetricComparison>& metrics) {
    for (size_t i = 0; i < metrics.size(); ++i) {
        const MetricComparison& metric = metrics[i];
        HONE_TRY(Statement statement, database.prepare(sql));
        statement.bind(owner).bind(static_cast<int64_t>(i)).bind(metric.name).bind(metric.unit);
        statement.bind(
            std::string_view(metric.better == measure::Better::higher ? "higher" : "lower"));
        statement.bind(metric.a).bind(metric.b).bind(metric.change_percent);
        bind_interval(statement, metric.ci95);
        statement.bind(static_cast<int64_t>(metric.n));
        statement.bind(std::string_view(measure::verdict_name(metric.verdict)));
        HONE_TRY_STATUS(statement.run());
    }
    return {};
}

base::Status write_run_state(Database& database, const Run& run) {
    HONE_TRY(Statement statement,
             database.prepare("UPDATE runs SET best = ?, status = ?, spent_s = ?, grade = ?, "
                              "ending = ?, after_quality = ?, after_ended = ?, after_wall_s = ? "
                              "WHERE id = ?"));
    statement.bind(changes_text(run.best)).bind(std::string_view(status_name(run.status)));
    statement.bind(run.spent_s).bind(run.grade).bind(notes_text(run.ending));
    statement.bind(quality_text(run.after_quality)).bind(run.after_ended);
    return statement.bind(run.after_wall_s).bind(run.id).run();
}

// The first three of learning_columns().
measure::PredictedChange raw_of(const Statement& row, int column,
                                const measure::PredictedChange& promise) {
    const auto change = row.optional_real(column);
    if (!change) return promise;
    return {*change, interval_of(row.optional_real(column + 1), row.optional_real(column + 2)),
            promise.basis};
}

base::Result<Run> read_run(const Statement& row) {
    Run run;
    run.id = row.integer(0);
    run.started_utc_s = row.integer(1);
    run.subject = {row.text(2), row.text(3), row.text(4), row.text(5),
                   row.text(6), row.text(7), row.text(8)};
    run.request = row.text(9);
    HONE_TRY(run.start, parse_changes(row.text(10)));
    HONE_TRY(run.best, parse_changes(row.text(11)));
    HONE_TRY(run.status, found(parse_run_status(row.text(12)), "run status", row.text(12)));
    run.spent_s = row.real(13);
    run.grade = row.text(14);
    HONE_TRY(run.ending, parse_notes(row.text(15)));
    HONE_TRY(run.after_quality, parse_quality(row.text(16)));
    run.after_ended = row.text(17);
    run.after_wall_s = row.real(18);
    return run;
}

// Errors of a value name the file that it came from.
template <class T>
base::Result<T> from(const std::string& path, base::Result<T> result) {
    if (result) return result;
    return tl::unexpected(result.error().within(path));
}

base::Result<std::vector<MetricComparison>> read_metrics(Database& database, const char* sql,
                                                         int64_t owner) {
    HONE_TRY(Statement rows, database.prepare(sql));
    rows.bind(owner);
    std::vector<MetricComparison> out;
    while (true) {
        HONE_TRY(const bool more, rows.step());
        if (!more) return out;
        HONE_TRY(auto metric, from(database.path(), read_metric(rows)));
        out.push_back(std::move(metric));
    }
}

}  // namespace

base::Result<Ledger> Ledger::open(const std::string& path, Access access, Journal journal) {
    std::error_code error;
    if (access == Access::read_write) {
        const auto directory = std::filesystem::path(path).parent_path();
        if (!directory.empty()) std::filesystem::create_directories(directory, error);
        if (error) {
            return fail(ErrorCode::unavailable, "{}: {}", directory.string(), error.message());
        }
    } else if (!std::filesystem::exists(path, error)) {
        return fail(ErrorCode::not_found, "{}: no ledger yet; hone optimize makes it", path);
    }
    HONE_TRY(Database database, Database::open(path, access, journal));
    Ledger ledger(std::move(database));
    HONE_TRY_STATUS(ledger.prepare_schema(access));
    return ledger;
}

base::Status Ledger::prepare_schema(Access access) {
    HONE_TRY(const int64_t tables, database_.integer("SELECT count(*) FROM sqlite_schema"));
    HONE_TRY(const int64_t application, database_.integer("PRAGMA application_id"));
    HONE_TRY(const int64_t version, database_.integer("PRAGMA user_version"));
    const bool fresh = tables == 0 && application == 0;
    if (!fresh && application != kApplicationId) {
        return fail(ErrorCode::corrupt, "{}: a database of another program, not a ledger",
                    database_.path());
    }
    if (version > kLedgerSchema) {
        return fail(ErrorCode::unsupported,
                    "{}: written by a newer version (schema {}; this one knows {})",
                    database_.path(), version, kLedgerSchema);
    }
    if (fresh && access == Access::read_write) {
        HONE_TRY(Transaction transaction, Transaction::begin(database_));
        // Two processes may have found the same empty file.
        HONE_TRY(const int64_t now, database_.integer("SELECT count(*) FROM sqlite_schema"));
        if (now > 0) return {};
        HONE_TRY_STATUS(database_.execute(kTables));
        HONE_TRY_STATUS(
            database_.execute(fmt::format("PRAGMA application_id = {}; PRAGMA user_version = {}",
                                          kApplicationId, kLedgerSchema)
                                  .c_str()));
        return transaction.commit();
    }
    if (fresh) return fail(ErrorCode::not_found, "{}: an empty ledger", database_.path());
    HONE_TRY_STATUS(check());
    schema_ = version;
    if (version == kLedgerSchema || access == Access::read_only) return {};
    return migrate();
}

base::Status Ledger::check() {
    HONE_TRY(Statement check, database_.prepare("PRAGMA quick_check(1)"));
    HONE_TRY(const bool row, check.step());
    if (row && check.text(0) == "ok") return {};
    return fail(ErrorCode::corrupt, "{}: {}", database_.path(), check.text(0));
}

base::Status Ledger::migrate() {
    HONE_TRY(Transaction transaction, Transaction::begin(database_));
    // Two processes may have found the same old file.
    HONE_TRY(schema_, database_.integer("PRAGMA user_version"));
    if (schema_ == kLedgerSchema) return {};
    HONE_TRY_STATUS(database_.execute(kToSchema2));
    HONE_TRY_STATUS(
        database_.execute(fmt::format("PRAGMA user_version = {}", kLedgerSchema).c_str()));
    schema_ = kLedgerSchema;
    return transaction.commit();
}

base::Status Ledger::begin(Run& run) {
    HONE_TRY(Transaction transaction, Transaction::begin(database_));
    HONE_TRY(Statement abandon,
             database_.prepare("UPDATE runs SET status = 'abandoned' WHERE model_key = ? AND "
                               "machine_key = ? AND scenario = ? AND status IN ('running', "
                               "'budget', 'cancelled')"));
    const RunSubject& subject = run.subject;
    HONE_TRY_STATUS(
        abandon.bind(subject.model_key).bind(subject.machine_key).bind(subject.scenario).run());
    HONE_TRY(Statement insert,
             database_.prepare("INSERT INTO runs VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                               "?, '', '[]', '', '', 0)"));
    insert.bind(run.started_utc_s).bind(subject.model).bind(subject.model_key);
    insert.bind(subject.machine).bind(subject.machine_key).bind(subject.scenario);
    insert.bind(subject.metric).bind(subject.build).bind(run.request);
    insert.bind(changes_text(run.start)).bind(changes_text(run.best));
    insert.bind(std::string_view(status_name(run.status))).bind(run.spent_s);
    HONE_TRY_STATUS(insert.run());
    run.id = database_.last_row();
    return transaction.commit();
}

base::Status Ledger::promise(int64_t run, Trial& trial) {
    HONE_TRY(Transaction transaction, Transaction::begin(database_));
    HONE_TRY(
        Statement insert,
        database_.prepare("INSERT INTO actions VALUES (NULL, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"));
    insert.bind(run).bind(trial.action).bind(one_note(trial.title));
    insert.bind(changes_text(trial.apply)).bind(changes_text(trial.undo)).bind(trial.risk);
    insert.bind(static_cast<int64_t>(trial.minutes));
    insert.bind(std::string_view(status_name(trial.status))).bind(one_note(trial.reason));
    insert.bind(notes_text(trial.evidence)).bind(quality_text(trial.quality));
    HONE_TRY_STATUS(insert.run());
    trial.id = database_.last_row();
    if (trial.promise) {
        const measure::PredictedChange& raw = trial.raw ? *trial.raw : *trial.promise;
        HONE_TRY(Statement promise,
                 database_.prepare("INSERT INTO promises VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, "
                                   "(SELECT coalesce(max(settled), 0) FROM results))"));
        promise.bind(trial.id).bind(trial.promise_metric).bind(trial.promise->change_percent);
        bind_interval(promise, trial.promise->ci95);
        promise.bind(trial.promise->basis).bind(raw.change_percent);
        bind_interval(promise, raw.ci95);
        HONE_TRY_STATUS(promise.bind(static_cast<int64_t>(trial.learned_from)).run());
    }
    return transaction.commit();
}

base::Status Ledger::settle(const Trial& trial, const Run& run) {
    HONE_TRY(Transaction transaction, Transaction::begin(database_));
    HONE_TRY(
        Statement update,
        database_.prepare("UPDATE actions SET status = ?, reason = ?, evidence = ?, quality = ? "
                          "WHERE id = ?"));
    update.bind(std::string_view(status_name(trial.status))).bind(one_note(trial.reason));
    update.bind(notes_text(trial.evidence)).bind(quality_text(trial.quality));
    HONE_TRY_STATUS(update.bind(trial.id).run());
    HONE_TRY(Statement clear, database_.prepare("DELETE FROM results WHERE action = ?"));
    HONE_TRY_STATUS(clear.bind(trial.id).run());
    HONE_TRY(const int64_t last,
             database_.integer("SELECT coalesce(max(settled), 0) FROM results"));
    const std::string insert = fmt::format(
        "INSERT INTO results VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, {})", last + 1);
    HONE_TRY_STATUS(write_metrics(database_, insert.c_str(), trial.id, trial.measured));
    HONE_TRY_STATUS(write_run_state(database_, run));
    return transaction.commit();
}

base::Status Ledger::update(const Run& run) {
    HONE_TRY(Transaction transaction, Transaction::begin(database_));
    HONE_TRY_STATUS(write_run_state(database_, run));
    HONE_TRY(Statement clear, database_.prepare("DELETE FROM finals WHERE run = ?"));
    HONE_TRY_STATUS(clear.bind(run.id).run());
    HONE_TRY_STATUS(write_metrics(database_,
                                  "INSERT INTO finals VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                                  run.id, run.after));
    return transaction.commit();
}

base::Result<std::vector<Run>> Ledger::runs(size_t count_max) {
    HONE_TRY(Statement rows,
             database_.prepare((std::string(kRunColumns) + "ORDER BY id DESC LIMIT ?").c_str()));
    rows.bind(static_cast<int64_t>(count_max));
    std::vector<Run> out;
    while (true) {
        HONE_TRY(const bool more, rows.step());
        if (!more) return out;
        HONE_TRY(Run run, from(database_.path(), read_run(rows)));
        out.push_back(std::move(run));
    }
}

base::Result<Run> Ledger::run(int64_t id) {
    HONE_TRY(Statement rows,
             database_.prepare((std::string(kRunColumns) + "WHERE id = ?").c_str()));
    HONE_TRY(const bool there, rows.bind(id).step());
    if (!there) return fail(ErrorCode::not_found, "{}: no run {}", database_.path(), id);
    HONE_TRY(Run run, from(database_.path(), read_run(rows)));
    HONE_TRY_STATUS(read_trials(run));
    HONE_TRY(run.after,
             read_metrics(database_,
                          "SELECT metric, unit, better, a, b, change_percent, low, high, n, "
                          "verdict FROM finals WHERE run = ? ORDER BY position",
                          run.id));
    return run;
}

base::Result<std::optional<Run>> Ledger::resumable(const RunSubject& subject) {
    HONE_TRY(Statement rows,
             database_.prepare("SELECT id, status FROM runs WHERE model_key = ? AND machine_key = "
                               "? AND scenario = ? ORDER BY id DESC LIMIT 1"));
    rows.bind(subject.model_key).bind(subject.machine_key).bind(subject.scenario);
    HONE_TRY(const bool there, rows.step());
    if (!there) return std::optional<Run>();
    const auto status = parse_run_status(rows.text(1));
    if (!status || !unfinished(*status)) return std::optional<Run>();
    HONE_TRY(Run found_run, run(rows.integer(0)));
    return std::optional(std::move(found_run));
}

base::Status Ledger::read_trials(Run& run) {
    const std::string sql = fmt::format(
        "SELECT a.id, a.action, a.title, a.apply, a.undo, a.risk, a.minutes, a.status, a.reason, "
        "a.evidence, a.quality, p.metric, p.change_percent, p.low, p.high, p.basis, {} FROM "
        "actions a LEFT JOIN promises p ON p.action = a.id WHERE a.run = ? ORDER BY a.id",
        learning_columns(schema_));
    HONE_TRY(Statement rows, database_.prepare(sql.c_str()));
    rows.bind(run.id);
    while (true) {
        HONE_TRY(const bool more, rows.step());
        if (!more) return {};
        Trial trial;
        trial.id = rows.integer(0);
        trial.action = rows.text(1);
        HONE_TRY(trial.title, parse_one_note(rows.text(2)));
        HONE_TRY(trial.apply, parse_changes(rows.text(3)));
        HONE_TRY(trial.undo, parse_changes(rows.text(4)));
        trial.risk = rows.text(5);
        trial.minutes = static_cast<int>(rows.integer(6));
        HONE_TRY(trial.status,
                 found(parse_trial_status(rows.text(7)), "action status", rows.text(7)));
        HONE_TRY(trial.reason, parse_one_note(rows.text(8)));
        HONE_TRY(trial.evidence, parse_notes(rows.text(9)));
        HONE_TRY(trial.quality, parse_quality(rows.text(10)));
        if (const auto change = rows.optional_real(12)) {
            trial.promise_metric = rows.text(11);
            trial.promise = measure::PredictedChange{
                *change, interval_of(rows.optional_real(13), rows.optional_real(14)),
                rows.text(15)};
            trial.raw = raw_of(rows, 16, *trial.promise);
            trial.learned_from = count_of(rows, 19);
        }
        HONE_TRY(trial.measured,
                 read_metrics(database_,
                              "SELECT metric, unit, better, a, b, change_percent, low, high, n, "
                              "verdict FROM results WHERE action = ? ORDER BY position",
                              trial.id));
        run.trials.push_back(std::move(trial));
    }
}

base::Result<std::vector<TestedPromise>> Ledger::first_promises() {
    // min() decides which row of the group the other columns come from (SQLite, "bare columns").
    // A promise of "latency_ms_p95" is put to the test by the change of "latency_ms".
    const std::string sql = fmt::format(
        "SELECT min({1}), r.id, a.action, r.model, r.machine, r.machine_key, p.metric, "
        "p.change_percent, p.low, p.high, p.basis, e.change_percent, e.low, e.high, e.verdict, "
        "{0}, {1} FROM promises p JOIN actions a ON a.id = p.action JOIN runs r ON r.id = a.run "
        "JOIN results e ON e.action = a.id AND (e.metric = p.metric OR "
        "rtrim(p.metric, '0123456789.') = e.metric || '_p') WHERE abs(e.change_percent) < 1e12 "
        "AND abs(p.change_percent) < 1e12 GROUP BY a.action, r.model_key, r.machine_key ORDER BY 1",
        learning_columns(schema_), order_column(schema_));
    HONE_TRY(Statement rows, database_.prepare(sql.c_str()));
    std::vector<TestedPromise> out;
    while (true) {
        HONE_TRY(const bool more, rows.step());
        if (!more) return out;
        TestedPromise tested;
        tested.run = rows.integer(1);
        tested.action = rows.text(2);
        tested.model = rows.text(3);
        tested.machine = rows.text(4);
        tested.machine_key = rows.text(5);
        tested.metric = rows.text(6);
        tested.promise = {rows.real(7), interval_of(rows.optional_real(8), rows.optional_real(9)),
                          rows.text(10)};
        tested.change_percent = rows.real(11);
        tested.ci95 = interval_of(rows.optional_real(12), rows.optional_real(13));
        const std::string verdict = rows.text(14);
        HONE_TRY(tested.verdict,
                 from(database_.path(), found(parse_verdict(verdict), "verdict", verdict)));
        tested.raw = raw_of(rows, 15, tested.promise);
        tested.learned_from = count_of(rows, 18);
        tested.made = rows.integer(19);
        tested.settled = rows.integer(20);
        out.push_back(std::move(tested));
    }
}

}  // namespace hone::ledger
