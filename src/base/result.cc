#include "base/result.h"

namespace hone::base {

const char* error_code_name(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument:
            return "invalid_argument";
        case ErrorCode::not_found:
            return "not_found";
        case ErrorCode::unsupported:
            return "unsupported";
        case ErrorCode::corrupt:
            return "corrupt";
        case ErrorCode::exhausted:
            return "exhausted";
        case ErrorCode::cancelled:
            return "cancelled";
        case ErrorCode::deadline:
            return "deadline";
        case ErrorCode::unavailable:
            return "unavailable";
        case ErrorCode::internal:
            return "internal";
    }
    return "internal";
}

int exit_code(ErrorCode code) {
    switch (code) {
        case ErrorCode::invalid_argument:
            return 2;
        case ErrorCode::not_found:
            return 3;
        case ErrorCode::unsupported:
            return 4;
        case ErrorCode::corrupt:
            return 5;
        case ErrorCode::exhausted:
            return 6;
        case ErrorCode::deadline:
            return 7;
        case ErrorCode::unavailable:
            return 8;
        case ErrorCode::internal:
            return 70;
        case ErrorCode::cancelled:
            return 130;
    }
    return 70;
}

}  // namespace hone::base
