// The rates of METRICS.md: prefill, decode, and static batches, on random ids and with nothing but
// forward steps in their time.
//
// One object owns the caches of all tests, so that repeating a test allocates nothing. Each call is
// one test from an empty cache, and may be interleaved with any other. The work that the roofs ask
// for comes with each timing, counted outside of it. Not a scheduler of repeats: see
// probe/workload.h. Thread rule: one thread.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/clock.h"
#include "base/random.h"
#include "base/result.h"
#include "machine/profile.h"
#include "probe/conduct.h"
#include "probe/stepper.h"

namespace hone::probe {

struct RateOptions {
    int prompt_tokens = 512;  // of a prefill test
    int output_tokens = 128;  // steps of a decode test
    int depth = 0;            // tokens in the cache before a decode test
    int batch_max = 1;        // at most Executor::outputs_max()
    int batch_steps = 32;     // steps of a batch test
    double delay_share = 0;   // every step takes this much longer: see probe/delay.h
    uint64_t seed = 1;
};

struct RateSample {
    double tokens = 0;
    double wall_ns = 0;
    std::optional<double> compute_ns;  // arithmetic at the peaks of the machine
    double stream_bytes = 0;           // weights and KV that had to be read
    double roof_gb_per_s = 0;          // of reading the weights at that time; 0: not read

    double tokens_per_s() const { return wall_ns > 0 ? tokens / wall_ns * 1e9 : 0; }
};

class RateTests {
  public:
    // exhausted: the caches do not fit. Everything is borrowed.
    static base::Result<RateTests> create(const models::ModelConfig& config,
                                          graph::Executor& executor,
                                          const machine::MachineProfile& machine,
                                          const base::Clock& clock, const RateOptions& options);

    // `prompt_tokens` into an empty cache, logits of the last position. cancelled, likewise below.
    base::Result<RateSample> prefill(const Conduct& conduct);
    // `output_tokens` single-token steps from `depth`.
    base::Result<RateSample> decode(const Conduct& conduct);
    // `batch` sequences together, `batch_steps` steps from empty caches.
    base::Result<RateSample> decode_batch(int batch, const Conduct& conduct);

  private:
    RateTests(Stepper single, std::optional<Stepper> batched,
              const machine::MachineProfile& machine, const base::Clock& clock,
              const RateOptions& options)
        : single_(std::move(single)),
          batched_(std::move(batched)),
          machine_(machine),
          clock_(clock),
          options_(options),
          random_(options.seed) {}

    base::Result<RateSample> decode_steps(Stepper& stepper, size_t batch, int steps,
                                          const Conduct& conduct);
    RateSample sample_of(double tokens, int64_t wall_ns) const;

    Stepper single_;
    std::optional<Stepper> batched_;
    const machine::MachineProfile& machine_;
    const base::Clock& clock_;
    RateOptions options_;
    base::Random random_;
    std::vector<cost::StepShape> shapes_;  // of the steps of the test that runs
};

}  // namespace hone::probe
