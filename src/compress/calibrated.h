// A model that has read a calibration text: the session it was read with, the tokens, and what is
// now known about the inputs of each matrix. What every quantization with calibration begins with.
//
// Not the statistics themselves (compress/input_statistics.h). Memory: the session's, and with
// feedback the moments, width^2 floats for each matrix input, which are only collected where all
// of them together stay under moments_bytes_max. Drives the session from the calling thread.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "base/clock.h"
#include "base/result.h"
#include "compress/guidance.h"
#include "machine/thread_team.h"
#include "runtime/session.h"

namespace hone::compress {

struct CalibrationRequest {
    std::string model;      // path
    std::string text = {};  // empty: default_calibration_text()
    uint32_t tokens_max = 8192;
    // Kept from calibration for measuring what it did; from the end of a text that has no more.
    uint32_t held_out_max = 0;
    bool feedback = false;
    uint64_t moments_bytes_max = ~uint64_t{0};
};

struct Calibration {
    std::unique_ptr<runtime::Session> session;  // opened by calibration_load
    std::vector<int32_t> tokens;                // that were read
    std::vector<int32_t> held_out;              // that were not, those that follow in the text
    Guidance guidance;
    bool feedback = false;  // moments were collected
};

// `go_on` is told the share that is done and answers whether to go on. Errors: those of
// runtime::open_session and calibrate().
base::Result<Calibration> calibrate_model(const CalibrationRequest& request,
                                          machine::ThreadTeam& team, const base::Clock& clock,
                                          const std::function<bool(double)>& go_on = {});

}  // namespace hone::compress
