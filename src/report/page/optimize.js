"use strict";
// The page of one optimization: the end against the start, every promise beside its result.
(function () {
  const { el, text, data } = hone;
  const run = data.optimization;

  const signed = (percent) => (hone.isNumber(percent)
    ? (percent > 0 ? "+" : percent < 0 ? "\u2212" : "") + Math.abs(percent).toFixed(1) + "\u00a0%"
    : hone.none);
  const change = (percent, interval) => signed(percent) + (interval
    ? " [" + interval.map(signed).join(", ") + "]" : "");

  function result(trial) {
    return trial.measured.length > 0 ? trial.measured[0] : null;
  }
  function quality(trial) {
    if (!trial.quality) return hone.none;
    return "KL " + Number(trial.quality.kl_mean).toPrecision(2) + ", n " + trial.quality.n;
  }
  const outcome = (trial) => hone.name("trial_", trial.status);

  function trials() {
    if (run.trials.length === 0) return el("p", {}, text("no_trials"));
    return hone.table({
      rows: run.trials,
      search: (trial) => trial.action + " " + trial.status,
      columns: [
        { title: text("head_action"), head: true, cell: (trial) => [hone.foreign(trial.action),
          trial.title ? el("div", { class: "quiet" }, hone.sentence(trial.title)) : null] },
        { title: text("head_promised"), number: true, cell: (trial) => (trial.promised
          ? [change(trial.promised.change_percent, trial.promised.interval),
            trial.promised.learned
              ? el("div", { class: "quiet" }, hone.sentence(trial.promised.learned)) : null]
          : hone.none) },
        { title: text("head_measured"), number: true, cell: (trial) => (result(trial)
          ? change(result(trial).change_percent, result(trial).ci95) : hone.none) },
        { title: text("page_quality"), cell: quality },
        { title: text("head_became"), cell: (trial) => outcome(trial) },
        { title: text("page_reason"), cell: (trial) => [
          trial.reason ? hone.sentence(trial.reason) : hone.none,
          trial.evidence.map((line) => el("div", { class: "quiet" }, hone.sentence(line)))] },
      ],
    });
  }

  function after() {
    if (!run.after) return null;
    return hone.table({
      rows: run.after.metrics,
      columns: [
        { title: text("head_metric"), head: true, cell: (metric) => hone.foreign(metric.name) },
        { title: text("page_before"), number: true,
          cell: (metric) => hone.metricValue(metric.unit, metric.a) },
        { title: text("page_after"), number: true,
          cell: (metric) => hone.metricValue(metric.unit, metric.b) },
        { title: text("head_unit"), cell: (metric) => hone.metricUnit(metric.unit) },
        { title: text("page_change"), number: true,
          cell: (metric) => change(metric.change_percent, metric.ci95) },
        { title: text("head_verdict"), cell: (metric) => hone.name("compare_", metric.verdict) },
      ],
    });
  }

  function summary() {
    const lines = [...run.ending, ...run.roi.lines].map((line) => el("li", {}, hone.sentence(line)));
    return [el("p", {}, text("optimize_changes",
      { changes: run.changes || text("optimize_no_changes") })), el("ul", {}, lines)];
  }

  hone.optimization = function () {
    return [
      [hone.section("result", text("section_end"), summary()), "section_end"],
      [hone.section("after", text("section_after"), after()), "section_after"],
      [hone.section("trials", text("section_trials"), trials()), "section_trials"],
    ].filter(([section]) => section !== null);
  };
  hone.optimizationFacts = () => ({ model: run.model, build: run.build,
    line: [run.machine, run.scenario, run.metric].filter((part) => part).join(" \u00b7 ") });
})();
