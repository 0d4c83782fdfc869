"use strict";
// The page's data, its texts, its numbers and its elements. Everything foreign becomes text nodes
// here: no function of these files takes markup.
const hone = {};

(function () {
  hone.data = JSON.parse(document.getElementById("report-data").textContent);

  // The text of an id with its values; an unknown id is shown as words, so that nothing is lost.
  hone.text = function (id, values) {
    const template = Object.hasOwn(hone.data.texts, id) ? hone.data.texts[id] : null;
    if (template === null) return String(id).replaceAll("_", " ");
    return template.replace(/\{(\w+)\}/g, (mark, name) =>
      values && Object.hasOwn(values, name) ? String(values[name]) : mark);
  };
  hone.hasText = (id) => Object.hasOwn(hone.data.texts, id);
  // The name of a thing that comes from the record: a text of that family, or itself.
  hone.name = (family, id) => (hone.hasText(family + id) ? hone.text(family + id) : String(id));

  // An element: attributes (class, title, ...; on* are listeners), then children: nodes or text.
  hone.el = function (tag, attributes, ...children) {
    const element = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes || {})) {
      if (value === null || value === undefined || value === false) continue;
      if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
      else element.setAttribute(name, value === true ? "" : String(value));
    }
    for (const child of children.flat(4)) {
      if (child !== null && child !== undefined) element.append(child);
    }
    return element;
  };
  // Foreign text in its own direction, so that a name cannot turn the line around.
  hone.foreign = (text) => hone.el("bdi", {}, String(text));

  const isNumber = (value) => typeof value === "number" && Number.isFinite(value);
  hone.isNumber = isNumber;
  // The sentence of a note. Sentences are written for terminals too, where micro is a plain u.
  hone.sentence = (note) => hone.foreign(note.text.replace(/(\d) us\b/g, "$1\u00a0\u00b5s"));
  hone.none = "\u2013";

  function threeDigits(value) {
    const magnitude = Math.abs(value);
    return value.toFixed(magnitude >= 100 ? 0 : magnitude >= 10 ? 1 : 2);
  }
  function scaled(value, step, units) {
    if (!isNumber(value)) return hone.none;
    let unit = 0;
    while (Math.abs(value) >= step * 0.9995 && unit + 1 < units.length) {
      value /= step;
      unit += 1;
    }
    const number = Number.isInteger(value) && unit === 0 ? String(value) : threeDigits(value);
    return units[unit] === "" ? number : number + "\u00a0" + units[unit];
  }
  hone.bytes = (value) => scaled(value, 1024, ["B", "KiB", "MiB", "GiB", "TiB"]);
  hone.count = (value) => scaled(value, 1000, ["", "k", "M", "G", "T", "P"]);
  hone.duration = (ms) =>
    isNumber(ms) ? scaled(ms * 1e6, 1000, ["ns", "\u00b5s", "ms", "s"]) : hone.none;
  hone.percent = (share) => (isNumber(share) ? (100 * share).toFixed(1) + "\u00a0%" : hone.none);
  hone.change = function (percent) {
    if (!isNumber(percent)) return hone.none;
    const sign = percent > 0 ? "+" : percent < 0 ? "\u2212" : "";
    return sign + Math.abs(percent).toFixed(1) + "\u00a0%";
  };
  // Grouped by thin spaces from five digits on.
  hone.whole = function (value) {
    if (!isNumber(value)) return hone.none;
    const digits = String(Math.round(value));
    return digits.length < 5 ? digits : digits.replace(/\B(?=(\d{3})+$)/g, "\u2009");
  };
  hone.date = (iso) => String(iso).replace("T", " ").replace(/Z$/, " UTC");

  // A value as its metric's unit wants it; scaled units are part of the value.
  hone.metricValue = function (unit, value) {
    if (value === null || value === undefined) return hone.none;
    if (!isNumber(value)) return hone.text("page_failed");
    if (unit === "bytes") return hone.bytes(value);
    if (unit === "bytes/token") return hone.bytes(value);
    if (unit === "share") return hone.percent(value);
    if (Math.abs(value) >= 1e4) return hone.whole(value);
    return value.toPrecision(4).replace(/\.$/, "");
  };
  hone.metricUnit = function (unit) {
    if (unit === "bytes" || unit === "share") return "";
    return unit === "bytes/token" ? "/token" : String(unit);
  };
  hone.interval = function (unit, interval) {
    if (!Array.isArray(interval)) return hone.none;
    return interval.map((end) => hone.metricValue(unit, end)).join(" \u2026 ");
  };

  hone.median = function (values) {
    const sorted = values.filter(isNumber).sort((a, b) => a - b);
    if (sorted.length === 0) return null;
    const middle = (sorted.length - 1) / 2;
    return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
  };
})();
