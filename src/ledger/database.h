// A SQLite database behind Result: opened, checked, and spoken to in prepared statements.
//
// Knows nothing of what is in the tables. A file that is damaged or no database is `corrupt`, one
// that another process holds too long is `unavailable`, a full disk `exhausted`; no case ends the
// process. Schemas inside a file are not trusted (trusted_schema off). One thread at a time.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

struct sqlite3;
struct sqlite3_stmt;

namespace hone::ledger {

// How a commit is made safe. Both survive the death of the process at any moment. `wal` lets others
// read while one writes, `rollback` works on file systems without shared memory.
enum class Journal : uint8_t { wal, rollback };

enum class Access : uint8_t { read_write, read_only };

class Database;

// One prepared statement; bound from the left, read from the left. A value that cannot be bound or
// a step that fails is remembered and comes out of the next step().
class Statement {
  public:
    Statement& bind(int64_t value);
    Statement& bind(double value);
    Statement& bind(std::string_view value);
    Statement& bind(std::optional<double> value);  // nothing is NULL; so is what is not finite

    // True when there is a row.
    base::Result<bool> step();
    // For statements without rows.
    base::Status run();

    int64_t integer(int column) const;
    double real(int column) const;
    std::optional<double> optional_real(int column) const;
    std::string text(int column) const;

  private:
    friend class Database;
    Statement(sqlite3* database, sqlite3_stmt* statement, const std::string* path);

    struct Finalize {
        void operator()(sqlite3_stmt* statement) const;
    };
    sqlite3* database_;
    std::unique_ptr<sqlite3_stmt, Finalize> statement_;
    const std::string* path_;  // of the database, for messages
    int next_ = 1;
    int bind_code_ = 0;
};

class Database {
  public:
    // The directory must exist. not_found: no such file (read_only); corrupt; unavailable.
    static base::Result<Database> open(const std::string& path, Access access, Journal journal);

    base::Status execute(const char* sql);
    base::Result<Statement> prepare(const char* sql);
    base::Result<int64_t> integer(const char* sql);  // the first column of the first row, or 0
    int64_t last_row() const;
    const std::string& path() const { return *path_; }

  private:
    struct Close {
        void operator()(sqlite3* database) const;
    };
    Database(sqlite3* database, const std::string& path);

    // Statements keep its address.
    std::unique_ptr<std::string> path_;
    std::unique_ptr<sqlite3, Close> database_;
};

// All or nothing: rolls back unless commit() was called.
class Transaction {
  public:
    static base::Result<Transaction> begin(Database& database);
    Transaction(Transaction&& other) noexcept : database_(other.database_) {
        other.database_ = nullptr;
    }
    Transaction& operator=(Transaction&&) = delete;
    ~Transaction();
    base::Status commit();

  private:
    explicit Transaction(Database& database) : database_(&database) {}
    Database* database_;
};

}  // namespace hone::ledger
