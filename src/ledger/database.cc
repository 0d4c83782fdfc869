#include "ledger/database.h"

#include <sqlite3.h>

#include <cmath>

namespace hone::ledger {
namespace {

using base::ErrorCode;
using base::fail;

// Another process holds the file for milliseconds; what lasts longer is stuck.
constexpr int kBusyMs = 5000;
// No text or row of ours comes near; a file that claims more is damaged.
constexpr int kValueBytesMax = 16 << 20;

ErrorCode code_of(int sqlite_code) {
    switch (sqlite_code & 0xff) {
        case SQLITE_CORRUPT:
        case SQLITE_NOTADB:
        case SQLITE_FORMAT:
        case SQLITE_TOOBIG:
        case SQLITE_CONSTRAINT:
        case SQLITE_SCHEMA:
        case SQLITE_ERROR:  // a table or column that is not there
            return ErrorCode::corrupt;
        case SQLITE_FULL:
        case SQLITE_NOMEM:
            return ErrorCode::exhausted;
        case SQLITE_BUSY:
        case SQLITE_LOCKED:
        case SQLITE_READONLY:
        case SQLITE_IOERR:
        case SQLITE_CANTOPEN:
        case SQLITE_PERM:
        case SQLITE_AUTH:
        case SQLITE_PROTOCOL:
            return ErrorCode::unavailable;
        default:
            return ErrorCode::internal;
    }
}

tl::unexpected<base::Error> error_of(sqlite3* database, int code, const std::string& path) {
    return fail(code_of(code), "{}: {}", path,
                database != nullptr ? sqlite3_errmsg(database) : sqlite3_errstr(code));
}

}  // namespace

void Statement::Finalize::operator()(sqlite3_stmt* statement) const {
    sqlite3_finalize(statement);
}

Statement::Statement(sqlite3* database, sqlite3_stmt* statement, const std::string* path)
    : database_(database), statement_(statement), path_(path) {}

Statement& Statement::bind(int64_t value) {
    const int code = sqlite3_bind_int64(statement_.get(), next_++, value);
    if (code != SQLITE_OK) bind_code_ = code;
    return *this;
}

Statement& Statement::bind(double value) {
    return bind(std::optional<double>(value));
}

Statement& Statement::bind(std::string_view value) {
    const int code = sqlite3_bind_text(statement_.get(), next_++, value.data(),
                                       static_cast<int>(value.size()), SQLITE_TRANSIENT);
    if (code != SQLITE_OK) bind_code_ = code;
    return *this;
}

Statement& Statement::bind(std::optional<double> value) {
    const int code = value && std::isfinite(*value)
                         ? sqlite3_bind_double(statement_.get(), next_++, *value)
                         : sqlite3_bind_null(statement_.get(), next_++);
    if (code != SQLITE_OK) bind_code_ = code;
    return *this;
}

base::Result<bool> Statement::step() {
    if (bind_code_ != SQLITE_OK) return error_of(database_, bind_code_, *path_);
    const int code = sqlite3_step(statement_.get());
    if (code == SQLITE_ROW) return true;
    if (code == SQLITE_DONE) return false;
    return error_of(database_, code, *path_);
}

base::Status Statement::run() {
    HONE_TRY(const bool row, step());
    (void)row;
    return {};
}

int64_t Statement::integer(int column) const {
    return sqlite3_column_int64(statement_.get(), column);
}

double Statement::real(int column) const {
    return sqlite3_column_double(statement_.get(), column);
}

std::optional<double> Statement::optional_real(int column) const {
    if (sqlite3_column_type(statement_.get(), column) == SQLITE_NULL) return std::nullopt;
    return real(column);
}

std::string Statement::text(int column) const {
    const auto* bytes =
        reinterpret_cast<const char*>(sqlite3_column_text(statement_.get(), column));
    if (bytes == nullptr) return {};
    return {bytes, static_cast<size_t>(sqlite3_column_bytes(statement_.get(), column))};
}

void Database::Close::operator()(sqlite3* database) const {
    sqlite3_close_v2(database);
}

Database::Database(sqlite3* database, const std::string& path)
    : path_(std::make_unique<std::string>(path)), database_(database) {}

base::Result<Database> Database::open(const std::string& path, Access access, Journal journal) {
    const bool writes = access == Access::read_write;
    const int flags = SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
                      (writes ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY);
    sqlite3* handle = nullptr;
    const int code = sqlite3_open_v2(path.c_str(), &handle, flags, nullptr);
    Database database(handle, path);
    if (code != SQLITE_OK) return error_of(handle, code, path);
    sqlite3_busy_timeout(handle, kBusyMs);
    sqlite3_limit(handle, SQLITE_LIMIT_LENGTH, kValueBytesMax);
    sqlite3_db_config(handle, SQLITE_DBCONFIG_DEFENSIVE, 1, nullptr);
    HONE_TRY_STATUS(database.execute("PRAGMA trusted_schema = OFF; PRAGMA foreign_keys = ON"));
    // Reads the header: what is no database says so here.
    HONE_TRY_STATUS(database.integer("PRAGMA schema_version"));
    if (!writes) return database;
    HONE_TRY_STATUS(database.execute(journal == Journal::wal ? "PRAGMA journal_mode = WAL"
                                                             : "PRAGMA journal_mode = DELETE"));
    // A few commits per minute: safety against power loss costs nothing that anybody would see.
    HONE_TRY_STATUS(database.execute("PRAGMA synchronous = FULL"));
    return database;
}

base::Status Database::execute(const char* sql) {
    const int code = sqlite3_exec(database_.get(), sql, nullptr, nullptr, nullptr);
    if (code != SQLITE_OK) return error_of(database_.get(), code, *path_);
    return {};
}

base::Result<Statement> Database::prepare(const char* sql) {
    sqlite3_stmt* statement = nullptr;
    const int code = sqlite3_prepare_v2(database_.get(), sql, -1, &statement, nullptr);
    if (code != SQLITE_OK) return error_of(database_.get(), code, *path_);
    return Statement(database_.get(), statement, path_.get());
}

base::Result<int64_t> Database::integer(const char* sql) {
    HONE_TRY(Statement statement, prepare(sql));
    HONE_TRY(const bool row, statement.step());
    return row ? statement.integer(0) : 0;
}

int64_t Database::last_row() const {
    return sqlite3_last_insert_rowid(database_.get());
}

base::Result<Transaction> Transaction::begin(Database& database) {
    HONE_TRY_STATUS(database.execute("BEGIN IMMEDIATE"));
    return Transaction(database);
}

Transaction::~Transaction() {
    // What fails here has been undone by SQLite already.
    if (database_ != nullptr) (void)database_->execute("ROLLBACK");
}

base::Status Transaction::commit() {
    HONE_TRY_STATUS(database_->execute("COMMIT"));
    database_ = nullptr;
    return {};
}

}  // namespace hone::ledger
