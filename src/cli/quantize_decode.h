// What `hone quantize --target decode=` needs beside the types: how long each would take on this
// machine, and whether a written file is as fast as was asked.
//
// The input model is opened as `hone run` would open it and decodes for some seconds; from these
// steps room cost predicts (compress/decode_cost.h). The check takes turns between input and
// candidate (probe/rate_check.h). One thread.
#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "cli/command.h"
#include "cli/progress.h"
#include "compress/decode_cost.h"
#include "measure/record.h"
#include "probe/rate_check.h"
#include "runtime/session.h"

namespace hone::cli {

class DecodeBaseline {
  public:
    static base::Result<DecodeBaseline> open(const std::string& model, int threads,
                                             const CommandContext& context, Progress& progress);

    base::Result<compress::DecodeCost> cost(const compress::SensitivityTable& table) const;
    base::Result<probe::RateCheck> check(const std::string& candidate,
                                         const probe::RatePromise& promise);

  private:
    DecodeBaseline(const CommandContext& context, Progress& progress)
        : context_(context), progress_(progress) {}

    const CommandContext& context_;
    Progress& progress_;
    runtime::LoadOptions load_;
    std::unique_ptr<runtime::Session> session_;
    measure::RunRecord record_;
};

// A file beside the one that was asked for, which takes its name when it has proved itself and is
// removed otherwise.
class CandidateFile {
  public:
    explicit CandidateFile(std::string output);
    ~CandidateFile();
    CandidateFile(const CandidateFile&) = delete;
    CandidateFile& operator=(const CandidateFile&) = delete;

    const std::string& path() const { return path_; }
    // unavailable: the name cannot be taken.
    base::Status accept() const;

  private:
    std::string output_;
    std::string path_;
};

}  // namespace hone::cli
