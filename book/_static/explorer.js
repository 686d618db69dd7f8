/* A histogram whose red line the reader moves. anomalylib/explorer.py writes its data. */
(() => {
  const WIDTH = 480, TOP = 10, BOTTOM = 180, NORMAL = "#9A9A9A", RED = "#D00000";
  const SVG = "http://www.w3.org/2000/svg";

  function draw(parent, tag, attributes, text) {
    const element = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
    if (text) element.textContent = text;
    parent.append(element);
    return element;
  }

  /* Clopper and Pearson's one-sided 95 % upper bound of a rate, by halving. */
  function upperBound(count, total) {
    if (count >= total) return 1;
    let low = count / total, high = 1;
    for (let step = 0; step < 50; step++) {
      const rate = (low + high) / 2;
      let term = (1 - rate) ** total, sum = term;
      for (let k = 1; k <= count; k++) {
        term *= ((total - k + 1) / k) * (rate / (1 - rate));
        sum += term;
      }
      if (sum > 0.05) low = rate; else high = rate;
    }
    return high;
  }

  function counts(panel, label) {
    const found = new Array(panel.edges.length - 1).fill(0);
    panel.scores.forEach((score, i) => {
      if (panel.labels[i] !== label) return;
      let bin = panel.edges.findIndex((edge) => score < edge) - 1;
      if (bin < 0) bin = score < panel.edges[0] ? 0 : found.length - 1;
      found[bin] += 1;
    });
    return found;
  }

  function wake(root) {
    const panels = JSON.parse(root.dataset.panels);
    const [select, svg, slider, button, output] = ["select", "svg", "input", "button", "output"]
      .map((tag) => root.querySelector(tag));
    const scale = (panel) => (panel.log ? Math.log : (value) => value);
    let panel, line;

    const place = (value) => {
      const of = scale(panel), low = of(panel.edges[0]), high = of(panel.edges.at(-1));
      return (of(value) - low) / (high - low);
    };
    const threshold = () => {
      if (slider.dataset.exact) return Number(slider.dataset.exact);
      const of = scale(panel), low = of(panel.edges[0]), high = of(panel.edges.at(-1));
      const value = low + (slider.value / 1000) * (high - low);
      return panel.log ? Math.exp(value) : value;
    };

    function say() {
      const at = threshold(), above = [0, 0], total = [0, 0];
      panel.scores.forEach((score, i) => {
        total[panel.labels[i]] += 1;
        if (score > at) above[panel.labels[i]] += 1;
      });
      const x = WIDTH * Math.min(1, Math.max(0, place(at)));
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      const percent = (share) => `${Math.round(100 * share)} %`;
      const bound = percent(upperBound(above[0], total[0]));
      output.textContent =
        `At ${at.toPrecision(3)}: ${above[1]} of ${total[1]} defective parts found (recall ` +
        `${percent(above[1] / total[1])}), ${above[0]} of ${total[0]} good parts called ` +
        `defective; the true rate of that may be up to ${bound}.`;
      slider.setAttribute("aria-valuetext", output.textContent);
    }

    function show() {
      panel = panels[select.selectedIndex];
      svg.replaceChildren();
      svg.setAttribute("aria-label", `Histogram of the scores of ${panel.name}`);
      const up = counts(panel, 1), down = counts(panel, 0);
      const unit = (BOTTOM - TOP) / (Math.max(...up) + Math.max(...down));
      const zero = TOP + unit * Math.max(...up);
      const width = WIDTH / up.length;
      up.forEach((count, i) => draw(svg, "rect", {
        x: i * width, y: zero - unit * count, width: width - 1, height: unit * count,
        fill: panel.colour,
      }));
      down.forEach((count, i) => draw(svg, "rect", {
        x: i * width, y: zero, width: width - 1, height: unit * count, fill: NORMAL,
      }));
      draw(svg, "line", { x1: 0, x2: WIDTH, y1: zero, y2: zero, stroke: "currentColor" });
      line = draw(svg, "line", { y1: 0, y2: BOTTOM + 8, stroke: RED, "stroke-width": 3 });
      const text = { y: 204, fill: "currentColor", "font-size": 13 };
      const kind = panel.log ? "log scale" : "linear scale";
      draw(svg, "text", { x: 0, ...text }, panel.edges[0].toPrecision(2));
      draw(svg, "text", { x: WIDTH / 2, "text-anchor": "middle", ...text }, `score, ${kind}`);
      draw(svg, "text", { x: WIDTH, "text-anchor": "end", ...text },
        panel.edges.at(-1).toPrecision(2));
      reset();
    }

    function reset() {
      slider.value = Math.round(1000 * place(panel.threshold));
      slider.dataset.exact = panel.threshold;
      say();
    }

    select.addEventListener("change", show);
    button.addEventListener("click", reset);
    slider.addEventListener("input", () => {
      delete slider.dataset.exact;
      say();
    });
    root.querySelector(".explorer-asleep").remove();
    root.querySelector("[hidden]").hidden = false;
    show();
  }

  document.addEventListener("DOMContentLoaded", () => {
    document.querySelectorAll(".explorer").forEach(wake);
  });
})();
