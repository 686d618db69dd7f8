/* A histogram whose red line the reader moves, and the map of the test image that they choose.
   study/figures/explorer.py writes its data. */
(() => {
  const WIDTH = 480, TOP = 10, BOTTOM = 180, STRIP = 196, NORMAL = "#9A9A9A", RED = "#D00000";
  const SVG = "http://www.w3.org/2000/svg";
  /* From none over half to one and to twice the threshold and more. */
  const PALETTE = [[0, 34, 78], [86, 92, 108], [165, 156, 116], [254, 232, 56]];

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

  function colour(value) {
    const at = (value / 255) * (PALETTE.length - 1);
    const low = Math.min(Math.floor(at), PALETTE.length - 2);
    const mix = PALETTE[low].map((from, c) => from + (at - low) * (PALETTE[low + 1][c] - from));
    return `rgb(${mix.map(Math.round).join(",")})`;
  }

  const rank = (scores, i) => 1 + scores.filter((score) => score > scores[i]).length;

  function wake(root) {
    const panels = JSON.parse(root.dataset.panels), images = JSON.parse(root.dataset.images);
    const [choice, svg, slider, button, output, image, canvas, ranks] = [".explorer-panel", "svg",
      "input", "button", ".explorer-counts", ".explorer-image", "canvas", ".explorer-ranks"]
      .map((selector) => root.querySelector(selector));
    const scale = (panel) => (panel.log ? Math.log : (value) => value);
    let panel, line, mark;

    const place = (value) => {
      const of = scale(panel), low = of(panel.edges[0]), high = of(panel.edges.at(-1));
      return Math.min(1, Math.max(0, (of(value) - low) / (high - low)));
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
      const x = WIDTH * place(at);
      line.setAttribute("x1", x);
      line.setAttribute("x2", x);
      const percent = (share) => `${Math.round(100 * share)} %`;
      const bound = percent(upperBound(above[0], total[0]));
      output.textContent =
        `At ${at.toPrecision(3)}: ${above[1]} of ${total[1]} defects detected (recall ` +
        `${percent(above[1] / total[1])}), ${above[0]} of ${total[0]} normal images above the ` +
        `threshold; their true rate may be up to ${bound}.`;
      slider.setAttribute("aria-valuetext", output.textContent);
      look();
    }

    /* The chosen test image: its place in the strip, its map, its rank under each model. */
    function look() {
      const i = Number(image.value), score = panel.scores[i], at = threshold();
      mark.setAttribute("cx", WIDTH * place(score));
      const kind = panel.labels[i] ? "defective" : "normal";
      const name = images[panel.category][i];
      const others = panels.filter((each) => each.category === panel.category)
        .map((each) => `${each.model} ${rank(each.scores, i)}`).join(", ");
      ranks.textContent = `${name} (${kind}): score ${score.toPrecision(3)}, ` +
        `${score > at ? "above" : "not above"} the threshold. ` +
        `Rank of ${panel.scores.length}, 1 the most anomalous: ${others}.`;
      canvas.hidden = !panel.maps;
      if (!panel.maps) return;
      const bytes = panel.bytes ??= Uint8Array.from(atob(panel.maps), (c) => c.charCodeAt(0));
      const side = panel.side, cell = canvas.width / side, pen = canvas.getContext("2d");
      for (let place = 0; place < side * side; place++) {
        pen.fillStyle = colour(bytes[i * side * side + place]);
        const [row, column] = [Math.floor(place / side), place % side];
        pen.fillRect(column * cell, row * cell, cell + 0.5, cell + 0.5);
      }
      canvas.setAttribute("aria-label", `Anomaly map of ${name} by ${panel.model}`);
    }

    function show() {
      const before = panel?.category;
      panel = panels[choice.selectedIndex];
      svg.replaceChildren();
      svg.setAttribute("aria-label",
        `Histogram of the scores of ${panel.category}, ${panel.model}, a tick a test image below`);
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
      panel.scores.forEach((score, i) => {
        const x = WIDTH * place(score), ends = panel.labels[i] ? [-9, -1] : [1, 9];
        const look = { stroke: panel.labels[i] ? panel.colour : NORMAL, "stroke-width": 1.5 };
        draw(svg, "line", { x1: x, x2: x, y1: STRIP + ends[0], y2: STRIP + ends[1], ...look });
      });
      mark = draw(svg, "circle", { cy: STRIP, r: 5, fill: "none", stroke: "currentColor",
        "stroke-width": 2 });
      line = draw(svg, "line", { y1: 0, y2: STRIP + 10, stroke: RED, "stroke-width": 3 });
      const text = { y: 230, fill: "currentColor", "font-size": 13 };
      const kind = panel.log ? "log scale" : "linear scale";
      draw(svg, "text", { x: 0, ...text }, panel.edges[0].toPrecision(2));
      draw(svg, "text", { x: WIDTH / 2, "text-anchor": "middle", ...text }, `score, ${kind}`);
      draw(svg, "text", { x: WIDTH, "text-anchor": "end", ...text },
        panel.edges.at(-1).toPrecision(2));
      const order = panel.scores.map((_, i) => i).sort((a, b) => panel.scores[b] - panel.scores[a]);
      const kept = before === panel.category ? image.value : String(order[0]);
      image.replaceChildren(...order.map((i, at) => {
        const words = `${at + 1}: ${images[panel.category][i]}, ${panel.scores[i].toPrecision(3)}`;
        return new Option(words, String(i));
      }));
      image.value = kept;
      reset();
    }

    function reset() {
      slider.value = Math.round(1000 * place(panel.threshold));
      slider.dataset.exact = panel.threshold;
      say();
    }

    svg.addEventListener("click", (event) => {
      const box = svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * (496 / 480) - 8 / 480;
      const far = panel.scores.map((score) => Math.abs(place(score) - x));
      image.value = String(far.indexOf(Math.min(...far)));
      look();
    });
    choice.addEventListener("change", show);
    image.addEventListener("change", look);
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
