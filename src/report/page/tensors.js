"use strict";
// The page of `hone inspect --tensor`: weights under the grid of a block, and what types cost.
(function () {
  const { el, text, data, isNumber } = hone;
  const inspection = data.inspection;

  // Ends of an axis are odd numbers that say nothing.
  const ticks = { includeBounds: false, callback: (value) => real(value) };
  const real = (value) => (isNumber(value) ? String(Number(value.toPrecision(4))) : hone.none);
  const small = (value) => (isNumber(value) ? String(Number(value.toPrecision(3))) : hone.none);
  const decibels = (value) => (isNumber(value) ? value.toFixed(1) : hone.none);
  const percent = (share) => (isNumber(share)
    ? (share > 0 && share < 0.001 ? Number((100 * share).toPrecision(2)) : (100 * share).toFixed(2)) +
      "\u00a0%" : hone.none);
  const typeOf = (stored) => (stored.asked === stored.type ? stored.type
    : text("tensor_fallback", { asked: stored.asked, as: stored.type }));
  // Types that were measured, each once: two may fall back to the same.
  const measured = (tensor) => tensor.stored_as.filter((stored, index, all) =>
    !stored.reason && all.findIndex((other) => other.type === stored.type) === index);

  // Middle of each bin and the share of all values in it, in percent.
  function points(values) {
    const { low, high, counts } = values.bins;
    const width = (high - low) / counts.length;
    return counts.map((count, index) => (
      { x: low + (index + 0.5) * width, y: (100 * count) / Math.max(1, values.count) }));
  }

  // What a grid can be drawn of: the type that the tensor is stored in, and those tried.
  function gridsOf(tensor) {
    const grids = measured(tensor).map((stored) => (
      { name: stored.type, block: stored.block, scales: stored.scales }));
    if (tensor.block || tensor.scales) {
      grids.unshift({ name: text("tensor_as_stored", { as: tensor.type }), block: tensor.block,
        scales: tensor.scales });
    }
    return grids.filter((grid) => grid.block || grid.scales);
  }

  // The bins of values as a filled outline, and what the tip over a share says.
  const histogram = (label, values, colour) => ({ label, data: points(values), stepped: "middle",
    borderColor: colour, borderWidth: 1, pointRadius: 0, fill: true,
    backgroundColor: hone.faint(colour, 0.35) });
  const tip = { title: (items) => small(items[0].raw.x),
    label: (item) => `${item.dataset.label}: ${small(item.raw.y)}\u00a0%` };

  function weightsConfig(colours, tensor, grid) {
    const weights = { ...histogram(text("page_tensor_weights"), tensor.values, colours.series[0]),
      part: "weights" };
    const top = Math.max(...weights.data.map((point) => point.y));
    const block = grid ? grid.block : null;
    const levels = block ? block.levels : [];
    const bins = tensor.values.bins;
    const datasets = [weights];
    if (block) {
      datasets.push(
        // A line for each level; a gap after each.
        { label: text("page_tensor_grid", { as: grid.name }), part: "grid", spanGaps: false,
          data: levels.flatMap((x) => [{ x, y: 0 }, { x, y: top }, { x, y: NaN }]),
          borderColor: colours.series[1], backgroundColor: colours.series[1],
          borderWidth: levels.length > 64 ? 0.4 : 1, pointRadius: 0, pointHitRadius: 0 },
        { label: text("page_tensor_block_weights"), part: "block", showLine: false,
          data: block.values.map((x) => ({ x, y: top / 40 })), pointRadius: 4,
          borderColor: colours.surface, backgroundColor: colours.ink });
    }
    return {
      type: "line",
      data: { datasets },
      options: {
        scales: {
          x: hone.axis(colours, text("page_axis_weight"), { type: "linear",
            min: Math.min(bins.low, ...levels), max: Math.max(bins.high, ...levels),
            ticks }),
          y: hone.axis(colours, text("page_axis_weights_share"), { beginAtZero: true }),
        },
        plugins: { tooltip: { callbacks: { ...tip, label: (item) =>
          (item.dataset.part === "weights" ? tip.label(item) : item.dataset.label) } } },
      },
    };
  }

  function scalesConfig(colours, grid) {
    return {
      type: "line",
      data: { datasets: [histogram(grid.name, grid.scales, colours.series[2])] },
      options: {
        scales: {
          x: hone.axis(colours, text("page_axis_scale"), { type: "linear",
            min: grid.scales.bins.low, max: grid.scales.bins.high, ticks }),
          y: hone.axis(colours, text("page_axis_blocks_share"), { beginAtZero: true }),
        },
        plugins: { tooltip: { callbacks: tip } },
      },
    };
  }

  const column = (title, cell) => ({ title, number: true, cell });
  function valuesTable(tensor) {
    const { values } = tensor;
    const rows = [["head_min", real(values.min)], ["head_max", real(values.max)],
      ["head_mean", real(values.mean)], ["head_stddev", real(values.stddev)],
      ["head_magnitude_p50", real(values.magnitude_p50)],
      ["head_magnitude_p99", real(values.magnitude_p99)],
      ["head_magnitude_p999", real(values.magnitude_p999)],
      ["head_zeros", percent(values.zero_share)], ["head_denormals", percent(values.denormal_share)],
      ["head_outliers", percent(values.outlier_share)],
      ["page_tensor_outside", hone.whole(values.bins.below + values.bins.above)]];
    return hone.table({ caption: text("page_tensor_values"), rows, columns: [
      { title: "", head: true, cell: ([id]) => text(id) },
      column(text("head_value"), ([, value]) => value)] });
  }

  function blockTable(grid) {
    const rows = grid.block.values.map((weight, index) => (
      { weight, code: grid.block.codes[index], stored: grid.block.stored[index] }));
    return hone.table({ caption: text("tensor_block"), rows, columns: [
      column(text("block_weight"), (row) => small(row.weight)),
      column(text("block_code"), (row) => String(row.code)),
      column(text("block_stored"), (row) => small(row.stored))] });
  }

  // The weights with a switch for the type whose grid lies over them; the scales follow it.
  function weights(tensor, index) {
    const grids = gridsOf(tensor);
    // The coarsest grid shows best what a grid is; of equals, one that was asked for.
    const levels = grids.map((grid) => (grid.block ? grid.block.levels.length : Infinity));
    const first = Math.max(0, levels.lastIndexOf(Math.min(...levels)));
    let chosen = grids[first] || null;
    const detail = el("div", {});
    const figures = [hone.figure({ id: "weights-" + index, title: text("page_tensor_values"), height: 300,
      note: text("page_tensor_values_note"), table: valuesTable(tensor),
      make: (colours) => weightsConfig(colours, tensor, chosen) })];
    if (grids.some((grid) => grid.scales)) {
      figures.push(hone.figure({ id: "scales-" + index, title: text("tensor_scales"), height: 240,
        note: text("page_tensor_scales_note"), table: scalesTable(grids),
        make: (colours) => scalesConfig(colours, chosen.scales ? chosen
          : grids.find((grid) => grid.scales)) }));
    }
    function show() {
      const block = chosen && chosen.block;
      detail.replaceChildren(...(block ? [
        el("p", {}, text("tensor_block_of", { as: chosen.name, scale: real(block.scale),
          minimum: real(block.minimum), levels: block.levels.length })),
        el("details", {}, el("summary", {}, text("tensor_block")), blockTable(chosen))] : []));
    }
    show();
    const choice = grids.length < 2 ? null : hone.choice({ label: text("page_tensor_choose"),
      names: grids.map((grid) => grid.name), chosen: first, choose: (index) => {
        chosen = grids[index];
        show();
        hone.drawFigures();
      } });
    return [choice, figures[0], detail, figures[1]];
  }

  function scalesTable(grids) {
    return hone.table({ caption: text("tensor_scales"), rows: grids.filter((grid) => grid.scales),
      columns: [
        { title: text("head_type"), head: true, cell: (grid) => hone.foreign(grid.name) },
        column(text("head_min"), (grid) => real(grid.scales.min)),
        column(text("head_median"), (grid) => real(grid.scales.median)),
        column(text("head_max"), (grid) => real(grid.scales.max))] });
  }

  function typesTable(tensor) {
    return hone.table({ caption: text("tensor_types"), rows: tensor.stored_as, columns: [
      { title: text("head_type"), head: true, cell: (s) => hone.foreign(typeOf(s)) },
      column(text("head_bits_short"), (s) => real(s.bits_per_weight)),
      column(text("head_size"), (s) => hone.bytes(s.bytes)),
      column(text("head_snr"), (s) => decibels(s.snr_db)),
      column(text("head_relative_rmse"), (s) => percent(s.relative_rmse)),
      column(text("head_rmse"), (s) => small(s.rmse)),
      column(text("head_max_error"), (s) => small(s.max_error)),
      { title: text("head_to_zero"), number: !tensor.stored_as.some((s) => s.reason),
        cell: (s) => (s.reason ? hone.foreign(s.reason) : percent(s.to_zero_share)) }] });
  }

  function errorsFigure(tensor, index) {
    const changed = measured(tensor).filter((stored) => isNumber(stored.snr_db));
    if (changed.length === 0) return null;
    const bins = changed[0].error.bins;
    return hone.figure({ id: "errors-" + index, title: text("page_tensor_errors"), height: 300,
      note: text("page_tensor_errors_note"), table: errorsTable(changed),
      make: (colours) => ({
        type: "line",
        data: { datasets: changed.map((stored, at) => ({ label: stored.type, stepped: "middle",
          // An empty bin has no place on a logarithmic axis.
          data: points(stored.error).map(({ x, y }) => ({ x, y: y > 0 ? y : NaN })),
          borderColor: colours.series[at % 8], backgroundColor: colours.series[at % 8],
          borderDash: at < 8 ? [] : [5, 4], borderWidth: 1.5, pointRadius: 0 })) },
        options: {
          interaction: { mode: "nearest", intersect: false },
          scales: {
            x: hone.axis(colours, text("page_axis_error"), { type: "linear", min: bins.low,
              max: bins.high, ticks }),
            y: hone.decades(colours, text("page_axis_weights_share"), undefined, 100),
          },
          plugins: { tooltip: { callbacks: tip } },
        },
      }) });
  }

  function errorsTable(changed) {
    return hone.table({ caption: text("page_tensor_errors"), rows: changed, columns: [
      { title: text("head_type"), head: true, cell: (s) => hone.foreign(s.type) },
      column(text("head_rmse"), (s) => small(s.rmse)),
      column(text("head_max_error"), (s) => small(s.max_error)),
      column(text("page_tensor_outside"), (s) => hone.whole(s.error.bins.below + s.error.bins.above))] });
  }

  function curveFigure(tensor, index) {
    const found = measured(tensor).filter((stored) => isNumber(stored.snr_db))
      .map((stored) => ({ x: stored.bits_per_weight, y: stored.snr_db, name: stored.type }));
    if (found.length < 2) return null;
    const right = Math.max(...found.map((point) => point.x)) * 1.1;
    const perBit = 20 * Math.log10(2);
    return hone.figure({ id: "curve-" + index, title: text("page_tensor_curve"), height: 320,
      note: text("page_tensor_curve_note"), table: typesTable(tensor),
      make: (colours) => ({
        type: "scatter",
        data: { datasets: [
          { label: text("head_snr"), data: found, part: "types", pointRadius: 5,
            backgroundColor: hone.faint(colours.series[0], 0.6), borderColor: colours.series[0] },
          { label: text("page_tensor_limit"), part: "limit", showLine: true, pointRadius: 0,
            data: [{ x: 0, y: 0 }, { x: right, y: right * perBit }], pointHitRadius: 0,
            borderColor: colours.dim, backgroundColor: colours.dim, borderDash: [5, 4],
            borderWidth: 1.5 },
        ] },
        options: {
          scales: {
            x: hone.axis(colours, text("page_axis_bits"), { type: "linear", min: 0, max: right,
              ticks }),
            y: hone.axis(colours, text("head_snr"), { beginAtZero: true, ticks,
              max: 1.1 * Math.max(...found.map((point) => point.y)) }),
          },
          plugins: { tooltip: { callbacks: { label: (item) =>
            `${item.raw.name}: ${small(item.raw.x)} bit, ${decibels(item.raw.y)} dB` } } },
        },
        plugins: [hone.labelPlugin(found.map((point) => ({ text: point.name, x: point.x, y: point.y,
          radius: 5, colour: colours.ink, ground: colours.surface })))],
      }) });
  }

  function section(tensor, index) {
    const facts = text("tensor_facts", { shape: tensor.dims.join(" x "), as: tensor.type,
      bits: real(tensor.bits_per_weight), size_bytes: hone.bytes(tensor.bytes) });
    return hone.section("tensor-" + index, hone.foreign(tensor.name), el("p", {}, facts),
      ...(tensor.values.count === 0 ? [] : weights(tensor, index)),
      tensor.stored_as.length === 0 ? null : el("div", {}, el("h3", {}, text("tensor_types")),
        typesTable(tensor)),
      errorsFigure(tensor, index), curveFigure(tensor, index));
  }

  hone.inspection = () => inspection.tensors.map((tensor, index) => [section(tensor, index), tensor.name]);
  hone.inspectionFacts = () => ({ model: inspection.model, build: inspection.build,
    line: text("page_tensor_count", { count: inspection.tensors.length }) });
})();
