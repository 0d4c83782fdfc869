// A tiny synthetic model, opened once for all tests of a suite. Test code only.
#pragma once

#include <gtest/gtest.h>
#include <stdlib.h>

#include <filesystem>
#include <memory>
#include <string>

#include "base/clock.h"
#include "models/synth.h"
#include "probe/workload.h"
#include "runtime/session.h"

namespace hone::probe {

class TinyModelTest : public ::testing::Test {
  protected:
    static void SetUpTestSuite() {
        std::string name = ::testing::TempDir() + "hone_probe_XXXXXX";
        ASSERT_NE(mkdtemp(name.data()), nullptr);
        directory_ = name;
        models::SynthSpec spec;
        spec.n_layers = 2;
        spec.n_embd = 64;
        spec.n_ff = 128;
        spec.n_ctx = 256;
        const base::Status written = models::write_synth(spec, directory_ + "/tiny.gguf");
        ASSERT_TRUE(written) << written.error().message;
        runtime::LoadOptions options;
        options.threads = 2;
        options.limits.context = 128;
        options.limits.sequences_max = 4;
        options.limits.step_tokens_max = 32;
        auto session = runtime::Session::open(directory_ + "/tiny.gguf", options, clock_);
        ASSERT_TRUE(session) << session.error().message;
        session_ = std::move(*session);
    }
    static void TearDownTestSuite() {
        session_.reset();
        std::filesystem::remove_all(directory_);
    }

    // Roofs that are there, so that shares are too; their values mean nothing.
    static machine::MachineProfile some_roofs() {
        machine::MachineProfile profile;
        profile.measured_at = "2026-01-01T00:00:00Z";
        for (const int threads : {1, 2}) {
            profile.bandwidth.push_back({1 << 20, threads, 25.0 * threads, 30.0 * threads});
            profile.bandwidth.push_back({256u << 20, threads, 10.0 * threads, 11.0 * threads});
            for (const char* isa : {"portable", "avx2", "avx512", "avx512vnni", "avx512bf16"}) {
                profile.peaks.push_back({"f32_fma", isa, threads, 50.0 * threads});
                profile.peaks.push_back({"int8_dot", isa, threads, 200.0 * threads});
            }
        }
        return profile;
    }

    RunSetting setting() const {
        return {.clock = clock_,
                .machine = machine_,
                .cold_start_ms = 12.5,
                .build = "test",
                .command = "hone test",
                .slo = "",
                .price_per_hour = std::nullopt,
                .reading_s = 0};
    }

    static inline base::SteadyClock clock_;
    static inline std::string directory_;
    static inline std::unique_ptr<runtime::Session> session_;
    const machine::MachineProfile machine_ = some_roofs();
};

}  // namespace hone::probe
