"use strict";
// Tables with sorting and search, buttons to choose by, and bars made of plain elements, which print
// and scale as text.
(function () {
  const { el, text } = hone;

  function compare(a, b) {
    // What has no value stands last, whichever way the column is sorted.
    const missing = (value) => value === null || value === undefined || value === "";
    if (missing(a) || missing(b)) return missing(a) - missing(b);
    if (typeof a === "number" && typeof b === "number") return a - b;
    return String(a).localeCompare(String(b));
  }

  function cellOf(column, row) {
    const content = column.cell(row);
    return el(column.head ? "th" : "td",
      { class: column.number ? "number" : column.class, scope: column.head ? "row" : null },
      content);
  }

  // columns: [{title, cell(row), value(row), number, head, class}]. With `sort` (a column index)
  // the heads are buttons; with `search(row)` there is a field above and a line that counts.
  hone.table = function ({ columns, rows, caption, sort, search, showFirst }) {
    const state = { column: sort, down: true, query: "", all: false };
    const body = el("tbody", {});
    const counter = el("p", { class: "quiet counter", role: "status" });
    const more = el("button", { type: "button", class: "plain" });
    const heads = columns.map((column, index) => {
      const sortable = sort !== undefined && column.value;
      const content = sortable
        ? el("button", { type: "button", class: "sort", onclick: () => sortBy(index) }, column.title)
        : column.title;
      return el("th", { scope: "col", class: column.number ? "number" : null }, content);
    });

    function sortBy(index) {
      state.down = state.column === index ? !state.down : Boolean(columns[index].number);
      state.column = index;
      draw();
    }
    function chosen() {
      const words = state.query.toLowerCase().split(/\s+/).filter((word) => word !== "");
      const found = rows.filter((row) => {
        const haystack = search ? search(row).toLowerCase() : "";
        return words.every((word) => haystack.includes(word));
      });
      if (state.column === undefined) return found;
      const value = columns[state.column].value;
      const missing = (row) => value(row) === null || value(row) === undefined;
      return found
        .map((row, index) => ({ row, index }))
        .sort((a, b) => {
          const order = compare(value(a.row), value(b.row));
          const turned = state.down && !missing(a.row) && !missing(b.row) ? -order : order;
          return turned || a.index - b.index;
        })
        .map((entry) => entry.row);
    }
    function draw() {
      const found = chosen();
      const shown = showFirst && !state.all ? found.slice(0, showFirst) : found;
      body.replaceChildren(...shown.map((row) => el("tr", {}, columns.map((c) => cellOf(c, row)))));
      heads.forEach((head, index) => {
        if (index === state.column && sort !== undefined) {
          head.setAttribute("aria-sort", state.down ? "descending" : "ascending");
        } else {
          head.removeAttribute("aria-sort");
        }
      });
      counter.textContent = text("page_rows_shown", { shown: shown.length, all: rows.length });
      more.hidden = shown.length === found.length;
      more.textContent = text("page_show_all", { count: found.length });
    }
    more.addEventListener("click", () => {
      state.all = true;
      draw();
    });

    const table = el("table", {},
      caption ? el("caption", { class: "hidden-text" }, caption) : null,
      el("thead", {}, el("tr", {}, heads)), body);
    draw();
    const scroll = el("div", { class: "scroll", tabindex: "0", role: "region",
      "aria-label": caption || columns[0].title }, table);
    if (!search) return el("div", {}, scroll, showFirst ? more : null);
    const field = el("input", {
      type: "search", placeholder: text("page_search"), "aria-label": text("page_search"),
      oninput: (event) => {
        state.query = event.target.value;
        draw();
      },
    });
    return el("div", {}, el("div", { class: "tools" }, field, counter), scroll, more);
  };

  // Buttons of which one is pressed; choose(index) follows each press.
  hone.choice = function ({ label, names, chosen, choose }) {
    const buttons = names.map((name, index) =>
      el("button", { type: "button", onclick: () => { press(index); choose(index); } }, name));
    function press(pressed) {
      buttons.forEach((button, index) => button.setAttribute("aria-pressed", index === pressed));
    }
    press(chosen);
    return el("div", { class: "switch", role: "group", "aria-label": label }, buttons);
  };

  // Parts of a whole as one bar with its list: [{label, share, value, colour}].
  hone.shareBar = function (id, label, parts) {
    const bar = el("div", { class: "share-bar", id, role: "img", "aria-label": label },
      parts.map((part) => {
        const piece = el("span", { title: part.label + ": " + part.value, "data-share": part.share });
        piece.style.flexGrow = Math.max(0, part.share);
        piece.style.background = `var(--series-${part.colour})`;
        return piece;
      }));
    const list = el("ul", { class: "legend" }, parts.map((part) => {
      const swatch = el("i", { class: "swatch" });
      swatch.style.background = `var(--series-${part.colour})`;
      return el("li", {}, swatch, el("span", {}, part.label), el("b", {}, part.value));
    }));
    return el("div", {}, bar, list);
  };

  // Changes in percent on a scale from -reach to reach, whose middle is "no change": intervals as
  // {kind, ends}, each with its class, and a point, null for none.
  hone.changeBar = function (reach, intervals, point) {
    const place = (value) => 50 + (50 * Math.max(-reach, Math.min(reach, value))) / reach;
    const ranges = intervals.map(({ kind, ends }) => {
      const range = el("span", { class: kind });
      range.style.left = place(ends[0]) + "%";
      range.style.width = place(ends[1]) - place(ends[0]) + "%";
      return range;
    });
    const mark = point === null ? null : el("span", { class: "point" });
    if (mark) mark.style.left = place(point) + "%";
    return el("div", { class: "change-bar", "aria-hidden": "true" }, ranges, mark);
  };
  // A scale for all of these changes.
  hone.reachOf = (changes) =>
    Math.min(100, Math.max(5, ...changes.filter(hone.isNumber).map(Math.abs)));

  // Parts that follow each other: [{label, start, end, value, share, rest}], all within 0..total.
  hone.waterfall = function (id, label, total, rows) {
    const body = rows.map((row) => {
      const bar = el("span", { class: row.rest ? "fall rest" : "fall" });
      const width = total > 0 ? (100 * (row.end - row.start)) / total : 0;
      bar.style.left = `min(${total > 0 ? (100 * row.start) / total : 0}%, 100% - 2px)`;
      bar.style.width = `max(${width}%, 2px)`;
      return el("tr", { "data-start": row.start, "data-end": row.end },
        el("th", { scope: "row" }, row.label),
        el("td", { class: "track" }, el("div", { class: "rail" }, bar)),
        el("td", { class: "number" }, row.value),
        el("td", { class: "number quiet" }, row.share));
    });
    return el("table", { class: "waterfall", id },
      el("caption", {}, label),
      el("thead", { class: "hidden-text" }, el("tr", {},
        [text("page_stage"), "", text("head_time"), text("head_share")].map((title) =>
          el("th", { scope: "col" }, title)))),
      el("tbody", {}, body));
  };
})();
