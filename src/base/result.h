// Result<T>: how Hone reports that the world is wrong (a file, an argument, a budget).
//
// A bug in Hone is not a Result: it is a HONE_CHECK (base/check.h). Codes say what the caller can
// do; one table maps them to process exit codes (and later to HTTP). The message is one clear line
// for a person, without a trailing full stop or newline. Value type; safe to move between threads.
#pragma once

#include <fmt/core.h>

#include <string>
#include <tl/expected.hpp>
#include <utility>

namespace hone::base {

enum class ErrorCode {
    invalid_argument,  // the request is wrong: change it
    not_found,         // the named thing does not exist
    unsupported,       // well formed, but Hone cannot do it
    corrupt,           // the bytes contradict their own format
    exhausted,         // a limit or budget is too small
    cancelled,         // the user asked to stop
    deadline,          // time ran out
    unavailable,       // try again later or elsewhere
    internal,          // a library failed in a way nobody expected
};

// The name used in messages and JSON, e.g. "not_found".
const char* error_code_name(ErrorCode code);

// The process exit code for an error (docs/exit-codes.md); 0 is success, 2 is wrong usage.
int exit_code(ErrorCode code);

struct [[nodiscard]] Error {
    ErrorCode code = ErrorCode::internal;
    std::string message;

    // Puts "context: " before the message, from the inside out: "model.gguf: header: too short".
    Error within(const std::string& context) const { return {code, context + ": " + message}; }
};

template <class T>
using Result = tl::expected<T, Error>;
using Status = Result<void>;

template <class... Args>
tl::unexpected<Error> fail(ErrorCode code, fmt::format_string<Args...> format, Args&&... args) {
    return tl::unexpected<Error>(Error{code, fmt::format(format, std::forward<Args>(args)...)});
}

}  // namespace hone::base

#define HONE_CONCAT_INNER(a, b) a##b
#define HONE_CONCAT(a, b) HONE_CONCAT_INNER(a, b)

// HONE_TRY(auto file, open(path)): declares `file` from the value, or returns the error.
#define HONE_TRY(declaration, expression) \
    HONE_TRY_NAMED(HONE_CONCAT(hone_try_, __LINE__), declaration, expression)
#define HONE_TRY_NAMED(name, declaration, expression)                               \
    auto name = (expression);                                                       \
    if (!name) return tl::unexpected<::hone::base::Error>(std::move(name).error()); \
    declaration = std::move(*name)

// HONE_TRY_STATUS(check(x)): returns the error of a Status, or goes on.
#define HONE_TRY_STATUS(expression)                                                     \
    do {                                                                                \
        auto hone_status = (expression);                                                \
        if (!hone_status)                                                               \
            return tl::unexpected<::hone::base::Error>(std::move(hone_status).error()); \
    } while (false)
