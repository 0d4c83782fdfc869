#include "probe/rate_tests.h"

#include <algorithm>
#include <span>

#include "base/check.h"
#include "probe/roof_shares.h"

namespace hone::probe {

base::Result<RateTests> RateTests::create(const models::ModelConfig& config,
                                          graph::Executor& executor,
                                          const machine::MachineProfile& machine,
                                          const base::Clock& clock, const RateOptions& options) {
    const int positions = std::max(
        {options.prompt_tokens, options.depth + options.output_tokens, options.batch_steps});
    HONE_TRY(Stepper single,
             Stepper::create(config, executor, 1, static_cast<uint32_t>(positions)));
    std::optional<Stepper> batched;
    if (options.batch_max > 1) {
        HONE_TRY(batched,
                 Stepper::create(config, executor, static_cast<uint32_t>(options.batch_max),
                                 static_cast<uint32_t>(options.batch_steps)));
    }
    const StepDelay delay(clock, options.delay_share);
    single.set_delay(delay);
    if (batched) batched->set_delay(delay);
    RateTests tests(std::move(single), std::move(batched), machine, clock, options);
    return tests;
}

RateSample RateTests::sample_of(double tokens, int64_t wall_ns) const {
    const graph::Plan& plan = single_.executor().plan();
    RateSample sample;
    sample.tokens = tokens;
    sample.wall_ns = static_cast<double>(wall_ns);
    sample.compute_ns = 0;
    for (const cost::StepShape& shape : shapes_) {
        const auto compute_ns = step_compute_ns(plan, shape, machine_);
        if (!compute_ns) sample.compute_ns.reset();
        if (sample.compute_ns && compute_ns) *sample.compute_ns += *compute_ns;
        sample.stream_bytes += step_stream_bytes(plan, shape);
    }
    return sample;
}

base::Result<RateSample> RateTests::prefill(const Conduct& conduct) {
    const size_t step_max = single_.executor().tokens_max();
    const auto tokens = random_tokens(random_, single_.executor().vocab(),
                                      static_cast<size_t>(options_.prompt_tokens));
    single_.clear();
    shapes_.clear();
    const int64_t begin_ns = clock_.now_ns();
    for (std::span<const int32_t> rest = tokens; !rest.empty();) {
        const size_t count = std::min(rest.size(), step_max);
        single_.append(0, rest.first(count), count == rest.size());
        shapes_.push_back(single_.last_shape());
        rest = rest.subspan(count);
        HONE_TRY_STATUS(conduct.check());
    }
    return sample_of(static_cast<double>(tokens.size()), clock_.now_ns() - begin_ns);
}

base::Result<RateSample> RateTests::decode_steps(Stepper& stepper, size_t batch, int steps,
                                                 const Conduct& conduct) {
    const auto tokens =
        random_tokens(random_, stepper.executor().vocab(), batch * static_cast<size_t>(steps));
    shapes_.clear();
    shapes_.reserve(static_cast<size_t>(steps));
    const int64_t begin_ns = clock_.now_ns();
    for (std::span<const int32_t> rest = tokens; !rest.empty(); rest = rest.subspan(batch)) {
        stepper.decode(rest.first(batch));
        shapes_.push_back(stepper.last_shape());
        HONE_TRY_STATUS(conduct.check());
    }
    return sample_of(static_cast<double>(tokens.size()), clock_.now_ns() - begin_ns);
}

base::Result<RateSample> RateTests::decode(const Conduct& conduct) {
    single_.clear();
    const auto before =
        random_tokens(random_, single_.executor().vocab(), static_cast<size_t>(options_.depth));
    single_.prefill(0, before);
    return decode_steps(single_, 1, options_.output_tokens, conduct);
}

base::Result<RateSample> RateTests::decode_batch(int batch, const Conduct& conduct) {
    HONE_CHECK_LE(batch, options_.batch_max);
    Stepper& stepper = batched_ ? *batched_ : single_;
    stepper.clear();
    return decode_steps(stepper, static_cast<size_t>(batch), options_.batch_steps, conduct);
}

}  // namespace hone::probe
