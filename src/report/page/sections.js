"use strict";
// The layers in order, first half: whether to believe it, what was run, the numbers, where time went.
(function () {
  const { el, text, data } = hone;
  const { explain, charts } = data;

  hone.section = function (id, title, ...content) {
    const inside = content.flat().filter((item) => item !== null && item !== undefined);
    if (inside.length === 0) return null;
    return el("section", { id, "aria-labelledby": id + "-title" },
      el("h2", { id: id + "-title" }, title), inside);
  };

  const gradeOrder = ["D", "C", "B", "A"];

  hone.trust = function () {
    const { grade, reasons } = explain.measurement;
    const sorted = [...reasons].sort((a, b) =>
      gradeOrder.indexOf(a.grade) - gradeOrder.indexOf(b.grade));
    const bad = sorted.filter((reason) => reason.grade !== "A");
    const good = sorted.filter((reason) => reason.grade === "A");
    const item = (reason) => el("li", {},
      el("span", { class: "mark grade-" + reason.grade }, reason.grade),
      el("span", {}, hone.sentence(reason)));
    // The sentence without its opening: the badge says the grade.
    return el("section", { id: "trust", "aria-labelledby": "trust-title" },
      el("div", { class: "verdict" },
        el("div", { class: "badge grade-" + grade, "aria-hidden": "true" }, grade),
        el("div", {}, el("h2", { id: "trust-title" }, hone.name("trust_", grade)),
          el("ul", { class: "reasons" }, bad.map(item)),
          good.length === 0 ? null : el("details", {},
            el("summary", {}, text("page_checks_fine", { count: good.length })),
            el("ul", { class: "reasons" }, good.map(item))))));
  };

  // The few numbers that people ask for first, as far as the run has them.
  hone.keyFigures = function () {
    const wanted = ["latency_ms", "ttft_ms", "itl_ms", "output_tokens_per_s",
      "prefill_tokens_per_s", "decode_tokens_per_s", "peak_rss_bytes"];
    const tiles = wanted
      .map((name) => explain.metrics.find((metric) => metric.name === name))
      .filter((metric) => metric && metric.median !== null).slice(0, 5);
    if (tiles.length === 0) return null;
    return el("div", { class: "tiles" }, tiles.map((metric) => {
      const value = hone.metricValue(metric.unit, metric.median);
      return el("div", { class: "tile" }, el("span", { class: "label" }, metric.name),
        el("b", {}, value, " ", el("small", {}, hone.metricUnit(metric.unit))),
        el("span", { class: "quiet" }, metric.ci95 ? hone.interval(metric.unit, metric.ci95)
          : text("page_one_value", { count: metric.n })));
    }));
  };

  const joined = (...parts) => parts.filter((part) => part).join(" \u00b7 ");

  hone.context = function () {
    const { context } = explain;
    const facts = charts.machine.facts || {};
    const model = charts.model;
    const rows = [];
    const add = (id, value) => {
      if (value !== "" && value !== null && value !== undefined) {
        rows.push(el("dt", {}, text(id)), el("dd", {}, hone.foreign(value)));
      }
    };
    add("page_scenario", context.scenario || text("page_no_scenario"));
    add("page_workload", text("context_workload", { prompt: context.prompt_tokens,
      output: context.output_tokens, batch: context.batch }));
    add("page_judged_by", context.primary_metric);
    add("page_model", joined(model.file, model.name, model.architecture));
    add("page_size", joined(model.file_bytes > 0 && hone.bytes(model.file_bytes),
      model.parameters > 0 && text("page_parameters", { count: hone.count(model.parameters) }),
      Object.entries(model.bytes_by_dtype).sort((a, b) => b[1] - a[1]).slice(0, 4)
        .map(([name, bytes]) => `${name} ${hone.bytes(bytes)}`).join(", ")));
    add("page_machine", joined(context.machine,
      facts.cpus_allowed > 0 && text("limit_cpu", { cpus: facts.cpus_allowed }),
      facts.memory_bytes > 0 && hone.bytes(facts.memory_bytes), facts.hypervisor));
    add("page_setting", joined(context.threads === 1 ? text("head_threads_1")
      : text("head_threads", { threads: context.threads }), context.isa));
    add("page_ceilings", charts.machine.measured_at ? hone.date(charts.machine.measured_at)
      : text("never"));
    add("page_command", "hone " + context.command);
    add("page_build", context.build);
    return [el("dl", { class: "facts" }, rows), slo()];
  };

  function slo() {
    const { context } = explain;
    if (context.slo_error) return el("p", { class: "loss" }, hone.sentence(context.slo_error));
    if (context.slo.length === 0) return null;
    const style = { met: "gain", not_met: "loss", not_enough_data: "doubt" };
    return hone.table({ caption: text("head_slo"), rows: context.slo, columns: [
      { title: text("head_slo"), head: true, cell: (row) => hone.foreign(row.term) },
      { title: text("head_value"), number: true,
        cell: (row) => row.value_ms === null ? hone.none
          : hone.metricValue("ms", row.value_ms) + " ms" },
      { title: text("head_interval"), number: true, cell: (row) => hone.interval("ms", row.ci95) },
      { title: text("head_verdict"), cell: (row) => el("span", { class: style[row.verdict] },
        hone.name("verdict_", row.verdict),
        row.verdict === "not_enough_data"
          ? ` (${text("slo_samples", { n: row.n, n_needed: row.n_needed })})`
          : row.certain ? "" : ` (${text("slo_border")})`) },
    ] });
  }

  hone.metrics = function () {
    const rows = explain.metrics.filter((metric) => metric.median !== null);
    if (rows.length === 0) return el("p", { class: "quiet" }, text("bench_empty"));
    const value = (metric, field) => hone.metricValue(metric.unit, metric[field]);
    const columns = [
      { title: text("head_metric"), head: true, cell: (m) => hone.foreign(m.name) },
      { title: text("head_median"), number: true, cell: (m) => el("b", {}, value(m, "median")) },
      { title: text("head_interval"), number: true, cell: (m) => hone.interval(m.unit, m.ci95) },
    ];
    for (const field of ["p95", "p99"]) {
      if (!rows.some((metric) => field in metric)) continue;
      columns.push({ title: field, number: true, cell: (m) => value(m, field) });
    }
    columns.push(
      { title: text("head_n"), number: true, cell: (m) => hone.whole(m.n) },
      { title: text("head_unit"), cell: (m) => hone.metricUnit(m.unit) });
    return hone.table({ caption: text("section_metrics"), rows, columns });
  };

  hone.stages = function () {
    const rows = explain.decomposition.stages.filter((stage) => stage.ms !== null);
    if (rows.length === 0) return null;
    const parts = rows.map((stage, index) => ({ label: hone.name("stage_", stage.stage),
      share: stage.time_share, value: `${hone.duration(stage.ms)} \u00b7 ${hone.percent(stage.time_share)}`,
      colour: stage.stage === "unattributed" ? 7 : index % 7 }));
    return el("figure", {}, el("h3", {}, text("page_stages", { wall: hone.duration(charts.wall_ms) })),
      hone.shareBar("stage-bar", text("section_decomposition"), parts));
  };

  hone.waterfallFigure = function () {
    const falls = hone.waterfalls();
    if (falls.length === 0) return null;
    return el("figure", {}, el("h3", {}, text("page_waterfall")), falls,
      el("figcaption", {}, text("page_waterfall_note")));
  };

  hone.sequence = function () {
    const rows = [];
    for (const row of explain.decomposition.sequence) {
      rows.push({ ...row, label: row.slice });
      if (row.buckets.length < 2) continue;
      for (const bucket of row.buckets) {
        rows.push({ ...bucket, label: row.slice + text("from_position", { position: bucket.position }) });
      }
    }
    if (rows.length === 0) return null;
    return el("figure", {}, el("h3", {}, text("head_sequence")),
      hone.table({ caption: text("head_sequence"), rows, columns: [
        { title: text("head_sequence"), head: true, cell: (r) => r.label },
        { title: text("head_tokens"), number: true, cell: (r) => hone.whole(r.tokens) },
        { title: text("head_time"), number: true, cell: (r) => hone.duration(r.ms) },
        { title: text("head_share"), number: true, cell: (r) => hone.percent(r.time_share) },
        { title: text("head_per_token"), number: true, cell: (r) => hone.duration(r.ms_per_token) },
      ] }));
  };

  hone.roofText = function (row) {
    if (row.roof === null || !hone.isNumber(row.roof_share)) return hone.none;
    return `${Math.round(100 * Math.min(1, row.roof_share))}\u00a0% ${text("roof_" + row.roof)}`;
  };

  function operatorTable(rows, nameOf, caption) {
    const perCall = (row) => (row.calls > 0 ? row.ms / row.calls : null);
    const waits = (row) => (row.ms > 0 ? (row.barrier_ms + row.dispatch_ms) / row.ms : null);
    const column = (title, value, format) =>
      ({ title, number: true, value, cell: (row) => format(value(row)) });
    return hone.table({ caption, rows, sort: 1, showFirst: 40,
      search: (row) => [nameOf(row), row.kind, row.variant].join(" "),
      columns: [
        { title: text("page_operator"), head: true, value: nameOf,
          cell: (row) => hone.foreign(nameOf(row)) },
        column(text("head_share"), (row) => row.time_share, hone.percent),
        column(text("head_time"), (row) => row.ms, hone.duration),
        column(text("head_calls"), (row) => row.calls, hone.count),
        column(text("head_per_call"), perCall, hone.duration),
        column(text("head_flops"), (row) => row.flops, hone.count),
        column(text("head_bytes"), (row) => row.bytes, hone.bytes),
        { title: text("head_roof"), number: true, value: (row) => row.roof_share, cell: hone.roofText },
        column(text("head_waiting"), waits, hone.percent),
        { title: text("page_variant"), value: (row) => row.variant, class: "quiet",
          cell: (row) => hone.foreign(row.variant) },
      ] });
  }

  hone.operators = function () {
    const kinds = explain.decomposition.operators.flatMap((kind) => kind.slices);
    if (kinds.length === 0) return el("p", { class: "quiet" }, text("grade_no_operators"));
    const views = [
      { id: "page_by_kind", make: () => operatorTable(kinds, (row) => row.slice + "/" + row.kind,
        text("page_by_kind")) },
      { id: "page_by_node", make: () => operatorTable(charts.nodes, (row) => row.node,
        text("page_by_node")) },
    ];
    const place = el("div", {});
    function show(chosen) {
      const left = chosen === 1 && charts.nodes_left_out > 0
        ? el("p", { class: "quiet" }, text("page_left_out", { count: charts.nodes_left_out })) : null;
      place.replaceChildren(views[chosen].make(), ...(left ? [left] : []));
    }
    show(0);
    const rest = explain.decomposition.unattributed_share;
    return [
      hone.choice({ label: text("page_operators"), names: views.map((view) => text(view.id)),
        chosen: 0, choose: show }),
      place,
      el("p", { class: "quiet" }, rest === null ? text("unattributed_unknown")
        : text("unattributed_line", { steps_share: hone.percent(rest) })),
    ];
  };
})();
