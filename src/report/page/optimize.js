"use strict";
// The page of one optimization: the end against the start, every promise beside its result.
(function () {
  const { el, text, data } = hone;
  const run = data.optimization;

  const end = (percent) => hone.change(percent).replace("\u00a0%", "");
  const change = (percent, interval) => hone.change(percent) + (interval
    ? " [" + interval.map(end).join(",\u00a0") + "]" : "");
  const result = (trial) => (trial.measured.length > 0 ? trial.measured[0] : null);
  const primary = () => (run.after ? run.after.metrics[0] : null);
  // Good ways: down for times, up for rates.
  const kindOf = (metric) => (metric.verdict === "improved" ? "gain"
    : metric.verdict === "regressed" ? "loss" : "doubt");

  // Of what the section after it has in full: the numbers that people ask for first.
  function tiles() {
    if (!run.after) return null;
    const wanted = ["itl_ms", "ttft_ms", "latency_ms", "output_tokens_per_s"];
    const shown = wanted.map((name) => run.after.metrics.find((metric) => metric.name === name))
      .filter((metric) => metric && hone.isNumber(metric.a) && hone.isNumber(metric.b));
    return el("div", { class: "tiles" }, shown.map((metric) => el("div", { class: "tile" },
      el("span", { class: "label" }, metric.name),
      el("b", {}, hone.metricValue(metric.unit, metric.a) + " \u2192 "
        + hone.metricValue(metric.unit, metric.b)),
      el("span", { class: kindOf(metric) }, change(metric.change_percent, metric.ci95)))));
  }

  function summary() {
    const lines = [...run.ending, ...run.roi.lines].map((line) => el("li", {}, hone.sentence(line)));
    const grade = run.grade
      ? el("p", { class: "grade-" + run.grade }, hone.name("trust_", run.grade)) : null;
    return [el("p", {}, text("optimize_changes",
      { changes: run.changes || text("optimize_no_changes") })), grade,
    el("ul", { class: "lines" }, lines)];
  }

  // From the start over each kept change to the end. Steps are what their trials measured; the end was
  // measured afresh, so it need not be where the last step arrives.
  function waterfall() {
    const metric = primary();
    const kept = run.trials.filter((trial) => trial.status === "kept" && result(trial)
      && result(trial).metric === metric?.name && hone.isNumber(result(trial).change_percent));
    if (!metric || kept.length === 0 || !hone.isNumber(metric.a) || !hone.isNumber(metric.b)) {
      return null;
    }
    const value = (number) => hone.metricValue(metric.unit, number);
    const rows = [{ label: text("page_before"), start: 0, end: metric.a, value: value(metric.a),
      share: "", rest: false }];
    let now = metric.a;
    for (const trial of kept) {
      const next = now * (1 + result(trial).change_percent / 100);
      rows.push({ label: hone.foreign(trial.action), start: Math.min(now, next),
        end: Math.max(now, next), value: value(next),
        share: hone.change(result(trial).change_percent), rest: true });
      now = next;
    }
    rows.push({ label: text("page_after"), start: 0, end: metric.b, value: value(metric.b),
      share: hone.change(metric.change_percent), rest: false });
    const total = Math.max(...rows.map((row) => row.end));
    return el("figure", {},
      hone.waterfall("optimize-waterfall", text("page_optimize_waterfall",
        { metric: metric.name, unit: metric.unit }), total, rows),
      el("figcaption", {}, text("page_optimize_waterfall_note")));
  }

  function quality() {
    const found = run.after && run.after.quality;
    if (!found) return null;
    return el("p", {}, text("page_optimize_quality", { kl: Number(found.kl_mean).toPrecision(2),
      top1: hone.percent(found.top1_agreement), n: found.n, text: found.text }));
  }

  function after() {
    if (!run.after) return null;
    return [waterfall(), hone.table({
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
        { title: text("head_verdict"), cell: (metric) => el("span", { class: kindOf(metric) },
          hone.name("compare_", metric.verdict)) },
      ],
    }), quality()];
  }

  // The promised interval as a band, the measured one as a line with its point, on one scale.
  function pairBar(trial, reach) {
    const measured = result(trial);
    const promised = trial.promised && trial.promised.interval;
    const point = measured && hone.isNumber(measured.change_percent) ? measured.change_percent : null;
    if (!promised && point === null) return null;
    const intervals = [{ kind: "range wide", ends: promised },
      { kind: "range", ends: measured && measured.ci95 }];
    return hone.changeBar(reach, intervals.filter(({ ends }) => ends), point);
  }

  const isShown = (trial) => trial.status !== "refused" || trial.promised || result(trial);

  function why(trial) {
    return [trial.reason ? hone.sentence(trial.reason) : hone.none,
      trial.evidence.length === 0 ? null : el("details", {},
        el("summary", {}, text("page_evidence", { count: trial.evidence.length })),
        el("ul", { class: "evidence" },
          trial.evidence.map((line) => el("li", {}, hone.sentence(line)))))];
  }

  function trialTable(rows) {
    const ends = rows.flatMap((trial) => [...((trial.promised && trial.promised.interval) || []),
      result(trial) ? result(trial).change_percent : 0]);
    const reach = hone.reachOf(ends);
    const colour = { kept: "gain", rolled_back: "doubt" };
    return hone.table({ rows, columns: [
      { title: text("head_action"), head: true, class: "text", cell: (trial) => [
        hone.foreign(trial.action),
        trial.title ? el("div", { class: "quiet small" }, hone.sentence(trial.title)) : null] },
      { title: text("page_promise_result"), class: "pair", cell: (trial) => [
        el("div", {}, text("head_promised") + " ", el("b", {}, trial.promised
          ? change(trial.promised.change_percent, trial.promised.interval) : hone.none)),
        pairBar(trial, reach),
        el("div", {}, text("head_measured") + " ", el("b", {}, result(trial)
          ? change(result(trial).change_percent, result(trial).ci95) : hone.none)),
        trial.promised && trial.promised.learned
          ? el("div", { class: "quiet small" }, hone.sentence(trial.promised.learned)) : null] },
      { title: text("page_quality"), class: "words", cell: (trial) => (trial.quality
        ? ["KL " + Number(trial.quality.kl_mean).toPrecision(2),
          el("div", { class: "quiet small" }, "n " + trial.quality.n)] : hone.none) },
      { title: text("head_became"), class: "words", cell: (trial) =>
        el("span", { class: colour[trial.status] || "quiet" }, hone.name("trial_", trial.status)) },
      { title: text("page_reason"), class: "text", cell: why },
    ] });
  }

  // What was neither promised nor tested, by the reason.
  function untried() {
    const groups = new Map();
    for (const trial of run.trials.filter((trial) => !isShown(trial))) {
      const reason = trial.reason ? trial.reason.text : "";
      groups.set(reason, [...(groups.get(reason) || []), trial.action]);
    }
    return groups.size === 0 ? null : el("ul", { class: "lines quiet" },
      [...groups].map(([reason, actions]) => el("li", {},
        hone.foreign(text("trials_untried", { reason, actions: actions.join(", ") })))));
  }

  function trials() {
    if (run.trials.length === 0) return el("p", {}, text("no_trials"));
    const rows = run.trials.filter(isShown);
    return [rows.length > 0 ? trialTable(rows) : null, untried()];
  }

  hone.optimization = function () {
    return [
      [hone.section("result", text("section_end"), tiles(), summary()), "section_end"],
      [hone.section("after", text("section_after"), after()), "page_after_short"],
      [hone.section("trials", text("section_trials"), trials()), "section_trials"],
    ].filter(([section]) => section !== null);
  };
  hone.optimizationFacts = () => ({ model: run.model, build: run.build,
    line: [run.machine, run.scenario, run.metric].filter((part) => part).join(" \u00b7 ") });
})();
