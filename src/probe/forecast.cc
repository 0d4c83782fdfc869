#include "probe/forecast.h"

#include <algorithm>
#include <cmath>

#include "cost/experiments.h"
#include "measure/statistics.h"
#include "probe/experiments.h"
#include "probe/step_recorder.h"
#include "probe/stepper.h"

namespace hone::probe {
namespace {

using cost::note;
using cost::Ratio;
using cost::SimulationResult;
using cost::WhatIf;
using cost::WhatIfKind;
using measure::RunRecord;

constexpr int kRoundsMin = 6;  // pairs of the control need that many for an interval
constexpr int kRoundsMax = 200;

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string variant_of(const runtime::LoadOptions& load, const std::string& family) {
    for (const auto& [name, variant] : load.variants) {
        if (name == family) return variant;
    }
    return "";
}

// The steps of the baseline: prompts and tokens as its tests have them, each stamped.
class Profile {
  public:
    Profile(runtime::Session& session, const SideSettings& side, const ForecastOptions& options,
            const base::Clock& clock)
        : session_(session),
          side_(side),
          options_(options),
          clock_(clock),
          random_(options.seed),
          recorder_(session.plan(), session.options().threads, clock) {}

    base::Status run(const Conduct& conduct) {
        const int positions =
            std::max(options_.prompt_tokens, side_.depth + options_.output_tokens);
        HONE_TRY(auto stepper, Stepper::create(session_.config(), session_.executor(),
                                               static_cast<uint32_t>(std::max(1, side_.batch)),
                                               static_cast<uint32_t>(positions)));
        const int64_t begin_ns = clock_.now_ns();
        for (int round = 0; round < kRoundsMax; ++round) {
            const double spent_s = static_cast<double>(clock_.now_ns() - begin_ns) * 1e-9;
            // The first round warms up and is not kept as a pair.
            if (round > 2 * kRoundsMin && spent_s >= options_.profile_s) break;
            HONE_TRY_STATUS(conduct.check());
            prompt(stepper);
            const double decode_ns = tokens(stepper);
            if (round > 0)
                (round % 2 == 0 ? control_.second_ns : control_.first_ns).push_back(decode_ns);
        }
        const size_t pairs = std::min(control_.first_ns.size(), control_.second_ns.size());
        control_.first_ns.resize(pairs);
        control_.second_ns.resize(pairs);
        return {};
    }

    void store(RunRecord& record) const {
        recorder_.store(record);
        record.experiments.push_back(cost::to_experiment(control_));
    }

  private:
    void prompt(Stepper& stepper) {
        stepper.clear();
        const auto ids = random_tokens(random_, stepper.executor().vocab(),
                                       static_cast<size_t>(options_.prompt_tokens));
        const size_t step = stepper.executor().tokens_max();
        for (std::span<const int32_t> rest = ids; !rest.empty();) {
            const size_t count = std::min(rest.size(), step);
            const uint32_t at = stepper.position(0);
            stepper.append(0, rest.first(count), count == rest.size(), recorder_.timer());
            recorder_.record("prefill", at, stepper.last_shape());
            rest = rest.subspan(count);
        }
    }

    // ns of the median step.
    double tokens(Stepper& stepper) {
        stepper.clear();
        const auto batch = static_cast<size_t>(std::max(1, side_.batch));
        const uint32_t vocab = stepper.executor().vocab();
        if (side_.depth > 0) {
            stepper.prefill(0, random_tokens(random_, vocab, static_cast<size_t>(side_.depth)));
        }
        std::vector<double> steps_ns;
        for (int i = 0; i < options_.output_tokens; ++i) {
            const auto ids = random_tokens(random_, vocab, batch);
            const uint32_t at = stepper.position(0);
            const int64_t start = clock_.now_ns();
            stepper.decode(ids, recorder_.timer());
            steps_ns.push_back(static_cast<double>(clock_.now_ns() - start));
            recorder_.record("decode", at, stepper.last_shape());
        }
        return measure::median(steps_ns).value_or(0);
    }

    runtime::Session& session_;
    const SideSettings& side_;
    const ForecastOptions& options_;
    const base::Clock& clock_;
    base::Random random_;
    StepRecorder recorder_;
    cost::Control control_;
};

RunRecord facts_of(const runtime::Session& session, const SideSettings& side,
                   const machine::MachineProfile& machine, const ForecastOptions& options) {
    RunRecord record;
    record.context.threads = session.options().threads;
    record.context.batch = std::max(1, side.batch);
    record.context.prompt_tokens = options.prompt_tokens;
    record.context.output_tokens = options.output_tokens;
    record.isa = machine::isa_name(session.plan().options.isa);
    record.machine = machine;
    record.passes = session.plan().passes;
    record.nodes = session.plan().facts();
    return record;
}

// The experiments without which a change has no data.
std::vector<ExperimentOrder> orders_for(const std::vector<WhatIf>& what_ifs) {
    std::vector<ExperimentOrder> orders;
    for (const WhatIf& what_if : what_ifs) {
        if (what_if.kind == WhatIfKind::without_pass) {
            orders.push_back({"pass_ablation", what_if.subject, "", {}});
        } else if (what_if.kind == WhatIfKind::flush_denormals) {
            orders.push_back({"ftz", "", "", {}});
        }
    }
    return orders;
}

// One factor after the other; intervals of independent estimates add in quadrature, in log space.
struct Product {
    bool known = true;
    double log_value = 0;
    double low_squares = 0;
    double high_squares = 0;
    bool has_interval = true;

    void multiply(const std::optional<Ratio>& ratio) {
        if (!ratio || !(ratio->value > 0)) {
            known = false;
            return;
        }
        log_value += std::log(ratio->value);
        if (!ratio->has_interval || !(ratio->low > 0)) {
            has_interval = false;
            return;
        }
        low_squares += std::pow(std::log(ratio->value / ratio->low), 2);
        high_squares += std::pow(std::log(ratio->high / ratio->value), 2);
    }
    double low() const { return std::exp(log_value - std::sqrt(low_squares)); }
    double high() const { return std::exp(log_value + std::sqrt(high_squares)); }
};

// A time becomes 1 / product times a rate that grows with the batch, or the product itself.
Forecast forecast_of(const char* metric, const Product& time, double growth, bool rate,
                     cost::Provenance tier) {
    const auto percent = [&](double factor) {
        return 100 * ((rate ? growth / factor : factor) - 1);
    };
    Forecast out;
    out.metric = metric;
    out.change_percent = percent(std::exp(time.log_value));
    if (time.has_interval) {
        const double ends[] = {percent(time.low()), percent(time.high())};
        out.ci95 = measure::Interval{std::min(ends[0], ends[1]), std::max(ends[0], ends[1])};
    }
    out.tier = tier;
    return out;
}

}  // namespace

base::Result<std::vector<WhatIf>> what_ifs_between(const SideSettings& a, const SideSettings& b) {
    std::vector<WhatIf> out;
    const runtime::LoadOptions& from = a.load;
    const runtime::LoadOptions& to = b.load;
    if (from.threads != to.threads) {
        out.push_back({WhatIfKind::threads, "", std::to_string(to.threads)});
    }
    if (from.isa != to.isa && to.isa) {
        out.push_back({WhatIfKind::isa, "", machine::isa_name(*to.isa)});
    }
    for (const char* family : {"linear", "rows", "attention"}) {
        const std::string variant = variant_of(to, family);
        if (variant_of(from, family) == variant) continue;
        if (variant.empty()) {
            return base::fail(base::ErrorCode::unsupported,
                              "the forecast needs a name for the {} kernels of B", family);
        }
        out.push_back({WhatIfKind::variant, family, variant});
    }
    for (const std::string& pass : to.disabled_passes) {
        if (!contains(from.disabled_passes, pass)) {
            out.push_back({WhatIfKind::without_pass, pass, "off"});
        }
    }
    for (const std::string& pass : from.disabled_passes) {
        if (!contains(to.disabled_passes, pass)) {
            out.push_back({WhatIfKind::without_pass, pass, "on"});
        }
    }
    if (from.limits.kv_dtype != to.limits.kv_dtype) {
        const bool q8 = to.limits.kv_dtype == kernels::KvDtype::q8;
        out.push_back({WhatIfKind::kv_dtype, "", q8 ? "q8" : "f16"});
    }
    if (from.flush_denormals != to.flush_denormals) {
        out.push_back({WhatIfKind::flush_denormals, "", to.flush_denormals ? "on" : "off"});
    }
    if (from.limits.step_tokens_max != to.limits.step_tokens_max) {
        out.push_back({WhatIfKind::step_tokens, "", std::to_string(to.limits.step_tokens_max)});
    }
    if (a.batch != b.batch) out.push_back({WhatIfKind::batch, "", std::to_string(b.batch)});
    if (a.depth != b.depth) out.push_back({WhatIfKind::depth, "", std::to_string(b.depth)});
    return out;
}

Forecasts forecasts_of(const std::vector<SimulationResult>& changes, const SideSettings& a,
                       const SideSettings& b) {
    Forecasts out;
    Product prefill;
    Product decode;
    cost::Provenance tier = cost::Provenance::measured;
    for (const SimulationResult& change : changes) {
        if (!change.value) {
            // What changes nothing is a factor of 1; the rest is not known.
            if (change.reason.id == "nothing_to_change") continue;
            out.reasons.push_back(change.reason);
            prefill.known = decode.known = false;
            continue;
        }
        tier = std::min(tier, change.value->tier);
        prefill.multiply(change.value->prefill);
        decode.multiply(change.value->decode);
    }
    // Requests of several sequences wait for each other's prompts, which no step shows.
    const bool alone = a.batch == 1 && b.batch == 1;
    const double growth = static_cast<double>(b.batch) / a.batch;
    if (prefill.known) {
        out.metrics.push_back(forecast_of("prefill_tokens_per_s", prefill, 1, true, tier));
        if (alone) out.metrics.push_back(forecast_of("ttft_ms", prefill, 1, false, tier));
    }
    if (decode.known) {
        out.metrics.push_back(forecast_of("decode_tokens_per_s", decode, growth, true, tier));
        // A real request does not begin at the depth of the rate test.
        if (a.depth == b.depth && alone) {
            out.metrics.push_back(forecast_of("itl_ms", decode, 1, false, tier));
        }
    }
    return out;
}

base::Result<Forecasts> forecast(runtime::Session& baseline, const SideSettings& a,
                                 const SideSettings& b, const machine::MachineProfile& machine,
                                 const ForecastOptions& options, const base::Clock& clock,
                                 const Conduct& conduct) {
    HONE_TRY(const std::vector<WhatIf> what_ifs, what_ifs_between(a, b));
    conduct.report("profiling A", 0);
    Profile profile(baseline, a, options, clock);
    HONE_TRY_STATUS(profile.run(conduct));
    RunRecord record = facts_of(baseline, a, machine, options);
    record.memory.weights_bytes = baseline.executor().memory().weights_bytes;
    profile.store(record);
    const auto orders = orders_for(what_ifs);
    if (!orders.empty()) {
        ExperimentOptions experiments;
        experiments.budget_s = options.experiments_s * static_cast<double>(orders.size());
        experiments.depth = std::min(options.prompt_tokens, 64);
        experiments.seed = options.seed;
        HONE_TRY(auto results, run_experiments(baseline, orders, experiments, clock, conduct));
        for (auto& result : results) record.experiments.push_back(std::move(result));
    }
    std::vector<SimulationResult> changes;
    for (const WhatIf& what_if : what_ifs) changes.push_back(cost::simulate(record, what_if));
    return forecasts_of(changes, a, b);
}

}  // namespace hone::probe
