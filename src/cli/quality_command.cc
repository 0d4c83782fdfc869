#include <algorithm>
#include <memory>

#include "base/json.h"
#include "cli/command.h"
#include "cli/input.h"
#include "cli/progress.h"
#include "cli/quality_report.h"
#include "cli/quality_work.h"
#include "cli/session_options.h"
#include "quality/base_run.h"
#include "quality/scores.h"
#include "runtime/text_reader.h"

namespace hone::cli {
namespace {

using base::ErrorCode;
using base::fail;
using base::Json;

// Positions that items may take, where the model has them.
constexpr uint32_t kItemPositions = 2048;
// One run from here on: base first, then the candidate, then the verdicts.
class Measurement {
  public:
    Measurement(const QualityOptions& options, const QualityWork& work,
                const CommandContext& context)
        : options_(options),
          work_(work),
          context_(context),
          progress_(context.terminal.stderr_tty, context.clock) {}

    base::Result<QualityReport> run() {
        QualityReport report;
        report.model = file_name(options_.model);
        report.gate = work_.gate;
        report.compared = compared();
        if (work_.needs_model) {
            HONE_TRY_STATUS(read_windows());
            if (compared()) HONE_TRY_STATUS(ask_base());
            HONE_TRY_STATUS(ask_candidate());
        } else {
            for (const quality::Item& item : work_.items) {
                answers_.push_back(quality::blank_answer(item));
            }
        }
        const base::Status scored = score(report);
        progress_.clear();
        HONE_TRY_STATUS(scored);
        judge(report);
        report.signature = signature();
        return report;
    }

  private:
    bool compared() const { return !options_.against.empty(); }
    bool has_text() const { return !options_.text.empty(); }

    quality::GoOn go_on(const char* what) {
        return [this, what](double share) {
            progress_.show(what, share);
            return !context_.cancelled.load();
        };
    }

    quality::AnswerOptions answer_options(const char* what) {
        return {.seed = options_.seed,
                .cancel = &context_.cancelled,
                .report = [this, what](double share) { progress_.show(what, share); }};
    }

    // The windows of the text, by the candidate's tokenizer.
    base::Status read_windows() {
        HONE_TRY(const std::string path, model_file(options_.model, options_.session, context_));
        HONE_TRY(const auto model, models::Model::open(path));
        vocab_ = model->config().n_vocab;
        positions_ = positions_of(model->config());
        if (!has_text()) return {};
        HONE_TRY(const text::Tokenizer tokenizer, runtime::open_tokenizer(*model));
        tokens_ = tokenizer.encode(work_.text);
        HONE_TRY(windows_, quality::cut_text(tokenizer, tokens_, options_.windows));
        return {};
    }

    // Positions of a session: a window of the text, and what items may take.
    uint32_t positions_of(const models::ModelConfig& config) const {
        const uint32_t context = options_.windows.context;
        const uint32_t text = has_text() ? context : 0;
        if (work_.items.empty()) return text;
        return std::max(text, std::min(std::max(kItemPositions, context), config.context_max));
    }

    base::Result<std::unique_ptr<runtime::Session>> open(const std::string& model,
                                                         const SessionOptions& session,
                                                         uint32_t positions) {
        HONE_TRY(const auto load,
                 load_options(session, runtime::reader_limits(positions), context_));
        return open_session(model, session, load, context_);
    }

    // With the defaults: what flags do to the model is part of its quality.
    SessionOptions base_session() const {
        SessionOptions plain;
        plain.threads = options_.session.threads;
        plain.pin = options_.session.pin;
        return plain;
    }

    base::Result<quality::BaseModel> base_model() {
        HONE_TRY(const auto model, models::Model::open(options_.against));
        quality::BaseModel base;
        base.vocab = model->config().n_vocab;
        base.positions = positions_of(model->config());
        base.identity = fmt::format("{}{}\nisa {}\n", model->identity(), build_text(),
                                    machine::isa_name(machine::detect_isa()));
        if (has_text() && base.vocab != vocab_) {
            return fail(ErrorCode::invalid_argument,
                        "the models have {} and {} tokens: their predictions cannot be compared",
                        vocab_, base.vocab);
        }
        const uint32_t positions = base.positions;
        base.open = [this, positions]() -> base::Result<std::unique_ptr<runtime::Session>> {
            HONE_TRY(auto session, open(options_.against, base_session(), positions));
            if (has_text() && session->tokenizer().encode(work_.text) != tokens_) {
                return fail(ErrorCode::invalid_argument,
                            "the models make different tokens of the text: their predictions "
                            "cannot be compared");
            }
            return session;
        };
        return base;
    }

    base::Status ask_base() {
        HONE_TRY(quality::BaseModel model, base_model());
        quality::BaseStore store;
        if (options_.base_runs == "on") store.directory = context_.terminal.cache_folder("quality");
        base_.emplace(std::move(model), std::move(store), context_.clock);
        if (has_text()) {
            HONE_TRY(rows_, base_->rows(windows_, go_on("base: scoring")));
        }
        if (!work_.items.empty()) {
            HONE_TRY(base_answers_,
                     base_->answers(work_.items, work_.content, answer_options("base: answering")));
        }
        base_->finish();
        progress_.clear();
        for (const std::string& note : base_->notes()) fmt::print(stderr, "hone: {}\n", note);
        return {};
    }

    base::Status ask_candidate() {
        HONE_TRY(const auto session, open(options_.model, options_.session, positions_));
        isa_ = machine::isa_name(*session->options().isa);
        if (has_text()) {
            HONE_TRY(scored_, quality::score_text(*session, windows_, rows_, go_on("scoring")));
        }
        if (!work_.items.empty()) {
            HONE_TRY(answers_, quality::answer_items(*session, work_.items,
                                                     answer_options("answering"), context_.clock));
        }
        progress_.clear();
        return {};
    }

    base::Status score(QualityReport& report) {
        if (has_text()) {
            report.scores = quality::scores_of(scored_, compared());
            if (compared()) report.differences.push_back(quality::perplexity_difference(scored_));
        }
        const quality::GoOn told = go_on("counting");
        HONE_TRY(const auto ours, quality::measure_items(work_.items, answers_, work_.rules, told));
        HONE_TRY_STATUS(add_scores(ours, report));
        if (!compared()) return {};
        HONE_TRY(const auto theirs,
                 quality::measure_items(work_.items, base_answers_, work_.rules, told));
        for (size_t i = 0; i < ours.size(); ++i) {
            HONE_TRY(quality::Difference difference,
                     quality::compare_items(ours[i].metric, theirs[i].sums, ours[i].sums,
                                            go_on("resampling")));
            report.differences.push_back(std::move(difference));
        }
        HONE_TRY(const auto distances,
                 quality::measure_distances(work_.items, base_answers_, answers_, told));
        return add_scores(distances, report);
    }

    base::Status add_scores(std::span<const quality::MeasuredItems> measured,
                            QualityReport& report) {
        for (const quality::MeasuredItems& one : measured) {
            HONE_TRY(quality::Score score,
                     quality::score_items(one.metric, one.sums, go_on("resampling")));
            report.scores.push_back(std::move(score));
        }
        return {};
    }

    quality::GateReading reading(const QualityReport& report, const quality::GateTerm& term) const {
        const std::string_view name = term.metric->metric;
        quality::GateReading out;
        if (name == "perplexity") {
            double nll = 0, n = 0;
            for (const quality::ScoredWindow& window : scored_) {
                nll += compared() ? window.nll_reference : window.nll;
                n += static_cast<double>(window.n);
            }
            out.meaningless = quality::predicts_by_chance(nll / n, vocab_);
        }
        if (term.is_change) {
            for (const quality::Difference& difference : report.differences) {
                if (difference.name != name) continue;
                out.value = difference.change_percent;
                out.ci95 = difference.percent_ci95;
            }
            return out;
        }
        for (const quality::Score& score : report.scores) {
            if (score.name != name) continue;
            out.value = score.value;
            out.ci95 = score.ci95;
        }
        return out;
    }

    // The gate sees all that was measured; the verdicts share their risk over what is shown.
    void judge(QualityReport& report) const {
        if (report.gate) {
            report.verdict = quality::judge_gate(
                *report.gate, [&](const quality::GateTerm& term) { return reading(report, term); });
        }
        if (!options_.metrics.empty()) {
            const auto unwanted = [&](const auto& value) {
                return !has_name(options_.metrics, value.name);
            };
            auto& scores = report.scores;
            auto& differences = report.differences;
            scores.erase(std::remove_if(scores.begin(), scores.end(), unwanted), scores.end());
            differences.erase(std::remove_if(differences.begin(), differences.end(), unwanted),
                              differences.end());
        }
        quality::judge_differences(report.differences);
    }

    Json signature() const;
    void describe_items(Json& out) const;

    const QualityOptions& options_;
    const QualityWork& work_;
    const CommandContext& context_;
    Progress progress_;
    size_t vocab_ = 0;
    uint32_t positions_ = 0;
    std::string isa_;
    std::vector<int32_t> tokens_;
    std::vector<quality::TextWindow> windows_;
    std::optional<quality::BaseRun> base_;
    quality::ReferenceRows* rows_ = nullptr;
    std::vector<quality::ScoredWindow> scored_;
    std::vector<quality::ItemAnswer> base_answers_;
    std::vector<quality::ItemAnswer> answers_;
};

void Measurement::describe_items(Json& out) const {
    out["data"] = *work_.data;
    const auto of = [&](quality::TaskKind task) {
        const auto& items = work_.items;
        const auto found = std::find_if(items.begin(), items.end(),
                                        [&](const auto& item) { return item.task == task; });
        return found == items.end() ? nullptr : &*found;
    };
    using quality::TaskKind;
    for (const TaskKind task : {TaskKind::choice, TaskKind::classification}) {
        if (of(task) == nullptr) continue;
        out[task == TaskKind::choice ? "choice_length" : "class_length"] =
            quality::choice_length_name(quality::choice_length_of(task, work_.rules));
    }
    if (const quality::Item* item = of(TaskKind::classification)) {
        out["f1"] = item->choices.size() == 2 ? "of '" + item->choices[1] + "'" : "macro";
    }
    if (of(TaskKind::generation) != nullptr) {
        out["bleu"] = fmt::format("case:mixed|eff:no|tok:{}|smooth:exp",
                                  options_.bleu_tokens == "13a" ? "13a" : "char");
        out["chrf"] = "case:mixed|eff:yes|nc:6|nw:0|space:no";
        out["rouge"] = fmt::format("tok:{}|stem:no|refs:best", options_.rouge_tokens);
        out["exact_match"] = "case:lower|punctuation:no|articles:no";
    }
    out["seed"] = options_.seed;
    out["resampling"] =
        fmt::format("paired|n:{}|seed:{}", quality::kResamples, quality::kResamplingSeed);
}

Json Measurement::signature() const {
    Json out = Json::object();
    if (has_text()) {
        out["text"] = file_name(options_.text);
        out["text_tokens"] = tokens_.size();
        out["window"] = options_.window;
        out["context"] = options_.windows.context;
        out["windows"] = windows_.size();
    }
    if (!work_.items.empty()) describe_items(out);
    if (work_.needs_model) {
        out["isa"] = isa_;
        out["positions"] = positions_;
        out["kv"] = options_.session.kv;
        out["without"] = options_.session.without;
    }
    out["build"] = build_text();
    if (compared()) {
        out["against"] = file_name(options_.against);
        out["stored"] = base_->reused();
    }
    return out;
}

base::Status run(QualityOptions& options, const CommandContext& context) {
    using quality::GateOutcome;
    using quality::WindowKind;
    options.windows.window = options.window == "sliding" ? WindowKind::sliding : WindowKind::llama;
    HONE_TRY(const QualityWork work, read_quality_work(options));
    Measurement measurement(options, work, context);
    HONE_TRY(const QualityReport report, measurement.run());
    HONE_TRY_STATUS(
        show(quality_json(report), quality_text(report, context.terminal.style), options.json));
    if (!report.gate || report.verdict.outcome == GateOutcome::held) return {};
    fmt::print(stderr, "hone: gate {}: {}\n", report.gate->text(),
               quality::gate_outcome_name(report.verdict.outcome));
    const bool failed = report.verdict.outcome == GateOutcome::broken;
    context.exit_code = failed ? kExitRegressed : kExitUnproved;
    return {};
}

void add_task_options(Command command, QualityOptions& options) {
    command.add_option("--data", options.data,
                       "Items of tasks, a file of JSON lines (docs/quality.md), or builtin:choice, "
                       "builtin:classification, builtin:generation, builtin:consistency "
                       "(repeatable)");
    command
        .add_option("--choice-length", options.choice_length,
                    "Divide a choice's log-likelihood by its length: none, characters, bytes "
                    "(default: characters; none for classes)")
        .one_of({"none", "characters", "bytes"});
    command
        .add_option("--bleu-tokens", options.bleu_tokens,
                    "13a: words; characters: for scripts without spaces")
        .one_of({"13a", "characters"})
        .show_default();
    command
        .add_option("--rouge-tokens", options.rouge_tokens,
                    "ascii: as rouge-score, which drops other scripts; unicode: all of them")
        .one_of({"ascii", "unicode"})
        .show_default();
    command.add_option("--seed", options.seed, "Of sampled answers").show_default();
}

}  // namespace

Action add_quality(Command program) {
    auto command = program.add_command("quality",
                                       "How well a model predicts a text and solves tasks, and "
                                       "how far it is from another one");
    auto options = std::make_shared<QualityOptions>();
    command.add_option("model", options->model,
                       "Model file (not needed where the items carry their answers)");
    command.add_option("--text", options->text, "Text to predict, a file");
    add_task_options(command, *options);
    command.add_option("--against", options->against,
                       "Base model, run with the defaults: adds paired differences, KL "
                       "divergence and top-1 agreement");
    command.add_option("--gate", options->gate,
                       "What must hold, e.g. ppl:+1%,kl:<0.02,acc:-1%; exit code 1: fails, "
                       "9: unproved");
    command
        .add_option("--base-runs", options->base_runs,
                    "Keep what the base predicts and answers for the next comparison")
        .one_of({"on", "off"})
        .show_default();
    command.add_option("--metric", options->metrics, "Only these (repeatable)");
    command
        .add_option("--window", options->window,
                    "llama: side by side, second halves; sliding: every token once")
        .one_of({"llama", "sliding"})
        .show_default();
    command
        .add_option("--context", options->windows.context,
                    "Tokens of a window of the text; items may have 2048, or as many as this")
        .in_range(8u, 1u << 20)
        .show_default();
    command.add_option("--windows", options->windows.windows_max, "At most so many windows");
    add_session_options(command, options->session);
    command.add_flag("--json", options->json, "Print JSON");
    return [options](const CommandContext& context) { return run(*options, context); };
}

}  // namespace hone::cli
