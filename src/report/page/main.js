"use strict";
// Puts the page together and keeps its theme.
(function () {
  const { el, text, data } = hone;
  const root = document.documentElement;
  const themes = ["auto", "light", "dark"];

  // A browser may keep nothing for pages of files: then the theme lasts as long as the page.
  function remembered() {
    try {
      return localStorage.getItem("hone-theme");
    } catch {
      return null;
    }
  }
  function remember(theme) {
    try {
      localStorage.setItem("hone-theme", theme);
    } catch {
      /* Nothing to be done about it, and nothing lost. */
    }
  }

  function themeButton() {
    let theme = themes.includes(remembered()) ? remembered() : "auto";
    const button = el("button", { type: "button", id: "theme", class: "plain no-print" });
    const apply = () => {
      if (theme === "auto") root.removeAttribute("data-theme");
      else root.setAttribute("data-theme", theme);
      button.textContent = text("page_theme", { theme: text("page_theme_" + theme) });
    };
    button.addEventListener("click", () => {
      theme = themes[(themes.indexOf(theme) + 1) % themes.length];
      remember(theme);
      apply();
      hone.drawFigures();
    });
    apply();
    return button;
  }

  function explained() {
    return [
      [hone.section("context", text("section_context"), hone.context()), "section_context"],
      [hone.section("metrics", text("section_metrics"), hone.metrics()), "section_metrics"],
      [hone.section("time", text("section_decomposition"), hone.stages(), hone.waterfallFigure(),
        hone.sequence(), hone.latency()), "section_decomposition"],
      [hone.section("operators", text("page_operators"), hone.operators(), hone.roofline()),
        "page_operators"],
      [hone.section("memory", text("page_memory_title"), hone.memoryBar(), hone.kvGrowth()),
        "page_memory_title"],
      [hone.section("attribution", text("section_attribution"), hone.attribution()),
        "section_attribution"],
      [hone.section("decisions", text("section_decisions"), hone.decisions()), "section_decisions"],
      [hone.section("experiments", text("page_experiments"), hone.experiments()),
        "page_experiments"],
    ].filter(([section]) => section !== null);
  }

  // What the head of the page says of an explained run.
  function explainedFacts() {
    const { explain, charts } = data;
    return { model: charts.model.file || charts.model.name, build: explain.context.build,
      line: [charts.model.name, explain.context.machine].filter((part) => part).join(" \u00b7 ") };
  }

  // The page by what is in its data. Sections go with the id of their name, or with the name.
  function chosen() {
    if (Object.hasOwn(data, "optimization")) {
      return { brand: "Hone optimize", facts: hone.optimizationFacts(), head: null,
        sections: hone.optimization() };
    }
    if (Object.hasOwn(data, "inspection")) {
      return { brand: "Hone inspect", facts: hone.inspectionFacts(), head: null,
        sections: hone.inspection(), named: true };
    }
    return { brand: "Hone explain", facts: explainedFacts(), sections: explained(),
      head: [hone.trust(), hone.keyFigures()] };
  }

  function build() {
    const { brand, facts, head, sections, named } = chosen();
    const links = sections.map(([section, name]) =>
      el("a", { href: "#" + section.id }, named ? hone.foreign(name) : text(name)));
    document.getElementById("page").replaceWith(
      el("header", {},
        el("div", { class: "top" }, el("p", { class: "brand" }, brand), themeButton()),
        el("h1", {}, hone.foreign(facts.model || text("page_no_model"))),
        el("p", { class: "quiet" }, hone.foreign(facts.line))),
      el("nav", { class: "no-print", "aria-label": text("page_sections") }, links),
      el("main", {}, head, sections.map(([section]) => section)),
      el("footer", {}, el("p", {}, hone.foreign(facts.build)),
        el("p", {}, text("page_chart_licence"))));
    hone.drawFigures();
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", hone.drawFigures);
  }

  build();
})();
