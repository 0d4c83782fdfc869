"use strict";
// The layers in order, second half: why, what to do, what was tried. Ids that this page does not
// know (classes, cards, experiments of a later version) are shown by their own name.
(function () {
  const { el, text, data, isNumber } = hone;
  const { explain, charts } = data;

  const classColours = { memory_bandwidth: 0, compute_bound: 1, kernel_inefficiency: 3,
    startup_overhead: 2, io: 4, structural_redundancy: 5, interference: 6, unexplained: 7 };
  const colourOf = (id) => classColours[id] ?? 7;

  hone.classShares = function () {
    const shares = new Map();
    for (const item of explain.attribution) {
      shares.set(item.class, (shares.get(item.class) || 0) + item.time_share);
    }
    return [...shares].filter(([, share]) => share >= 0.0005).sort((a, b) => b[1] - a[1]);
  };

  function finding(item) {
    const swatch = el("i", { class: "swatch" });
    swatch.style.background = `var(--series-${colourOf(item.class)})`;
    return el("li", { class: "finding" },
      el("div", { class: "finding-head" },
        el("span", { class: "number share" }, hone.percent(item.time_share)), swatch,
        el("b", {}, hone.foreign(item.subject)),
        el("span", {}, hone.name("", item.class)),
        el("span", { class: "quiet" },
          text("page_confidence", { confidence: item.confidence.toFixed(2) }))),
      el("ul", { class: "evidence" },
        item.evidence.map((note) => el("li", {}, hone.sentence(note)))));
  }

  hone.attribution = function () {
    const items = explain.attribution;
    if (items.length === 0) return null;
    const large = items.filter((item) => item.time_share >= 0.02);
    const small = items.filter((item) => item.time_share < 0.02);
    const rest = small.reduce((sum, item) => sum + item.time_share, 0);
    return [
      hone.shareBar("class-bar", text("head_class"), hone.classShares().map(([id, share]) => (
        { label: hone.name("", id), share, value: hone.percent(share), colour: colourOf(id) }))),
      el("ol", { class: "findings" }, large.map(finding)),
      small.length === 0 ? null : el("details", {},
        el("summary", {}, text("attribution_rest",
          { wall_share: hone.percent(rest), count: small.length })),
        el("ol", { class: "findings" }, small.map(finding))),
    ];
  };

  // Where the next run is expected, or at least where the median lies; null without a width.
  function intervalOf(predicted) {
    const ends = predicted.interval || predicted.ci95;
    return ends && ends.every(isNumber) && ends[0] < ends[1] ? ends : null;
  }

  const titleOf = (card) => (card.title ? card.title.text : card.action);

  function kindOf(card) {
    if (!card.predicted) return "unknown";
    if (!card.predicted.sure) return "doubt";
    if (card.predicted.better) return "gain";
    return card.predicted.change_percent === 0 ? "doubt" : "loss";
  }

  function commands(card) {
    const line = (id, own, other) => el("div", {}, el("dt", {}, text(id)),
      el("dd", {}, el("code", {}, own.length > 0 ? own.join(" ")
        : text("drop_arguments", { arguments: other.join(" ") }))));
    if (!card.available || (card.apply.length === 0 && card.undo.length === 0)) return null;
    return el("dl", { class: "commands" }, line("page_apply", card.apply, card.undo),
      line("page_undo", card.undo, card.apply));
  }

  function cardOf(card, reach) {
    const kind = kindOf(card);
    const predicted = card.predicted;
    const words = { gain: "card_gain", loss: "card_loss", doubt: "card_no_difference" };
    const ends = predicted && intervalOf(predicted);
    const interval = ends ? ends.map(hone.change).join(" \u2026 ") : null;
    return el("article", { class: "card " + kind },
      el("h4", {}, hone.foreign(titleOf(card))),
      !predicted
        ? el("p", { class: "quiet" }, card.reason ? hone.sentence(card.reason) : hone.none)
        : [
          el("p", { class: "change" },
            el("b", { class: kind }, hone.change(predicted.change_percent)), " ",
            hone.foreign(predicted.metric), " ",
            el("span", { class: "words " + kind },
              kind === "doubt" && predicted.change_percent !== 0 ? "" : text(words[kind]))),
          ends ? hone.changeBar(reach, [{ kind: "range", ends }], predicted.change_percent) : null,
          interval ? el("p", { class: "quiet small" }, text("page_expected", { interval })) : null,
        ],
      card.evidence.length === 0 ? null : el("ul", { class: "evidence" },
        card.evidence.map((note) => el("li", {}, hone.sentence(note)))),
      el("p", { class: "quiet small" }, text("card_cost", {
        level: hone.name("complexity_", card.complexity.level), minutes: card.complexity.minutes,
        risk: hone.name("risk_", card.risk.level),
        reversible: card.risk.reversible ? text("card_reversible") : "",
        tier: predicted ? hone.name("tier_", predicted.tier) : text("tier_none") })),
      commands(card));
  }

  // What it comes to, before the cards.
  function outcome() {
    const result = explain.outcome;
    if (!result) return null;
    const { gains, losses, too_close: close } = result;
    return el("p", {}, text("outcome_" + result.verdict, { gains, losses, close,
      tried: gains + losses + close,
      checked: result.checked.map((kind) => hone.name("kind_", kind)).join(", ") }));
  }

  hone.decisions = function () {
    const cards = explain.decisions;
    if (cards.length === 0) return el("p", { class: "quiet" }, text("no_decisions"));
    const ends = cards.flatMap((card) => (card.predicted
      ? [card.predicted.change_percent, ...(intervalOf(card.predicted) || [])] : []));
    const reach = hone.reachOf(ends);
    const groups = [
      ["page_gains", cards.filter((c) => kindOf(c) === "gain" && c.available), true],
      ["page_unavailable", cards.filter((c) => kindOf(c) === "gain" && !c.available), true],
      ["page_losses", cards.filter((c) => kindOf(c) === "loss"), true],
      ["page_doubtful", cards.filter((c) => kindOf(c) === "doubt"), false],
      ["page_unpredicted", cards.filter((c) => kindOf(c) === "unknown"), false],
    ];
    const shown = groups.filter(([, members]) => members.length > 0).map(([id, members, open]) =>
      el("details", { class: "group", open },
        el("summary", {}, el("h3", {}, `${text(id)} (${members.length})`)),
        el("div", { class: "cards" }, members.map((card) => cardOf(card, reach)))));
    return [outcome(), ...shown];
  };

  const isTimes = (values) => Array.isArray(values) && values.length > 0 && values.every(isNumber);
  const unitOf = (name) => (/_ns$/.test(name) ? (v) => hone.duration(v / 1e6)
    : /_ms$/.test(name) ? hone.duration : /_s$/.test(name) ? (v) => hone.duration(1e3 * v)
      : /_bytes$|^bytes/.test(name) ? hone.bytes : /_share$/.test(name) ? hone.percent
        : (v) => (Number.isInteger(v) ? hone.whole(v) : String(Number(v.toPrecision(4)))));

  // Any value of an experiment as one short text: lists of numbers by their median.
  function valueText(name, value) {
    if (isTimes(value)) {
      return `${unitOf(name)(hone.median(value))} (n ${value.length})`;
    }
    if (isNumber(value)) return unitOf(name)(value);
    if (value === null) return hone.none;
    if (Array.isArray(value)) return value.map((item) => valueText(name, item)).join(", ");
    if (typeof value === "object") {
      return Object.entries(value).map(([key, item]) => `${key} ${valueText(key, item)}`).join(", ");
    }
    return String(value);
  }

  function sweepTable(experiment) {
    const { points } = experiment.values;
    const fields = [...new Set(points.flatMap((point) => Object.keys(point)
      .filter((key) => isTimes(point[key]) || isNumber(point[key]))))];
    const base = points.find((point) => point.setting === experiment.parameters.baseline);
    const middle = (point, field) => isTimes(point[field]) ? hone.median(point[field]) : null;
    return hone.table({ caption: experiment.name, rows: points, columns: [
      { title: text("page_tried"), head: true,
        cell: (p) => hone.foreign(p.setting + (p === base ? " *" : "")) },
      ...fields.map((field) => ({ title: field, number: true, cell: (p) => {
        if (isNumber(p[field])) return unitOf(field)(p[field]);
        if (middle(p, field) === null) return hone.none;
        const before = base ? middle(base, field) : null;
        const ratio = before && p !== base ? ` (${(middle(p, field) / before).toFixed(2)}\u00d7)` : "";
        return unitOf(field)(middle(p, field)) + ratio;
      } })),
      { title: text("head_n"), number: true, cell: (p) =>
        hone.whole(Math.max(0, ...fields.map((f) => (isTimes(p[f]) ? p[f].length : 0)))) },
    ] });
  }

  function experimentOf(experiment) {
    const { values, parameters } = experiment;
    const isSweep = values && Array.isArray(values.points) && values.points.length > 0 &&
      values.points.every((point) => point && typeof point === "object" && "setting" in point);
    const details = isSweep ? sweepTable(experiment)
      : el("p", {}, hone.foreign(valueText("", { ...parameters, ...values })));
    return el("details", { class: "experiment" },
      el("summary", {}, el("b", {}, hone.name("experiment_", experiment.name)), " ",
        hone.foreign([experiment.subject, parameters && parameters.slice].filter((s) => s).join(" / ")),
        experiment.valid ? null : el("span", { class: "loss" }, " " + text("page_not_valid"))),
      experiment.note ? el("p", { class: "quiet" }, hone.foreign(experiment.note)) : null, details);
  }

  hone.experiments = function () {
    const done = charts.experiments;
    const wanted = explain.experiments;
    return [
      done.length === 0 ? null : el("h3", {}, text("page_done", { count: done.length })),
      done.length === 0 ? null : el("p", { class: "quiet" }, text("page_done_note")),
      done.map(experimentOf),
      charts.experiments_left_out > 0
        ? el("p", { class: "quiet" }, text("page_left_out", { count: charts.experiments_left_out }))
        : null,
      wanted.length === 0 ? null : el("h3", {}, text("section_experiments")),
      wanted.length === 0 ? null : el("ul", { class: "wanted" },
        wanted.map((request) => el("li", {}, hone.sentence(request.reason)))),
    ].flat().filter((item) => item !== null);
  };
})();
