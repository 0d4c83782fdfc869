"use strict";
// Charts on canvases: one place for colours, fonts, labels without collisions, theme and print.
(function () {
  const { el, text } = hone;
  const figures = [];
  // A4 less the margins of the style sheet, in pixels of 1/96 inch; the style sheet fits the rest.
  const paperWidth = 688;

  hone.colours = function () {
    const style = getComputedStyle(document.documentElement);
    const of = (name) => style.getPropertyValue(name).trim();
    return {
      ink: of("--ink"), dim: of("--dim"), line: of("--line"), surface: of("--surface"),
      series: [0, 1, 2, 3, 4, 5, 6, 7].map((index) => of("--series-" + index)),
    };
  };
  // "#rrggbb" with an opacity.
  hone.faint = (colour, opacity) =>
    colour + Math.round(255 * opacity).toString(16).padStart(2, "0");

  // Names beside points and lines. Each label tries its places in turn and is left out where all
  // are taken: its value is in the table and in the tip.
  hone.labelPlugin = (labels) => ({
    id: "labels",
    afterDatasetsDraw(chart) {
      const { ctx, chartArea, scales } = chart;
      // Points keep their own place free of names.
      const taken = labels.filter((label) => label.radius > 0).map((label) => {
        const x = scales.x.getPixelForValue(label.x);
        const y = scales.y.getPixelForValue(label.y);
        const reach = label.radius - 1;
        return { left: x - reach, right: x + reach, top: y - reach, bottom: y + reach };
      });
      ctx.save();
      ctx.font = `12px ${Chart.defaults.font.family}`;
      ctx.textBaseline = "middle";
      for (const label of labels.filter((item) => item.text !== "")) {
        const x = scales.x.getPixelForValue(label.x);
        const y = scales.y.getPixelForValue(label.y);
        const width = ctx.measureText(label.text).width;
        const gap = (label.radius || 0) + 5;
        const places = {
          right: [x + gap, y], left: [x - gap - width, y],
          above: [x - width / 2, y - gap - 5], below: [x - width / 2, y + gap + 5],
          "above-right": [x, y - gap - 5], "above-left": [x - width, y - gap - 5],
          "below-left": [x - width, y + gap + 5], "below-right": [x, y + gap + 5],
        };
        for (const place of label.places || ["right", "left", "above", "below"]) {
          const [left, middle] = places[place];
          const box = { left: left - 3, right: left + width + 3, top: middle - 8, bottom: middle + 8 };
          const inside = box.left >= chartArea.left - 4 && box.right <= chartArea.right + 4 &&
            box.top >= chartArea.top - 6 && box.bottom <= chartArea.bottom;
          const free = taken.every((other) => box.right < other.left || box.left > other.right ||
            box.bottom < other.top || box.top > other.bottom);
          if (!inside || !free) continue;
          taken.push(box);
          // A rim in the colour of the ground keeps the text readable across lines.
          ctx.lineWidth = 4;
          ctx.lineJoin = "round";
          ctx.strokeStyle = label.ground;
          ctx.strokeText(label.text, left, middle);
          ctx.fillStyle = label.colour;
          ctx.fillText(label.text, left, middle);
          break;
        }
      }
      ctx.restore();
    },
  });

  hone.axis = (colours, title, more) => ({
    title: { display: true, text: title, color: colours.dim },
    grid: { color: colours.line, drawTicks: false, drawBorder: false },
    ...more,
    ticks: { color: colours.dim, padding: 6, maxRotation: 0, autoSkipPadding: 16,
      ...(more && more.ticks) },
  });
  // A logarithmic axis with its powers of ten only.
  hone.decades = (colours, title, min, max) => hone.axis(colours, title, {
    type: "logarithmic", min, max,
    afterBuildTicks: (axis) => {
      axis.ticks = axis.ticks.filter(({ value }) => {
        const power = Math.log10(value);
        return Math.abs(power - Math.round(power)) < 1e-9;
      });
    },
    ticks: { callback: (value) => String(Number(value.toPrecision(1))) },
  });

  function defaults() {
    Chart.defaults.animation = false;
    Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
    Chart.defaults.font.size = 12;
    Chart.defaults.maintainAspectRatio = false;
    Chart.defaults.plugins.legend.position = "bottom";
  }

  function draw(figure) {
    if (figure.chart) figure.chart.destroy();
    const colours = hone.colours();
    const config = figure.make(colours);
    const options = config.options || (config.options = {});
    options.plugins = {
      ...options.plugins,
      legend: { labels: { color: colours.ink, usePointStyle: true, boxHeight: 7, padding: 16 },
        ...(options.plugins && options.plugins.legend) },
    };
    figure.chart = new Chart(figure.canvas, config);
  }

  // A figure: title, canvas with its name for those who cannot see it, a sentence, the table behind.
  hone.figure = function ({ id, title, note, height, make, table }) {
    const canvas = el("canvas", { id: "chart-" + id, role: "img",
      "aria-label": title + (note ? ". " + note : "") });
    const box = el("div", { class: "canvas-box" }, canvas);
    box.style.height = (height || 340) + "px";
    figures.push({ id, canvas, make, chart: null });
    return el("figure", {}, el("h3", {}, title), box,
      note ? el("figcaption", {}, note) : null,
      table ? el("details", {}, el("summary", {}, text("page_data")), table) : null);
  };

  hone.drawFigures = function () {
    defaults();
    figures.forEach(draw);
  };
  // Paper has its own width and no dark theme; the style sheet has switched when these are called.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    document.documentElement.classList.add("printing");
    opened = [...document.querySelectorAll("details.group:not([open]), details.experiment:not([open])")];
    opened.forEach((details) => { details.open = true; });
    hone.drawFigures();
    figures.forEach(({ chart, canvas }) => chart.resize(paperWidth, canvas.clientHeight));
  });
  window.addEventListener("afterprint", () => {
    document.documentElement.classList.remove("printing");
    opened.forEach((details) => { details.open = false; });
    hone.drawFigures();
  });
})();
