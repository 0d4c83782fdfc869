#include "ledger/journal.h"

#include <array>

namespace hone::ledger {
namespace {

constexpr std::array kTrialStatuses = {"promised", "kept", "rolled_back", "refused"};
constexpr std::array kRunStatuses = {"running", "improved",  "nothing",
                                     "budget",  "cancelled", "abandoned"};

template <class Status, size_t kCount>
std::optional<Status> find(const std::array<const char*, kCount>& names, std::string_view name) {
    for (size_t i = 0; i < kCount; ++i) {
        if (name == names[i]) return static_cast<Status>(i);
    }
    return std::nullopt;
}

}  // namespace

const char* status_name(TrialStatus status) {
    return kTrialStatuses[static_cast<size_t>(status)];
}

std::optional<TrialStatus> parse_trial_status(std::string_view name) {
    return find<TrialStatus>(kTrialStatuses, name);
}

const char* status_name(RunStatus status) {
    return kRunStatuses[static_cast<size_t>(status)];
}

std::optional<RunStatus> parse_run_status(std::string_view name) {
    return find<RunStatus>(kRunStatuses, name);
}

bool unfinished(RunStatus status) {
    return status == RunStatus::running || status == RunStatus::budget ||
           status == RunStatus::cancelled;
}

}  // namespace hone::ledger
