/* The live figures: what `lossbook.live` computes in Python, computed again in the page.

   A form with sliders carries a specification. `panels` and `readout` of its kind are
   functions of the sliders' values, with the names and the results of the Python ones;
   every loss comes from `lossbookFormulas`, which is printed from the derivations.
   The rest draws the panels with uPlot in the place of the still picture. */

"use strict";

const lossbookLive = (() => {
  // how the book's colours, dashes and markers follow one another (lossbook.plots)
  const COLORS = ["#0072B2", "#D55E00", "#009E73", "#CC79A7", "#000000"];
  const DASHES = [[], [7, 4], [9, 3, 2, 3], [2, 3], [9, 2, 2, 2, 2, 2]];
  const GREY = "#7f7f7f";

  // ---- what is drawn, and the numbers beside it --------------------------------------

  const linspace = (low, high, n) =>
    Array.from({ length: n }, (_, i) => low + (i * (high - low)) / (n - 1));
  const mean = numbers => numbers.reduce((a, b) => a + b, 0) / numbers.length;
  const mark = (kind, label, style, x, y) => ({ kind, label, style, x, y });
  const line = (label, style, x, y) => mark("line", label, style, x, y);
  const points = (label, style, x, y) => mark("points", label, style, x, y);

  /* "counts[0]" and "counts[1]" become the list counts, and their shares priors. */
  function gathered(values) {
    const found = {};
    for (const [key, value] of Object.entries(values)) {
      const [name, place] = key.split("[");
      if (place === undefined) found[name] = value;
      else (found[name] ||= []).push(value);
    }
    if (found.counts) {
      const total = found.counts.reduce((a, b) => a + b, 0);
      found.priors = found.counts.map(n => n / total);
    }
    return found;
  }

  /* The two functions of a loss, with the sliders' values in place of its own fields. */
  function bound(loss, values) {
    const formula = lossbookFormulas[loss.formula];
    const parameters = { ...loss.fields, ...gathered(values) };
    return {
      label: loss.label,
      value: (z, y) => formula.value(z, y, parameters),
      gradient: (z, y) => formula.gradient(z, y, parameters),
    };
  }

  /* The mean loss of a line and its gradients: the score is w x + b. */
  function fit(loss, spec, w, b) {
    const scores = spec.features.map(x => w * x + b);
    const slopes = scores.map((z, n) => loss.gradient(z, spec.targets[n]));
    return {
      mean: mean(scores.map((z, n) => loss.value(z, spec.targets[n]))),
      w: mean(slopes.map((g, n) => g * spec.features[n])),
      b: mean(slopes),
    };
  }

  const LossCurves = {
    computed(spec, places, values) {
      const target = values.target ?? spec.target;
      const score = p => (spec.over === "probability" ? Math.log(p / (1 - p)) : p);
      return spec.losses.map(entry => {
        const loss = bound(entry, values);
        const curve = f => places.map(p => f(score(p), target));
        return [loss.label, curve(loss.value), curve(loss.gradient)];
      });
    },
    panels(spec, values) {
      const { low, high } = spec.probe;
      const places = linspace(low, high, 241);
      const names = { score: "score z", residual: "residual ŷ − y" };
      const x = [names[spec.over] ?? "probability p", low, high];
      const curves = this.computed(spec, places, values);
      const at = this.computed(spec, [values[spec.over]], values);
      return ["loss", "gradient in the score"].map((title, which) => ({
        title, x, y: [title, ...spec.limits[which]], ticks: [], drag: [spec.over, ""],
        marks: curves.flatMap((curve, style) => [
          line(curve[0], style, places, curve[1 + which]),
          points("", style, [values[spec.over]], at[style][1 + which]),
        ]),
      }));
    },
    readout(spec, values) {
      const at = this.computed(spec, [values[spec.over]], values);
      const rows = at.map(([label, value, slope]) => [label, [value[0], slope[0]]]);
      return [["loss", "gradient"], Object.fromEntries(rows)];
    },
  };

  const Bars = {
    computed(spec, panel, values) {
      return panel.map(({ label, formula, own }) => {
        const given = gathered({ ...spec.fixed, ...values, ...own });
        const [name, which] = formula.split(".");
        return [label, lossbookFormulas[name][which](given.z, given.y, given)];
      });
    },
    panels(spec, values) {
      return spec.series.map((panel, i) => {
        const width = 0.8 / panel.length;
        const title = spec.titles[i];
        return {
          title, x: ["", -0.6, spec.classes.length - 0.4],
          y: [title, ...spec.limits[i]], ticks: spec.classes, drag: [],
          marks: this.computed(spec, panel, values).map(([label, heights], style) =>
            mark("bars", label, style,
              heights.map((_, c) => c + (width * (style + 0.5) - 0.4)), heights)),
        };
      });
    },
    readout(spec, values) {
      const rows = spec.series.flatMap(panel => this.computed(spec, panel, values));
      return [spec.classes, Object.fromEntries(rows)];
    },
  };

  const TiltedLine = {
    computed(spec, w, b, values) {
      return spec.losses.map(entry => {
        const at = fit(bound(entry, values), spec, w, b);
        return [entry.label, at.mean, at.w, at.b];
      });
    },
    panels(spec, values) {
      const [[low, high], target, height] = spec.limits;
      const { weight, bias } = values;
      const brokenX = spec.features.flatMap(x => [x, x, null]);
      const brokenY = spec.features.flatMap((x, n) => [spec.targets[n], weight * x + bias, null]);
      const slopes = linspace(spec.weight.low, spec.weight.high, 81);
      const columns = slopes.map(w => this.computed(spec, w, bias, values));
      const reach = (spec.weight.high - spec.weight.low) / 8;
      const curves = this.computed(spec, weight, bias, values).flatMap(
        ([label, mean, slope], style) => [
          line(label, style, slopes, columns.map(column => column[style][1])),
          line("", 4, [weight - reach, weight + reach], [mean - slope * reach, mean + slope * reach]),
          points("", style, [weight], [mean]),
        ]);
      return [
        {
          title: "the line", x: ["feature x", low, high], y: ["target y", ...target],
          ticks: [], drag: [],
          marks: [
            points("samples", 4, spec.features, spec.targets),
            line("residuals", 3, brokenX, brokenY),
            line("the line", 4, [low, high], [weight * low + bias, weight * high + bias]),
          ],
        },
        {
          title: "mean loss over the weight",
          x: ["weight w", spec.weight.low, spec.weight.high], y: ["mean loss", ...height],
          ticks: [], drag: ["weight", ""], marks: curves,
        },
      ];
    },
    readout(spec, values) {
      const rows = this.computed(spec, values.weight, values.bias, values);
      return [["mean loss", "gradient in w", "gradient in b"],
        Object.fromEntries(rows.map(([label, ...numbers]) => [label, numbers]))];
    },
  };

  const Descent = {
    /* Every point of the path; it ends before the numbers do. */
    path(spec, entry, values) {
      const loss = bound(entry, {});
      let { weight: w, bias: b } = values;
      const path = { w: [w], b: [b], mean: fit(loss, spec, w, b).mean };
      for (let step = 0; step < values.steps; step++) {
        const slope = fit(loss, spec, w, b);
        w -= values.learning_rate * slope.w;
        b -= values.learning_rate * slope.b;
        const reached = fit(loss, spec, w, b).mean;
        if (!Number.isFinite(reached)) break;
        path.w.push(w);
        path.b.push(b);
        path.mean = reached;
      }
      return path;
    },
    panels(spec, values) {
      return spec.losses.map((entry, style) => {
        const { w, b } = this.path(spec, entry, values);
        return {
          title: entry.label, ticks: [], drag: ["weight", "bias"],
          x: ["weight w", spec.weight.low, spec.weight.high],
          y: ["bias b", spec.bias.low, spec.bias.high],
          marks: [line("", -1, ...entry.contours), line("", style, w, b), points("", style, w, b)],
        };
      });
    },
    readout(spec, values) {
      const rows = spec.losses.map(entry => {
        const { w, b, mean } = this.path(spec, entry, values);
        return [entry.label, [w.at(-1), b.at(-1), mean]];
      });
      return [["w", "b", "mean loss"], Object.fromEntries(rows)];
    },
  };

  const Clouds = {
    samples(spec, values) {
      const { x, y } = values;
      const [negative, positive] = spec.noise.map((noise, c) => noise.slice(0, values[`counts[${c}]`]));
      return [negative, positive.map(point => [point[0] + x, point[1] + y])];
    },
    /* The binary model (w1, w2, b) after the steps. Two scores that start at zero stay
       each other's opposites: s / 2 and -s / 2, of which the difference s moves twice as
       far in a step. */
    train(spec, entry, values, clouds) {
      const loss = bound(entry, values);
      const two = entry.formula.endsWith("2");
      const slope = two ? (s, y) => 2 * loss.gradient([-s / 2, s / 2], y)[1] : loss.gradient;
      const n = clouds[0].length + clouds[1].length;
      const rate = spec.learning_rate / n;
      let w1 = 0, w2 = 0, b = 0;
      for (let step = 0; step < values.steps; step++) {
        let g1 = 0, g2 = 0, g = 0;
        clouds.forEach((cloud, y) => {
          for (const [x1, x2] of cloud) {
            const d = slope(w1 * x1 + w2 * x2 + b, y);
            g1 += d * x1;
            g2 += d * x2;
            g += d;
          }
        });
        w1 -= rate * g1;
        w2 -= rate * g2;
        b -= rate * g;
      }
      return [w1, w2, b];
    },
    /* The models of all losses, trained once for the panel and the readout. */
    trained: new WeakMap(),
    models(spec, values, clouds) {
      if (!this.trained.has(values))
        this.trained.set(values, spec.losses.map(entry => this.train(spec, entry, values, clouds)));
      return this.trained.get(values);
    },
    boundary(spec, [w1, w2, b]) {
      const length = w1 * w1 + w2 * w2;
      if (length === 0) return [[], []];
      const [x, y] = [(-b * w1) / length, (-b * w2) / length];
      const far = (4 * spec.limit) / Math.sqrt(length);
      return [[x - far * w2, x + far * w2], [y + far * w1, y - far * w1]];
    },
    panels(spec, values) {
      const clouds = this.samples(spec, values);
      const axis = name => [name, -spec.limit, spec.limit];
      return [{
        title: "samples and boundaries", x: axis("feature x₁"), y: axis("feature x₂"),
        ticks: [], drag: ["x", "y"],
        marks: [
          ...clouds.map((cloud, c) =>
            points(`class ${c}`, c, cloud.map(point => point[0]), cloud.map(point => point[1]))),
          ...this.models(spec, values, clouds).map((model, style) =>
            line(spec.losses[style].label, style, ...this.boundary(spec, model))),
        ],
      }];
    },
    readout(spec, values) {
      const clouds = this.samples(spec, values);
      const rows = this.models(spec, values, clouds).map(([w1, w2, b], i) => {
        const positive = clouds.map(cloud => mean(cloud.map(([x1, x2]) => w1 * x1 + w2 * x2 + b > 0 ? 1 : 0)));
        const right = [1 - positive[0], positive[1]];
        return [spec.losses[i].label, [...right, mean(right)]];
      });
      return [["recall of class 0", "recall of class 1", "their mean"], Object.fromEntries(rows)];
    },
  };

  const KINDS = { LossCurves, Bars, TiltedLine, Descent, Clouds };

  // ---- the page ----------------------------------------------------------------------

  function drawMark(plot, { marks }, { kind, style, x, y }) {
    const { ctx } = plot;
    const ratio = devicePixelRatio;
    const at = i => [plot.valToPos(x[i], "x", true), plot.valToPos(y[i], "y", true)];
    ctx.strokeStyle = ctx.fillStyle = style < 0 ? GREY : COLORS[style];
    ctx.beginPath();
    if (kind === "line") {
      ctx.lineWidth = (style < 0 ? 0.7 : 2) * ratio;
      ctx.setLineDash(style < 0 ? [] : DASHES[style].map(length => length * ratio));
      let down = false;
      for (let i = 0; i < x.length; i++) {
        if (x[i] === null || y[i] === null) { down = false; continue; }
        down ? ctx.lineTo(...at(i)) : ctx.moveTo(...at(i));
        down = true;
      }
      ctx.stroke();
      ctx.setLineDash([]);
    } else if (kind === "bars") {
      const series = marks.filter(m => m.kind === "bars").length;
      const width = (0.75 / series) * plot.bbox.width / (plot.scales.x.max - plot.scales.x.min);
      const zero = plot.valToPos(0, "y", true);
      for (let i = 0; i < x.length; i++) {
        const [px, py] = at(i);
        ctx.rect(px - width / 2, Math.min(py, zero), width, Math.abs(zero - py));
      }
      ctx.fill();
    } else {
      const size = 3 * ratio;
      ctx.globalAlpha = 0.7;
      for (let i = 0; i < x.length; i++) marker(ctx, style, ...at(i), size);
      ctx.fill();
      ctx.globalAlpha = 1;
    }
  }

  /* The book's markers in order: circle, triangle, square, diamond, triangle down. */
  function marker(ctx, style, x, y, r) {
    if (style === 0) { ctx.moveTo(x + r, y); ctx.arc(x, y, r, 0, 7); return; }
    const corners = {
      1: [[-1, 1], [1, 1], [0, -1]], 2: [[-1, -1], [1, -1], [1, 1], [-1, 1]],
      3: [[0, -1.3], [1.3, 0], [0, 1.3], [-1.3, 0]], 4: [[-1, -1], [1, -1], [0, 1]],
    }[style];
    corners.forEach(([dx, dy], i) => ctx[i ? "lineTo" : "moveTo"](x + dx * r, y + dy * r));
    ctx.closePath();
  }

  const clipped = (plot, draw) => {
    const { ctx, bbox } = plot;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    draw();
    ctx.restore();
  };

  function makePlot(box, panel, state) {
    const axis = (side, [label], ticks) => ({
      label, stroke: "#222", font: "12px sans-serif", labelFont: "13px sans-serif",
      labelSize: 20, labelGap: 0, size: side === "x" ? 28 : 40, grid: { stroke: "#7f7f7f40", width: 1 }, ticks: { show: false },
      ...(ticks?.length && {
        splits: () => ticks.map((_, i) => i), values: () => ticks, grid: { show: false },
      }),
    });
    const plot = new uPlot({
      width: box.clientWidth, height: box.clientHeight, pxAlign: false,
      scales: {
        x: { time: false, range: panel.x.slice(1) },
        y: { range: panel.y.slice(1) },
      },
      series: [{}, {}],
      axes: [axis("x", panel.x, panel.ticks), axis("y", panel.y)],
      legend: { show: false }, cursor: { show: false },
      hooks: {
        draw: [plot => clipped(plot, () => state.panel.marks.forEach(m => drawMark(plot, state.panel, m)))],
      },
    }, [panel.x.slice(1), [null, null]], box);
    new ResizeObserver(() => plot.setSize({ width: box.clientWidth, height: box.clientHeight })).observe(box);
    return plot;
  }

  const shortNumber = u => (Number.isFinite(u) ? Number(u.toPrecision(4)).toString().replace("-", "−") : String(u));

  function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    made.append(...children);
    return made;
  }

  function swatch({ kind, style }) {
    const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
    svg.setAttribute("viewBox", "0 0 30 10");
    svg.setAttribute("aria-hidden", "true");
    const color = style < 0 ? GREY : COLORS[style];
    svg.innerHTML = kind === "line"
      ? `<path d="M0 5H30" stroke="${color}" stroke-width="2" stroke-dasharray="${DASHES[style].join(" ")}"/>`
      : kind === "bars" ? `<rect x="8" width="14" height="10" fill="${color}"/>`
      : `<path fill="${color}" d="${["M15 1a4 4 0 1 0 .1 0", "M11 9h8l-4-8", "M11 1h8v8h-8", "M15 0l5 5-5 5-5-5", "M11 1h8l-4 8"][style]}z"/>`;
    return svg;
  }

  function table([columns, rows]) {
    const head = element("tr", {}, element("td"), ...columns.map(c => element("th", { scope: "col" }, c)));
    const body = Object.entries(rows).map(([label, numbers]) =>
      element("tr", {}, element("th", { scope: "row" }, label),
        ...numbers.map(u => element("td", {}, shortNumber(u)))));
    return element("table", {}, element("thead", {}, head), element("tbody", {}, ...body));
  }

  /* Take the place of the still picture that follows the form. */
  function start(form) {
    const spec = JSON.parse(form.querySelector("script").textContent);
    const kind = KINDS[spec.kind];
    const sliders = [...form.querySelectorAll("input[type=range]")];
    const values = () => Object.fromEntries(sliders.map(s => [s.name, Number(s.value)]));
    const picture = form.closest(".cell_output").querySelector("img");
    const states = kind.panels(spec, values()).map(panel => ({ panel }));

    const plots = element("div", { class: "live-plots", role: "img", "aria-label": picture.alt });
    for (const state of states) {
      state.box = element("div", { class: "live-plot" });
      const legend = element("p", { class: "live-legend" });
      for (const m of state.panel.marks) if (m.label)
        legend.append(element("span", {}, swatch(m), m.label));
      plots.append(element("div", { class: "live-panel" },
        element("p", { class: "live-title" }, state.panel.title), state.box, legend));
    }
    picture.closest("a, img").replaceWith(plots);
    for (const state of states) {
      state.plot = makePlot(state.box, state.panel, state);
      drag(state, sliders);
    }

    const output = form.querySelector("output");
    function update() {
      const now = values();
      for (const s of sliders) s.nextElementSibling.textContent = shortNumber(Number(s.value));
      kind.panels(spec, now).forEach((panel, i) => {
        states[i].panel = panel;
        states[i].plot.redraw();
      });
      output.replaceChildren(table(kind.readout(spec, now)));
    }
    let waiting = 0;
    const soon = () => { waiting ||= requestAnimationFrame(() => { waiting = 0; update(); }); };
    form.addEventListener("input", soon);
    form.addEventListener("reset", () => setTimeout(soon));
    form.addEventListener("submit", event => event.preventDefault());
    const button = form.querySelector("[data-play]");
    if (button) play(button, sliders.find(s => s.name === button.dataset.play), soon);
    update();
    form.dataset.ready = "true";
  }

  /* Move the slider from its low end to its high end, or stop on the way. */
  function play(button, slider, changed) {
    let running = false;
    const stop = () => { running = false; button.textContent = "Play"; };
    const step = () => {
      if (!running) return;
      slider.stepUp();
      changed();
      Number(slider.value) < Number(slider.max) ? requestAnimationFrame(step) : stop();
    };
    button.addEventListener("click", () => {
      if (running) return stop();
      running = true;
      button.textContent = "Stop";
      if (Number(slider.value) >= Number(slider.max)) slider.value = slider.min;
      requestAnimationFrame(step);
    });
    slider.addEventListener("input", stop);
    slider.form.addEventListener("reset", stop);
  }

  /* A pointer on the panel sets the sliders that the panel names. */
  function drag({ panel, plot }, sliders) {
    const [x, y] = panel.drag.map(name => sliders.find(s => s.name === name));
    if (!x) return;
    plot.over.style.cursor = "move";
    plot.over.style.touchAction = y ? "none" : "pan-y";
    const move = event => {
      if (!event.buttons) return;
      const box = plot.over.getBoundingClientRect();
      x.value = plot.posToVal(event.clientX - box.left, "x");
      if (y) y.value = plot.posToVal(event.clientY - box.top, "y");
      x.dispatchEvent(new Event("input", { bubbles: true }));
    };
    plot.over.addEventListener("pointerdown", event => {
      plot.over.setPointerCapture(event.pointerId);
      move(event);
    });
    plot.over.addEventListener("pointermove", move);
  }

  /* uPlot and the formulas are fetched when the first figure comes near the window. */
  const here = typeof document === "undefined" ? null : document.currentScript;
  let fetched;
  const script = file => new Promise((resolve, reject) => {
    const made = element("script", { src: new URL(file, here.src).href });
    made.onload = resolve;
    made.onerror = reject;
    document.head.append(made);
  });
  function fetchAll() {
    if (!fetched) {
      document.head.append(element("link", { rel: "stylesheet", href: new URL("uplot/uPlot.min.css", here.src).href }));
      fetched = Promise.all([script("uplot/uPlot.iife.min.js"), script("formulas.js")]);
    }
    return fetched;
  }
  if (here) {
    const near = new IntersectionObserver(entries => {
      for (const { isIntersecting, target } of entries)
        if (isIntersecting) {
          near.unobserve(target);
          fetchAll().then(() => start(target));
        }
    }, { rootMargin: "800px" });
    document.querySelectorAll("form.live").forEach(form => near.observe(form));
  }

  return { KINDS };
})();
