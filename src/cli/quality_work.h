// What `hone quality` was asked for: options, and the work they make of texts, item files and gate,
// read and checked before a model is opened.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json_fwd.h"
#include "base/result.h"
#include "cli/session_options.h"
#include "quality/gate.h"
#include "quality/item_scores.h"
#include "quality/text_scorer.h"

namespace hone::cli {

struct QualityOptions {
    std::string model;
    std::string against;
    std::string text;
    std::vector<std::string> data;
    std::string gate;
    std::vector<std::string> metrics;
    std::string window = "llama";
    quality::WindowOptions windows;
    std::string choice_length;
    std::string bleu_tokens = "13a";
    std::string rouge_tokens = "ascii";
    uint64_t seed = 1;
    std::string base_runs = "on";
    SessionOptions session;
    bool json = false;
};

struct QualityWork {
    std::string text;
    std::vector<quality::Item> items;
    std::string content;  // bytes of the item files
    base::JsonBox data;   // of the signature
    quality::ScoringRules rules;
    std::optional<quality::Gate> gate;

    bool needs_model = false;
};

// Errors of the files, and invalid_argument: nothing to measure, a metric or a gate that this run
// does not have.
base::Result<QualityWork> read_quality_work(const QualityOptions& options);

bool has_name(const std::vector<std::string>& names, std::string_view name);

}  // namespace hone::cli
