#include "tune/optimizer.h"

#include <algorithm>

#include "base/json.h"
#include "machine/json_fields.h"
#include "models/checkpoint.h"
#include "models/model.h"
#include "models/model_key.h"
#include "tune/loop.h"

namespace hone::tune {

std::string request_text(const OptimizeOptions& options) {
    const base::Json json = {{"slo", options.slo},
                             {"gate", options.gate.text()},
                             {"floor_percent", options.floor_percent},
                             {"seed", options.work.seed},
                             {"text", options.work.text_name},
                             {"requests", options.work.prompts.size()},
                             {"recipe", options.recipe},
                             {"price_per_hour", machine::json_optional(options.price_per_hour)},
                             {"learning", options.learning}};
    return base::dump_json(json, -1);
}

base::Status restore_request(const std::string& text, OptimizeOptions& options) {
    HONE_TRY(const base::Json json, base::parse_json(text, {1u << 20, 16, 256}));
    base::Status status;
    std::string gate;
    machine::JsonFields fields(json, "$", status);
    fields.required("slo", options.slo);
    fields.required("gate", gate);
    fields.required("floor_percent", options.floor_percent);
    fields.required("seed", options.work.seed);
    fields.optional("learning", options.learning);
    HONE_TRY_STATUS(std::move(status));
    HONE_TRY(options.gate, parse_gate(gate));
    return {};
}

base::Result<ledger::RunSubject> subject_of(const OptimizeOptions& options,
                                            const OptimizeSetting& setting) {
    ledger::RunSubject subject;
    subject.model = models::display_name(options.model);
    HONE_TRY(subject.model_key, models::model_key(options.model));
    subject.machine = setting.machine.facts.cpu_model;
    subject.machine_key = machine::machine_fingerprint(setting.machine.facts);
    subject.scenario = options.work.scenario->id;
    subject.metric = options.work.scenario->primary_metric;
    subject.build = setting.build;
    return subject;
}

base::Result<ledger::Run> optimize(const OptimizeOptions& options, const OptimizeSetting& setting,
                                   std::optional<ledger::Run> left, const probe::Conduct& conduct) {
    Loop loop(options, setting, conduct);
    HONE_TRY_STATUS(loop.begin(std::move(left)));
    base::Status status = loop.improve();
    if (status) status = loop.prove();
    return loop.end(status);
}

bool slo_missed(const ledger::Run& run) {
    return std::any_of(run.ending.begin(), run.ending.end(),
                       [](const diagnose::Note& note) { return note.id == "slo_not_met"; });
}

}  // namespace hone::tune
