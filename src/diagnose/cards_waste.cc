#include <algorithm>
#include <cmath>

#include "cost/observations.h"
#include "cost/predict.h"
#include "diagnose/cards.h"

namespace hone::diagnose {
namespace {

using cost::note;
using cost::Ratio;
using cost::WhatIf;
using cost::WhatIfKind;
using measure::RequestSample;
using measure::RunRecord;

// A pass that is off: its ablation, or what its redundancy costs as measured in this run.
void add_pass_on(Cards& cards, const measure::PassRun& pass) {
    Decision card = flag_card("with:" + pass.name, note("card_with_pass").with("pass", pass.name));
    WhatIf what_if{WhatIfKind::without_pass, pass.name, "on"};
    // Pairs of steps with and without it know more than the nodes of this run: what a node keeps
    // out of the caches, others wait for.
    if (!cost::find_sweep(cards.record, "pass_ablation", pass.name)) {
        if (pass.name == "fold_constants") what_if.kind = WhatIfKind::fold_constants;
        if (pass.name == "last_position_logits" && cost::find_wasted_head(cards.record)) {
            what_if.kind = WhatIfKind::last_logits;
        }
    }
    predict(cards, card, what_if);
    add_class_share(cards, card, Bottleneck::structural_redundancy);
    card.undo = {"--without", pass.name};
    cards.out.push_back(std::move(card));
}

// Tokens of one request that an ideal prefix cache would have saved, or nothing.
double repeated_tokens(const RequestSample& request) {
    return std::max(0, request.prompt_tokens_repeated - request.prompt_tokens_reused);
}

double computed_tokens(const RequestSample& request) {
    return std::max(1, request.prompt_tokens - request.prompt_tokens_reused);
}

// At least one token must be computed: its logits are the answer's first.
double left_without(const RequestSample& request, double unneeded) {
    const double computed = computed_tokens(request);
    return std::max(1.0, computed - unneeded) / computed;
}

// Requests of a batch share their steps, so all of them follow the mean.
PrefillFactor factor_of(const Cards& cards, std::function<double(const RequestSample&)> left_of) {
    const RunRecord& record = cards.record;
    std::optional<double> mean;
    if (record.context.batch > 1) {
        double sum = 0;
        double weight = 0;
        for (const RequestSample& request : record.requests) {
            if (request.phase != "warm") continue;
            sum += left_of(request) * computed_tokens(request);
            weight += computed_tokens(request);
        }
        if (weight > 0) mean = sum / weight;
    }
    return [&record, left_of = std::move(left_of), mean](const RequestSample& request) {
        return prefill_factor(record, request, mean ? *mean : left_of(request));
    };
}

void predict_tokens(Cards& cards, Decision& card,
                    std::function<double(const RequestSample&)> left_of) {
    PredictionResult result = predict_prefill(cards.record, factor_of(cards, std::move(left_of)));
    card.predicted = std::move(result.value);
    card.reason = std::move(result.reason);
}

}  // namespace

void add_passes(Cards& cards) {
    for (const measure::PassRun& pass : cards.record.passes) {
        // Only this pass rounds differently; the others keep every bit (graph/passes.h).
        const char* risk = pass.name == "quantize_activations" ? "epsilon" : "exact";
        if (!pass.enabled) {
            add_pass_on(cards, pass);
            cards.out.back().risk.level = risk;
            continue;
        }
        if (pass.rewrites == 0) continue;
        Decision card =
            flag_card("without:" + pass.name, note("card_without_pass").with("pass", pass.name));
        predict(cards, card, WhatIf{WhatIfKind::without_pass, pass.name, "off"});
        card.evidence.push_back(
            note("pass_rewrites").with("rewrites", pass.rewrites).with("pass_ms", pass.ms));
        card.risk.level = risk;
        card.apply = {"--without", pass.name};
        cards.out.push_back(std::move(card));
    }
}

// Offered where prompts share a prefix: on when nothing was reused, off (a loss) when it was.
void add_prefix_cache(Cards& cards) {
    const PromptTokens tokens = prompt_tokens(cards.record);
    if (tokens.requests == 0) return;
    const auto per_request = static_cast<double>(tokens.requests);
    if (tokens.reused > 0) {
        Decision card = flag_card("prefix_cache:off", note("card_prefix_cache_off"));
        predict_tokens(cards, card, [](const RequestSample& request) {
            return request.prompt_tokens / computed_tokens(request);
        });
        card.evidence.push_back(
            note("reused_prefix")
                .with("tokens_share", tokens.reused / (tokens.computed + tokens.reused))
                .with("tokens_per_request", tokens.reused / per_request));
        card.apply = {"--prefix-cache", "off"};
        card.undo = {"--prefix-cache", "on"};
        cards.out.push_back(std::move(card));
        return;
    }
    if (tokens.repeated <= 0) return;
    Decision card = flag_card("prefix_cache:on", note("card_prefix_cache"));
    predict_tokens(cards, card, [](const RequestSample& request) {
        return left_without(request, repeated_tokens(request));
    });
    card.evidence.push_back(note("repeated_prefix")
                                .with("tokens_share", tokens.repeated / tokens.computed)
                                .with("tokens", static_cast<int64_t>(tokens.repeated))
                                .with("requests", tokens.requests));
    add_class_share(cards, card, Bottleneck::structural_redundancy);
    card.apply = {"--prefix-cache", "on"};
    card.undo = {"--prefix-cache", "off"};
    cards.out.push_back(std::move(card));
}

void add_padding(Cards& cards) {
    const PromptTokens tokens = prompt_tokens(cards.record);
    if (tokens.padding <= 0) return;
    Decision card = flag_card("trim_padding", note("card_trim_padding"));
    predict_tokens(cards, card, [](const RequestSample& request) {
        return left_without(request,
                            std::max(0, request.padding_tokens - request.prompt_tokens_reused));
    });
    card.evidence.push_back(note("padding")
                                .with("tokens_share", tokens.padding / tokens.computed)
                                .with("tokens", static_cast<int64_t>(tokens.padding))
                                .with("requests", tokens.requests));
    add_class_share(cards, card, Bottleneck::structural_redundancy);
    // What padding meant to the answer goes with it.
    card.risk.level = "epsilon";
    card.apply = {"--trim-padding"};
    cards.out.push_back(std::move(card));
}

// Both ways: flushing them where it was off, and what switching it off again would cost.
void add_denormals(Cards& cards) {
    const auto flush = cost::find_flush_denormals(cards.record);
    if (!flush) return;
    const bool on_now = flush->baseline == "on";
    Decision card = on_now ? flag_card("keep_denormals", note("card_keep_denormals"))
                           : flag_card("flush_denormals", note("card_flush_denormals"));
    const cost::SweepPoint& now = on_now ? flush->on : flush->off;
    const cost::SweepPoint& then = on_now ? flush->off : flush->on;
    cost::Simulation simulation;
    simulation.tier = cost::Provenance::measured;
    simulation.batch = std::max(1, cards.record.context.batch);
    simulation.prefill = cost::ratio_of(then.prefill_ns, now.prefill_ns);
    simulation.decode = cost::ratio_of(then.decode_ns, now.decode_ns);
    predict(cards, card, simulation);
    if (const auto scan = cost::find_weight_scan(cards.record)) {
        uint64_t denormals = 0;
        for (const cost::TensorScan& tensor : scan->findings) denormals += tensor.denormals;
        card.evidence.push_back(note(denormals > 0 ? "denormal_weights" : "no_denormal_weights")
                                    .with("count", static_cast<int64_t>(denormals)));
    }
    if (flush->rows > 0) {
        card.evidence.push_back(note("flush_changes")
                                    .with("rows", static_cast<int64_t>(flush->rows))
                                    .with("differing", static_cast<int64_t>(flush->rows_differing))
                                    .with("top", static_cast<int64_t>(flush->top_differing)));
    }
    card.risk.level = flush->rows > 0 && flush->rows_differing == 0 ? "exact" : "epsilon";
    const std::vector<std::string> flag = {"--flush-denormals"};
    (on_now ? card.undo : card.apply) = flag;
    cards.out.push_back(std::move(card));
}

}  // namespace hone::diagnose
