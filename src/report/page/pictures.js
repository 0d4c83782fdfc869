"use strict";
// The pictures: waterfalls, roofline, latency over position, memory.
(function () {
  const { el, text, data, isNumber } = hone;
  const charts = data.charts;

  hone.stageName = (id) => (hone.hasText("part_" + id) ? text("part_" + id) : hone.name("stage_", id));

  hone.waterfalls = function () {
    return charts.waterfalls.map((fall) => hone.waterfall("waterfall-" + fall.id,
      text("page_" + fall.id) + ": " + hone.duration(fall.total_ms), fall.total_ms,
      fall.bars.map((bar) => ({
        label: hone.stageName(bar.name), start: bar.start_ms, end: bar.end_ms,
        value: hone.duration(bar.end_ms - bar.start_ms),
        share: hone.percent((bar.end_ms - bar.start_ms) / fall.total_ms),
        rest: bar.name === "unattributed",
      }))));
  };

  // Operator kinds by slice, with what their work and time make of them.
  hone.rooflinePoints = function () {
    const points = [];
    for (const kind of data.explain.decomposition.operators) {
      for (const row of kind.slices) {
        if (!(row.flops > 0) || !(row.bytes > 0) || !(row.ms > 0)) continue;
        points.push({ ...row, x: row.flops / row.bytes, y: row.flops / (row.ms * 1e6) });
      }
    }
    return points.sort((a, b) => b.time_share - a.time_share);
  };

  function roofSegments(left, right) {
    const { bandwidth, peaks } = charts.roofs;
    const top = Math.max(...peaks.map((peak) => peak.g_per_s));
    const steepest = Math.max(...bandwidth.map((roof) => roof.gb_per_s));
    const slopes = bandwidth.map((roof) => ({
      label: text("page_roof_bandwidth",
        { what: text("page_roof_" + roof.what), rate: roof.gb_per_s.toPrecision(3) }),
      points: [{ x: left, y: left * roof.gb_per_s },
        { x: top / roof.gb_per_s, y: top }],
      dash: roof.what === "memory" ? [] : [5, 4], slope: true,
    }));
    const flats = peaks.map((peak) => ({
      label: `${peak.operation} ${hone.whole(peak.g_per_s)} G/s`,
      points: [{ x: Math.max(left, peak.g_per_s / steepest), y: peak.g_per_s },
        { x: right, y: peak.g_per_s }],
      dash: peak.g_per_s === top ? [] : [5, 4], slope: false,
    }));
    return slopes.concat(flats);
  }

  const pointStyles = { decode: "circle", prefill: "rectRot", mixed: "triangle" };
  const sliceColours = { decode: 0, prefill: 1, mixed: 3 };

  function rooflineConfig(colours, points, extent, segments) {
    const slices = [...new Set(points.map((point) => point.slice))];
    const colourOf = (slice) => colours.series[sliceColours[slice] ?? 4];
    const radius = (point) => 4 + 12 * Math.sqrt(Math.max(0, point.time_share));
    const labels = segments.map((segment) => {
      const at = segment.points[segment.slope ? 0 : 1];
      return { text: segment.label, x: at.x, y: at.y, colour: colours.dim, ground: colours.surface,
        places: segment.slope ? ["below-right"] : ["above-left", "below-left"] };
    });
    for (const point of points) {
      labels.push({ text: point.time_share < 0.01 ? "" : point.kind, x: point.x, y: point.y,
        radius: radius(point), colour: colours.ink, ground: colours.surface });
    }
    return {
      type: "scatter",
      data: { datasets: [
        ...slices.map((slice) => {
          const own = points.filter((point) => point.slice === slice);
          return { label: slice, data: own, pointStyle: pointStyles[slice] || "rect",
            pointRadius: own.map(radius), pointHoverRadius: own.map(radius),
            backgroundColor: hone.faint(colourOf(slice), 0.55), borderColor: colourOf(slice) };
        }),
        ...segments.map((segment) => ({ label: segment.label, data: segment.points, roof: true,
          showLine: true, pointRadius: 0, pointHitRadius: 0, borderDash: segment.dash,
          borderWidth: 1.5, borderColor: colours.dim })),
      ] },
      options: {
        scales: {
          x: hone.decades(colours, text("page_axis_intensity"), extent.left, extent.right),
          y: hone.decades(colours, text("page_axis_rate"), extent.bottom, extent.top),
        },
        plugins: {
          legend: { labels: { color: colours.ink, usePointStyle: true, boxHeight: 7, padding: 16,
            filter: (item, all) => !all.datasets[item.datasetIndex].roof } },
          tooltip: { callbacks: { label: (item) => {
            const point = item.raw;
            return [`${point.slice}/${point.kind}`, hone.percent(point.time_share),
              `${hone.count(point.y * 1e9)}FLOP/s, ${point.x.toPrecision(3)} FLOP/B`,
              point.roof === null ? "" : text("page_of_roof", {
                share: hone.percent(point.roof_share), roof: text("roof_" + point.roof) })]
              .filter((line) => line !== "");
          } } },
        },
      },
      plugins: [hone.labelPlugin(labels)],
    };
  }

  function rooflineTable(points) {
    return hone.table({ caption: text("page_roofline"), rows: points, columns: [
      { title: text("page_operator"), head: true, cell: (p) => p.slice + "/" + p.kind },
      { title: "FLOP/B", number: true, cell: (p) => p.x.toPrecision(3) },
      { title: "GFLOP/s", number: true, cell: (p) => p.y.toPrecision(3) },
      { title: text("head_share"), number: true, cell: (p) => hone.percent(p.time_share) },
      { title: text("head_roof"), number: true, cell: (p) => hone.roofText(p) },
    ] });
  }

  hone.roofline = function () {
    const points = hone.rooflinePoints();
    const { bandwidth, peaks, threads } = charts.roofs;
    if (bandwidth.length === 0 || peaks.length === 0) {
      return el("p", { class: "quiet" }, text("grade_no_ceilings"));
    }
    if (points.length === 0) return el("p", { class: "quiet" }, text("grade_no_operators"));
    const top = Math.max(...peaks.map((peak) => peak.g_per_s));
    const slowest = Math.min(...bandwidth.map((roof) => roof.gb_per_s));
    const extent = {
      left: Math.min(...points.map((p) => p.x)) / 2,
      right: Math.max(...points.map((p) => p.x), top / slowest) * 6,
      top: Math.max(...points.map((p) => p.y), top) * 2,
      bottom: Math.min(...points.map((p) => p.y)) / 2,
    };
    // A slope that begins below the picture would take its name with it.
    const left = Math.max(extent.left, extent.bottom / slowest);
    const segments = roofSegments(left, extent.right);
    return hone.figure({ id: "roofline", title: text("page_roofline"), height: 440,
      note: text("page_roofline_note", { threads }),
      make: (colours) => rooflineConfig(colours, points, extent, segments),
      table: rooflineTable(points) });
  };

  hone.latency = function () {
    const rows = charts.latency_by_position;
    if (rows.length < 2) return null;
    const at = (key) => rows.map((row) => ({ x: row.position, y: row[key] }));
    const range = (row) => row.position === row.position_last ? String(row.position)
      : `${row.position} \u2026 ${row.position_last}`;
    return hone.figure({ id: "latency", title: text("page_latency"), height: 300,
      note: text("page_latency_note"),
      make: (colours) => ({
        type: "line",
        data: { datasets: [
          { label: text("head_median"), data: at("median_ms"), borderColor: colours.series[0],
            backgroundColor: colours.series[0], borderWidth: 2, pointRadius: 0 },
          { label: "p10", data: at("low_ms"), borderWidth: 0, pointRadius: 0, band: true },
          { label: text("page_band"), data: at("high_ms"), borderWidth: 0, pointRadius: 0, fill: "-1",
            borderColor: hone.faint(colours.series[0], 0.2),
            backgroundColor: hone.faint(colours.series[0], 0.2) },
        ] },
        options: {
          interaction: { mode: "index", intersect: false },
          scales: {
            x: hone.axis(colours, text("page_axis_position"), { type: "linear",
              ticks: { precision: 0 } }),
            y: hone.axis(colours, text("page_axis_gap"), { beginAtZero: true }),
          },
          plugins: { legend: { labels: { color: colours.ink, usePointStyle: true, boxHeight: 7,
            padding: 16, filter: (item, all) => !all.datasets[item.datasetIndex].band } },
          tooltip: { callbacks: { label: (item) =>
            `${item.dataset.label}: ${hone.duration(item.raw.y)}` } } },
        },
      }),
      table: hone.table({ caption: text("page_latency"), rows, columns: [
        { title: text("page_position"), head: true, cell: range },
        { title: text("head_median"), number: true, cell: (r) => hone.duration(r.median_ms) },
        { title: "p10", number: true, cell: (r) => hone.duration(r.low_ms) },
        { title: "p90", number: true, cell: (r) => hone.duration(r.high_ms) },
        { title: text("head_n"), number: true, cell: (r) => hone.whole(r.n) },
      ] }) });
  };

  hone.memoryParts = function () {
    const memory = charts.memory;
    const parts = ["weights", "kv", "workspace"].map((name, index) => ({
      name, bytes: memory[name + "_bytes"], colour: index }));
    const known = parts.reduce((sum, part) => sum + part.bytes, 0);
    if (isNumber(memory.peak_rss_bytes) && memory.peak_rss_bytes > known) {
      parts.push({ name: "other", bytes: memory.peak_rss_bytes - known, colour: 7 });
    }
    return parts.filter((part) => part.bytes > 0);
  };

  hone.memoryBar = function () {
    const parts = hone.memoryParts();
    if (parts.length === 0) return null;
    const sum = parts.reduce((total, part) => total + part.bytes, 0);
    const shown = parts.map((part) => ({ label: text("page_memory_" + part.name),
      share: part.bytes / sum, value: hone.bytes(part.bytes), colour: part.colour }));
    const memory = charts.memory;
    const line = isNumber(memory.peak_rss_bytes)
      ? text("page_memory_peak", { bytes: hone.bytes(memory.peak_rss_bytes),
        all: hone.bytes(memory.machine_bytes || null) })
      : text("page_memory_no_peak");
    return el("figure", {}, el("h3", {}, text("page_memory")),
      hone.shareBar("memory-bar", text("page_memory"), shown), el("figcaption", {}, line));
  };

  // Tokens at which the straight line of growth is drawn.
  hone.kvTokens = function () {
    const context = data.explain.context;
    const end = charts.model.context_max || context.prompt_tokens + context.output_tokens;
    return [0, 0.25, 0.5, 0.75, 1].map((part) => Math.round(part * end));
  };

  hone.kvGrowth = function () {
    const perToken = charts.memory.kv_bytes_per_token;
    const tokens = hone.kvTokens();
    if (!(perToken > 0) || tokens.at(-1) < 1) return null;
    const sequences = [1, 4, 16];
    const weights = charts.memory.weights_bytes;
    // Binary units want steps of powers of two: six at most.
    const highest = Math.max(tokens.at(-1) * perToken * sequences.at(-1), weights);
    const step = 2 ** Math.ceil(Math.log2(highest / 6));
    const line = (count) => tokens.map((x) => ({ x, y: x * perToken * count }));
    return hone.figure({ id: "kv", title: text("page_kv"), height: 300,
      note: text("page_kv_note", { bytes: hone.bytes(perToken) }),
      make: (colours) => ({
        type: "line",
        data: { datasets: [
          ...sequences.map((count, index) => ({ label: text("page_sequences", { count }),
            data: line(count), borderColor: colours.series[[0, 2, 1][index]],
            backgroundColor: colours.series[[0, 2, 1][index]], pointRadius: 0, borderWidth: 2 })),
          { label: text("page_memory_weights"), borderColor: colours.dim, pointRadius: 0,
            backgroundColor: colours.dim, borderDash: [5, 4], borderWidth: 1.5,
            data: tokens.map((x) => ({ x, y: weights })) },
        ] },
        options: {
          interaction: { mode: "index", intersect: false },
          scales: {
            x: hone.axis(colours, text("page_axis_tokens"), { type: "linear", min: 0,
              max: tokens.at(-1), ticks: { callback: (value) => hone.whole(value) } }),
            y: hone.axis(colours, "", { beginAtZero: true, title: { display: false },
              ticks: { callback: (value) => hone.bytes(value), stepSize: step } }),
          },
          plugins: { tooltip: { callbacks: {
            title: (items) => text("page_tokens", { count: hone.whole(items[0].raw.x) }),
            label: (item) => `${item.dataset.label}: ${hone.bytes(item.raw.y)}` } } },
        },
      }),
      table: hone.table({ caption: text("page_kv"), rows: tokens, columns: [
        { title: text("head_tokens"), head: true, cell: (x) => hone.whole(x) },
        ...sequences.map((count) => ({ title: text("page_sequences", { count }), number: true,
          cell: (x) => hone.bytes(x * perToken * count) })),
      ] }) });
  };
})();
