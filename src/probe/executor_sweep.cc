#include <algorithm>
#include <charconv>
#include <set>
#include <utility>

#include "base/json.h"
#include "cost/experiments.h"
#include "machine/facts.h"
#include "measure/statistics.h"
#include "probe/experiment_bench.h"

namespace hone::probe {
namespace {

using base::ErrorCode;
using base::fail;

constexpr size_t kSweepSettingsMax = 8;

// One point of a sweep: an executor, the session's own or a second one, and what was measured.
struct SweepContender {
    std::string setting;
    std::optional<runtime::ExecutorParts> parts;  // absent: the session's executor
    std::optional<Stepper> stepper;
    cost::SweepPoint point;
};

// The sweep as a plan: which settings, and the options that each one means.
struct SweepPlan {
    std::string name;
    std::string subject;
    std::string baseline;
    std::vector<std::pair<std::string, runtime::LoadOptions>> settings;
};

// Every point against the run's own setting.
bool all_settled(const std::vector<SweepContender>& contenders, const std::string& baseline) {
    const auto own = std::find_if(contenders.begin(), contenders.end(),
                                  [&](const SweepContender& c) { return c.setting == baseline; });
    return std::all_of(contenders.begin(), contenders.end(), [&](const SweepContender& c) {
        return c.setting == baseline || (settled(c.point.decode_ns, own->point.decode_ns) &&
                                         settled(c.point.prefill_ns, own->point.prefill_ns));
    });
}

double sweep_s(const ExperimentBench& bench, size_t settings) {
    const double samples = static_cast<double>(settings) * (1 + ExperimentBench::kRoundsWanted);
    return bench.costs.open_s * static_cast<double>(settings - 1) + samples * sample_s(bench);
}

base::Result<std::vector<SweepContender>> open_contenders(const ExperimentBench& bench,
                                                          const SweepPlan& plan) {
    std::vector<SweepContender> contenders;
    for (const auto& [setting, options] : plan.settings) {
        HONE_TRY_STATUS(bench.conduct.check());
        SweepContender& contender = contenders.emplace_back();
        contender.setting = contender.point.setting = setting;
        if (setting != plan.baseline) {
            HONE_TRY(contender.parts, bench.session.make_executor(options));
        }
        graph::Executor& executor =
            contender.parts ? *contender.parts->executor : bench.session.executor();
        const auto positions = static_cast<uint32_t>(sample_size(bench).positions());
        HONE_TRY(auto stepper, Stepper::create(bench.session.config(), executor, 1, positions));
        contender.stepper.emplace(std::move(stepper));
    }
    return contenders;
}

base::Result<cost::Sweep> run_sweep(const ExperimentBench& bench, const SweepPlan& plan,
                                    const TimeBox& box) {
    const auto is_baseline = [&](const auto& s) { return s.first == plan.baseline; };
    const auto own = std::count_if(plan.settings.begin(), plan.settings.end(), is_baseline);
    HONE_TRY_STATUS(check_affordable(bench, plan.settings.size() - static_cast<size_t>(own), box));
    HONE_TRY(std::vector<SweepContender> contenders, open_contenders(bench, plan));
    base::Random random(bench.options.seed);
    for (SweepContender& contender : contenders) {
        HONE_TRY_STATUS(bench.conduct.check());
        cost::SweepPoint warm_up;
        measure_sample(bench, *contender.stepper,
                       draw_sample(bench, random, contender.stepper->executor().vocab()), warm_up);
    }
    size_t first = 0;
    HONE_TRY_STATUS(bench.rounds(
        box,
        [&]() -> base::Status {
            const SampleTokens tokens =
                draw_sample(bench, random, bench.session.executor().vocab());
            // Each round starts with another, so that none always follows the same one.
            for (size_t i = 0; i < contenders.size(); ++i) {
                HONE_TRY_STATUS(bench.conduct.check());
                SweepContender& contender = contenders[(first + i) % contenders.size()];
                measure_sample(bench, *contender.stepper, tokens, contender.point);
            }
            ++first;
            return {};
        },
        [&] { return all_settled(contenders, plan.baseline); }));
    cost::Sweep sweep{plan.name, plan.subject, plan.baseline, {}};
    for (SweepContender& contender : contenders) sweep.points.push_back(std::move(contender.point));
    return sweep;
}

double rate_per_s(const std::vector<double>& ns_per_token) {
    const auto ns = measure::median(ns_per_token);
    return ns && *ns > 0 ? 1e9 / *ns : 0;
}

std::optional<int> parse_count(const std::string& text) {
    int value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
    return value;
}

double ratio_or_zero(const std::vector<double>& after, const std::vector<double>& before) {
    const auto ratio = cost::ratio_of(after, before);
    return ratio ? ratio->value : 0;
}

}  // namespace

base::Status check_memory(const ExperimentBench& bench, size_t executors) {
    const graph::ExecutorMemory memory = bench.session.executor().memory();
    const uint64_t needed = executors * (memory.weights_bytes + memory.workspace_bytes);
    const uint64_t free = machine::memory_budget_bytes(machine::read_machine_facts());
    if (free > 0 && needed > free / 2) {
        return fail(ErrorCode::exhausted, "{} more executors need {} MiB of memory", executors,
                    needed >> 20);
    }
    return {};
}

base::Status check_affordable(const ExperimentBench& bench, size_t executors, const TimeBox& box) {
    const double open_s = bench.costs.open_s * static_cast<double>(executors);
    if (open_s > box.to_the_end_s()) {
        return fail(ErrorCode::deadline, "opening {} executors takes about {:.1f} s", executors,
                    open_s);
    }
    return check_memory(bench, executors);
}

ExperimentOutcome thread_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                               const TimeBox& box) {
    const int now = bench.session.options().threads;
    std::set<int> counts = {1, now, now + 1};
    if (!order.settings.empty()) counts.clear();
    for (const std::string& setting : order.settings) {
        const auto count = parse_count(setting);
        if (!count || *count < 1 || *count > machine::ThreadTeam::kThreadsMax) {
            return fail(ErrorCode::invalid_argument, "'{}' is no thread count", setting);
        }
        counts.insert(*count);
    }
    if (counts.size() > kSweepSettingsMax) {
        return fail(ErrorCode::invalid_argument, "more than {} settings", kSweepSettingsMax);
    }
    SweepPlan plan{"thread_sweep", order.subject, std::to_string(now), {}};
    for (const int count : counts) {
        runtime::LoadOptions options = bench.session.options();
        options.threads = count;
        plan.settings.emplace_back(std::to_string(count), options);
    }
    HONE_TRY(const cost::Sweep sweep, run_sweep(bench, plan, box));
    measure::ExperimentResult result = cost::to_experiment(sweep);
    for (size_t i = 0; i < sweep.points.size(); ++i) {
        base::Json& point = result.values["points"][i];
        point["threads"] = parse_count(sweep.points[i].setting).value_or(0);
        point["decode_tokens_per_s"] = rate_per_s(sweep.points[i].decode_ns);
        point["prefill_tokens_per_s"] = rate_per_s(sweep.points[i].prefill_ns);
    }
    return ExperimentResults{std::move(result)};
}

ExperimentOutcome isa_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                            const TimeBox& box) {
    const machine::Isa now = bench.session.plan().options.isa;
    std::set<machine::Isa> levels = {now};
    for (const std::string& setting : order.settings) {
        HONE_TRY(const machine::Isa level, machine::parse_isa(setting));
        levels.insert(level);
    }
    if (order.settings.empty() && now > machine::Isa::portable) {
        levels.insert(static_cast<machine::Isa>(static_cast<int>(now) - 1));
    }
    if (levels.size() < 2) {
        return fail(ErrorCode::invalid_argument, "only one level to measure");
    }
    SweepPlan plan{"isa_sweep", order.subject, machine::isa_name(now), {}};
    for (const machine::Isa level : levels) {
        runtime::LoadOptions options = bench.session.options();
        options.isa = level;
        plan.settings.emplace_back(machine::isa_name(level), options);
    }
    HONE_TRY(const cost::Sweep sweep, run_sweep(bench, plan, box));
    return ExperimentResults{cost::to_experiment(sweep)};
}

// Of one family of kernels; the run's own choice is called as it was given, or "chosen".
ExperimentOutcome variant_sweep(const ExperimentBench& bench, const ExperimentOrder& order,
                                const TimeBox& box) {
    const runtime::LoadOptions& own = bench.session.options();
    const auto is_family = [&](const auto& choice) { return choice.first == order.subject; };
    const auto given = std::find_if(own.variants.begin(), own.variants.end(), is_family);
    const std::string baseline = given == own.variants.end() ? "chosen" : given->second;
    if (order.settings.empty() || order.settings.size() >= kSweepSettingsMax) {
        return fail(ErrorCode::invalid_argument, "{} variants to measure", order.settings.size());
    }
    SweepPlan plan{"variant_sweep", order.subject, baseline, {{baseline, own}}};
    for (const std::string& setting : order.settings) {
        if (setting == baseline) continue;
        runtime::LoadOptions options = own;
        std::erase_if(options.variants, is_family);
        options.variants.emplace_back(order.subject, setting);
        plan.settings.emplace_back(setting, options);
    }
    HONE_TRY(const cost::Sweep sweep, run_sweep(bench, plan, box));
    return ExperimentResults{cost::to_experiment(sweep)};
}

ExperimentOutcome pass_ablation(const ExperimentBench& bench, const ExperimentOrder& order,
                                const TimeBox& box) {
    const std::vector<measure::PassRun>& passes = bench.session.plan().passes;
    const auto pass = std::find_if(passes.begin(), passes.end(),
                                   [&](const auto& p) { return p.name == order.subject; });
    if (pass == passes.end()) {
        return fail(ErrorCode::not_found, "no pass '{}'", order.subject);
    }
    runtime::LoadOptions on = bench.session.options();
    std::erase(on.disabled_passes, order.subject);
    runtime::LoadOptions off = on;
    off.disabled_passes.push_back(order.subject);
    SweepPlan plan{"pass_ablation", order.subject, pass->enabled ? "on" : "off", {}};
    plan.settings = {{"on", on}, {"off", off}};
    HONE_TRY(const cost::Sweep sweep, run_sweep(bench, plan, box));
    measure::ExperimentResult result = cost::to_experiment(sweep);
    const cost::SweepPoint& with = sweep.points[0];
    const cost::SweepPoint& without = sweep.points[1];
    result.parameters["pass"] = order.subject;
    result.values["decode_ratio"] = ratio_or_zero(without.decode_ns, with.decode_ns);
    result.values["prefill_ratio"] = ratio_or_zero(without.prefill_ns, with.prefill_ns);
    result.values["n"] = with.decode_ns.size();
    return ExperimentResults{std::move(result)};
}

double thread_sweep_s(const ExperimentBench& bench, const ExperimentOrder& order) {
    return sweep_s(bench, order.settings.empty() ? 3 : order.settings.size());
}
double isa_sweep_s(const ExperimentBench& bench, const ExperimentOrder& order) {
    return sweep_s(bench, std::max<size_t>(2, order.settings.size()));
}
double variant_sweep_s(const ExperimentBench& bench, const ExperimentOrder& order) {
    return sweep_s(bench, order.settings.size() + 1);
}
double pass_ablation_s(const ExperimentBench& bench, const ExperimentOrder&) {
    return sweep_s(bench, 2);
}

}  // namespace hone::probe
