#include "probe/forecast.h"

#include <algorithm>
#include <cmath>
#include <map>

#include "cost/experiments.h"
#include "cost/kernel_curve.h"
#include "cost/speed_of_light.h"
#include "kernels/attention/attention.h"
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

constexpr int kForecastRoundsMin = 6;  // pairs of the control need that many for an interval
constexpr int kForecastRoundsMax = 200;
constexpr int kRoundsLate = 4;
// Steps of a few tokens: what a batch leads to, and the path between one token and a prompt.
constexpr int kPieces[] = {2, 4, 8, 16};
constexpr int kOtherSteps = 12;
// Deeper caches take long to fill; what they cost follows from these.
constexpr int kDepths[] = {64, 256, 512, 1024};
// What experiments of short prompts and a few steps miss of longer tests, as a share of the change.
constexpr double kTransfer = 0.1;
// A step so much longer than the usual one was interrupted.
constexpr double kInterrupted = 2;

bool contains(const std::vector<std::string>& names, const std::string& name) {
    return std::find(names.begin(), names.end(), name) != names.end();
}

std::string variant_of(const runtime::LoadOptions& load, const std::string& family) {
    for (const auto& [name, variant] : load.variants) {
        if (name == family) return variant;
    }
    return "";
}

// Depths to sample on the way from one to the other.
std::vector<int> depths_between(int a, int b) {
    std::vector<int> out;
    if (a == b) return out;
    for (const int depth : kDepths) {
        if (depth <= std::max(a, b) && depth != a) out.push_back(depth);
    }
    return out;
}

// What steps of one kind usually take; the first ones only say so.
class Typical {
  public:
    bool is_usual(double ns) {
        const auto middle = measure::median(seen_ns_);
        if (seen_ns_.size() < kSeenMax) seen_ns_.push_back(ns);
        return seen_ns_.size() > kSeenMin && ns <= kInterrupted * middle.value_or(0);
    }

  private:
    static constexpr size_t kSeenMin = 3;
    static constexpr size_t kSeenMax = 64;
    std::vector<double> seen_ns_;
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

// What the baseline's steps cost. Its own prompts and tokens go into one record, as a run's would;
// steps of a few tokens and steps at a depth go into others, a record for each size, so that the
// step model has samples where a change of the batch or the depth leads.
class Profile {
  public:
    Profile(runtime::Session& session, const SideSettings& side, const ForecastOptions& options,
            const base::Clock& clock)
        : session_(session),
          side_(side),
          options_(options),
          clock_(clock),
          random_(options.seed),
          own_(session.plan(), session.options().threads, clock) {}

    base::Status run(const SideSettings& b, const Conduct& conduct) {
        const std::vector<int> depths = depths_between(side_.depth, b.depth);
        const int deepest = std::max({options_.prompt_tokens, kPieces[std::size(kPieces) - 1],
                                      side_.depth, depths.empty() ? 0 : depths.back()});
        HONE_TRY(auto stepper, Stepper::create(session_.config(), session_.executor(),
                                               static_cast<uint32_t>(std::max(1, side_.batch)),
                                               static_cast<uint32_t>(deepest) + steps_max()));
        HONE_TRY_STATUS(own_steps(stepper, conduct));
        for (const int depth : depths) {
            HONE_TRY_STATUS(conduct.check());
            others_.emplace_back(session_.plan(), session_.options().threads, clock_);
            (void)tokens(stepper, depth, 1, others_.back());
        }
        for (const int piece : kPieces) {
            HONE_TRY_STATUS(conduct.check());
            others_.emplace_back(session_.plan(), session_.options().threads, clock_);
            pieces(stepper, piece, others_.back());
        }
        return {};
    }

    void store(RunRecord& record) const {
        own_.store(record);
        record.experiments.push_back(cost::to_experiment(control_));
    }
    // One record for each of the other sizes; `facts` has what they share.
    std::vector<RunRecord> others(const RunRecord& facts) const {
        std::vector<RunRecord> out;
        for (const StepRecorder& recorder : others_) recorder.store(out.emplace_back(facts));
        return out;
    }

  private:
    uint32_t steps_max() const {
        return static_cast<uint32_t>(std::max(options_.output_tokens, kOtherSteps));
    }

    base::Status own_steps(Stepper& stepper, const Conduct& conduct) {
        const int64_t begin_ns = clock_.now_ns();
        const auto batch = static_cast<size_t>(std::max(1, side_.batch));
        for (int round = 0; round < kForecastRoundsMax; ++round) {
            const double spent_s = static_cast<double>(clock_.now_ns() - begin_ns) * 1e-9;
            // The first round warms up and is not kept as a pair; where each round has to fill a
            // deep cache first, a few have to do.
            const bool enough = round > 2 * kForecastRoundsMin;
            const bool late = round > kRoundsLate && spent_s >= 2 * options_.profile_s;
            if (late || (enough && spent_s >= options_.profile_s)) break;
            HONE_TRY_STATUS(conduct.check());
            prompt(stepper);
            const double decode_ns = tokens(stepper, side_.depth, batch, own_);
            if (round > 0)
                (round % 2 == 0 ? control_.second_ns : control_.first_ns).push_back(decode_ns);
        }
        const size_t pairs = std::min(control_.first_ns.size(), control_.second_ns.size());
        control_.first_ns.resize(pairs);
        control_.second_ns.resize(pairs);
        return {};
    }

    // Times a step; one that somebody else's work made much longer than usual is not kept.
    template <class Step>
    double keep(Stepper& stepper, const char* slice, Typical& typical, StepRecorder& recorder,
                Step&& step) {
        const uint32_t at = stepper.position(0);
        const int64_t start = clock_.now_ns();
        step(recorder.timer());
        const auto ns = static_cast<double>(clock_.now_ns() - start);
        if (typical.is_usual(ns)) recorder.record(slice, at, stepper.last_shape());
        return ns;
    }

    void prompt(Stepper& stepper) {
        stepper.clear();
        const auto ids = random_tokens(random_, stepper.executor().vocab(),
                                       static_cast<size_t>(options_.prompt_tokens));
        const size_t step = stepper.executor().tokens_max();
        for (std::span<const int32_t> rest = ids; !rest.empty();) {
            const size_t count = std::min(rest.size(), step);
            keep(stepper, "prefill", count == ids.size() ? whole_prompt_ : prompt_piece_, own_,
                 [&](measure::StepTimer* timer) {
                     stepper.append(0, rest.first(count), count == rest.size(), timer);
                 });
            rest = rest.subspan(count);
        }
    }

    // ns of the median step.
    double tokens(Stepper& stepper, int depth, size_t batch, StepRecorder& recorder) {
        stepper.clear();
        const uint32_t vocab = stepper.executor().vocab();
        if (depth > 0) {
            stepper.prefill(0, random_tokens(random_, vocab, static_cast<size_t>(depth)));
        }
        std::vector<double> steps_ns;
        Typical other;
        const bool own = &recorder == &own_;
        const int steps = own ? options_.output_tokens : kOtherSteps;
        for (int i = 0; i < steps; ++i) {
            const auto ids = random_tokens(random_, vocab, batch);
            steps_ns.push_back(
                keep(stepper, "decode", own ? token_ : other, recorder,
                     [&](measure::StepTimer* timer) { stepper.decode(ids, timer); }));
        }
        return measure::median(steps_ns).value_or(0);
    }

    // Prompts of so many tokens, again and again.
    void pieces(Stepper& stepper, int piece, StepRecorder& recorder) {
        const auto count =
            std::min(static_cast<size_t>(piece), size_t{stepper.executor().tokens_max()});
        Typical typical;
        for (int i = 0; i < kOtherSteps; ++i) {
            stepper.clear();
            const auto ids = random_tokens(random_, stepper.executor().vocab(), count);
            keep(stepper, "prefill", typical, recorder,
                 [&](measure::StepTimer* timer) { stepper.append(0, ids, true, timer); });
        }
    }

    runtime::Session& session_;
    const SideSettings& side_;
    const ForecastOptions& options_;
    const base::Clock& clock_;
    base::Random random_;
    StepRecorder own_;
    std::vector<StepRecorder> others_;
    Typical whole_prompt_;
    Typical prompt_piece_;
    Typical token_;
    cost::Control control_;
};

// The experiments that turn the knob of a change; a depth has none.
std::vector<ExperimentOrder> orders_for(const std::vector<WhatIf>& what_ifs,
                                        const SideSettings& a) {
    std::vector<ExperimentOrder> orders;
    const std::string threads = std::to_string(a.load.threads);
    const std::string batch = std::to_string(std::max(1, a.batch));
    for (const WhatIf& what_if : what_ifs) {
        const std::string& setting = what_if.setting;
        switch (what_if.kind) {
            case WhatIfKind::without_pass:
                orders.push_back({"pass_ablation", what_if.subject, "", {}});
                break;
            case WhatIfKind::flush_denormals:
                orders.push_back({"ftz", "", "", {}});
                break;
            case WhatIfKind::threads:
                orders.push_back({"thread_sweep", "", "", {threads, setting}});
                break;
            case WhatIfKind::isa:
                orders.push_back({"isa_sweep", "", "", {setting}});
                break;
            case WhatIfKind::variant:
                orders.push_back({"variant_sweep", what_if.subject, "", {setting}});
                break;
            case WhatIfKind::batch:
                orders.push_back({"batch_sweep", "", "", {batch, setting}});
                break;
            default:
                break;
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
        const double change = std::log(ratio->value);
        log_value += change;
        if (!ratio->has_interval || !(ratio->low > 0)) {
            has_interval = false;
            return;
        }
        low_squares += std::pow(std::log(ratio->value / ratio->low), 2);
        high_squares += std::pow(std::log(ratio->high / ratio->value), 2);
        // Pairs say how sure they are of themselves, not of the longer tests that they stand for.
        if (ratio->n > 0) add_squares(std::pow(kTransfer * change, 2));
    }
    void add_squares(double squares) {
        low_squares += squares;
        high_squares += squares;
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

// Less of the model, or of its head. The other way round nothing was seen of what would come back.
base::Status add_model_changes(const runtime::LoadOptions& from, const runtime::LoadOptions& to,
                               std::vector<WhatIf>& out) {
    const std::vector<uint32_t>& layers = to.without_layers;
    const std::vector<uint32_t>& before = from.without_layers;
    if (!std::includes(layers.begin(), layers.end(), before.begin(), before.end())) {
        return base::fail(base::ErrorCode::unsupported, "the forecast knows no layers but A's");
    }
    if (layers.size() > before.size()) {
        const size_t fewer = layers.size() - before.size();
        out.push_back({WhatIfKind::remove_layers, "", std::to_string(fewer)});
    }
    if (from.screen_head && !to.screen_head) {
        return base::fail(base::ErrorCode::unsupported,
                          "a screened head does not show what the full one takes");
    }
    if (to.screen_head && !from.screen_head) {
        out.push_back({WhatIfKind::trim_head, "", "screened"});
    }
    return {};
}

}  // namespace

std::string main_weight_format(const runtime::Session& session) {
    std::map<std::string, double> weights_by_format;
    for (const measure::PlanNodeFacts& node : session.plan().facts()) {
        const std::string format = cost::parse_variant(node.variant).format;
        if (!cost::format_bytes_per_weight(format)) continue;
        weights_by_format[format] +=
            static_cast<double>(node.shape.rows) * static_cast<double>(node.shape.columns);
    }
    const auto most =
        std::max_element(weights_by_format.begin(), weights_by_format.end(),
                         [](const auto& x, const auto& y) { return x.second < y.second; });
    return most == weights_by_format.end() ? "" : most->first;
}

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
        const auto dtype = static_cast<size_t>(to.limits.kv_dtype);
        out.push_back({WhatIfKind::kv_dtype, "", kernels::kv_dtype_names()[dtype]});
    }
    if (from.flush_denormals != to.flush_denormals) {
        out.push_back({WhatIfKind::flush_denormals, "", to.flush_denormals ? "on" : "off"});
    }
    if (from.limits.step_tokens_max != to.limits.step_tokens_max) {
        out.push_back({WhatIfKind::step_tokens, "", std::to_string(to.limits.step_tokens_max)});
    }
    if (a.weight_format != b.weight_format) {
        out.push_back({WhatIfKind::weight_format, "", b.weight_format});
    }
    HONE_TRY_STATUS(add_model_changes(from, to, out));
    if (a.batch != b.batch) out.push_back({WhatIfKind::batch, "", std::to_string(b.batch)});
    if (a.depth != b.depth) out.push_back({WhatIfKind::depth, "", std::to_string(b.depth)});
    return out;
}

Forecasts forecasts_of(const std::vector<SimulationResult>& changes, const SideSettings& a,
                       const SideSettings& b, double noise) {
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
        // A simulation has it in its interval.
        const bool pairs = change.value->decode && change.value->decode->n > 0;
        if (!pairs) continue;
        prefill.add_squares(noise * noise);
        decode.add_squares(noise * noise);
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

base::Result<BaselineProfile> profile_baseline(runtime::Session& session, const SideSettings& a,
                                               const SideSettings& b,
                                               const machine::MachineProfile& machine,
                                               const ForecastOptions& options,
                                               const base::Clock& clock, const Conduct& conduct) {
    conduct.report("profiling the baseline", 0);
    Profile profile(session, a, options, clock);
    HONE_TRY_STATUS(profile.run(b, conduct));
    BaselineProfile out;
    out.record = facts_of(session, a, machine, options);
    out.record.memory.weights_bytes = session.executor().memory().weights_bytes;
    out.others = profile.others(out.record);
    profile.store(out.record);
    return out;
}

base::Result<Forecasts> forecast(runtime::Session& baseline, const SideSettings& a,
                                 const SideSettings& b, const machine::MachineProfile& machine,
                                 const ForecastOptions& options, const base::Clock& clock,
                                 const Conduct& conduct) {
    HONE_TRY(const std::vector<WhatIf> what_ifs, what_ifs_between(a, b));
    HONE_TRY(auto profile, profile_baseline(baseline, a, b, machine, options, clock, conduct));
    RunRecord& record = profile.record;
    const double noise = cost::control_noise(record).value_or(0);
    const auto foretell = [&] {
        std::vector<SimulationResult> changes;
        for (const WhatIf& what_if : what_ifs) {
            changes.push_back(cost::simulate(record, what_if, profile.others));
            // The rate test has one prompt, whatever the batch.
            const bool batch = what_if.kind == WhatIfKind::batch;
            if (batch && changes.back().value) changes.back().value->prefill.reset();
        }
        return forecasts_of(changes, a, b, noise);
    };
    const std::vector<Forecast> simulated = foretell().metrics;
    const auto orders = orders_for(what_ifs, a);
    if (!orders.empty() && options.experiments_s > 0) {
        ExperimentOptions experiments;
        experiments.budget_s = options.experiments_s * static_cast<double>(orders.size());
        experiments.depth = options.prompt_tokens;
        experiments.batch = std::max(1, a.batch);
        experiments.seed = options.seed;
        HONE_TRY(auto results, run_experiments(baseline, orders, experiments, clock, conduct));
        for (auto& result : results) record.experiments.push_back(std::move(result));
    }
    Forecasts out = foretell();
    out.simulated = simulated;
    return out;
}

}  // namespace hone::probe
