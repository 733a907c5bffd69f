// The interactive part of a study's page: numbers by Eq. 9, 13 and 14 from the arrays of `underpainting_workflow.page.scene`.
"use strict";
(() => {
  const source = document.getElementById("scene");
  if (!source) return;
  const scene = JSON.parse(source.textContent);
  const COLOURS = { network: "#0072b2", theory: "#d55e00", front: "#000000", muted: "#8a8a8a", chosen: "#009e73" };
  const arrays = Object.fromEntries(Object.entries(scene.arrays).map(([name, one]) => [name, unpack(one)]));
  const steps = scene.steps.length, last = steps - 1;
  const [channels, height, width] = scene.shape;
  const size = channels * height * width;
  const shown = { seed: 0, time: 0, component: 0, perturbation: 0, jump: 0 };
  const element = (id) => document.getElementById(id);
  const digits = (value) => (value === 0 ? "0" : Math.abs(value) >= 0.01 && Math.abs(value) < 1000 ? value.toFixed(3) : value.toExponential(1));

  // arrays

  function unpack({ type, shape, data }) {
    const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
    return { shape, values: type === "u1" ? bytes : new Float32Array(bytes.buffer) };
  }

  /** One number, or the first of a block, at the given leading indices. */
  function place({ shape }, ...indices) {
    return shape.reduce((sum, length, axis) => sum * length + (indices[axis] ?? 0), 0);
  }

  const at = (name, ...indices) => arrays[name].values[place(arrays[name], ...indices)];

  // theory

  const marginal = (component, time) => at("sigma", time) ** 2 + at("alpha", time) ** 2 * at("variances", component);
  const psi = (component, from, to) => Math.sqrt(marginal(component, to) / marginal(component, from));
  const coefficient = (seed, component, time) => psi(component, 0, time) * at("state_coefficients", seed, 0, component);
  const endpoint = (seed, component, time) =>
    ((at("alpha", time) * at("variances", component)) / marginal(component, time)) * coefficient(seed, component, time);
  const gain = (component, time) => psi(component, time, last);
  const ratio = (time) => at("sigma", time) / at("alpha", time);
  const emerged = (time) => arrays.variances.values.filter((variance) => Math.sqrt(variance) > ratio(time)).length;

  // pictures

  /** Draw an image of bytes; `colour` gives the byte of a pixel's channel. */
  function paint(canvas, colour) {
    canvas.width = width;
    canvas.height = height;
    const context = canvas.getContext("2d"), image = context.createImageData(width, height), area = width * height;
    for (let pixel = 0; pixel < area; pixel++) {
      for (let channel = 0; channel < 3; channel++) {
        image.data[4 * pixel + channel] = colour((channels === 3 ? channel : 0) * area + pixel);
      }
      image.data[4 * pixel + 3] = 255;
    }
    context.putImageData(image, 0, 0);
  }

  function paintArray(canvas, name, ...indices) {
    const { values } = arrays[name], start = place(arrays[name], ...indices);
    paint(canvas, (pixel) => values[start + pixel]);
  }

  /** The final image, moved along a component by the perturbation times the gain of Eq. 14. */
  function paintPerturbed(canvas) {
    const images = arrays.network_endpoint, start = place(images, shown.seed, last);
    const vectors = arrays.components, first = place(vectors, shown.component);
    const moved = distance() * gain(shown.component, shown.time) * at("component_scale", shown.component);
    paint(canvas, (pixel) => images.values[start + pixel] + moved * (vectors.values[first + pixel] - 127.5));
  }

  const distance = () => shown.perturbation * Math.sqrt(at("variances", shown.component));

  // charts

  /** A chart with axes; `lines` are {xs, ys, colour, dashed, dots}; `log` is "x", "y" or "xy". Returns the scales. */
  function chart(canvas, { lines, log = "", labels, equal = false, ranges }) {
    const scale = window.devicePixelRatio || 1, wide = canvas.clientWidth, high = canvas.clientHeight;
    canvas.width = wide * scale;
    canvas.height = high * scale;
    const context = canvas.getContext("2d"), box = { left: 46, right: wide - 8, top: 24, bottom: high - 34 };
    context.scale(scale, scale);
    context.font = "12px system-ui, sans-serif";
    let [xs, ys] = ["xs", "ys"].map((name, axis) => axisOf(ranges?.[axis] ?? lines.flatMap((line) => [...line[name]]), log.includes("xy"[axis])));
    if (equal) [xs, ys] = equalUnits(xs, ys, box);
    const scales = { x: (value) => box.left + xs.share(value) * (box.right - box.left), y: (value) => box.bottom - ys.share(value) * (box.bottom - box.top) };
    drawAxes(context, box, scales, { x: xs, y: ys }, labels);
    for (const line of lines) drawLine(context, line, scales);
    return { ...scales, context, box };
  }

  function axisOf(values, logarithmic) {
    const known = values.filter((value) => Number.isFinite(value) && (!logarithmic || value > 0));
    const turn = logarithmic ? Math.log10 : (value) => value;
    let [low, high] = [Math.min(...known), Math.max(...known)].map(turn);
    const margin = 0.04 * (high - low || 1);
    [low, high] = [low - margin, high + margin];
    return { low, high, logarithmic, share: (value) => (turn(value) - low) / (high - low) };
  }

  function equalUnits(xs, ys, box) {
    const unit = Math.max((xs.high - xs.low) / (box.right - box.left), (ys.high - ys.low) / (box.bottom - box.top));
    return [[xs, box.right - box.left], [ys, box.bottom - box.top]].map(([axis, length]) => {
      const middle = (axis.low + axis.high) / 2, low = middle - (unit * length) / 2;
      return { ...axis, low, high: middle + (unit * length) / 2, share: (value) => (value - low) / (unit * length) };
    });
  }

  function ticks({ low, high, logarithmic }) {
    const raw = (high - low) / 4, power = 10 ** Math.floor(Math.log10(raw));
    const step = logarithmic ? Math.max(1, Math.ceil(raw)) : power * [1, 2, 5, 10].find((factor) => factor * power >= raw);
    const found = [];
    for (let value = Math.ceil(low / step) * step; value <= high; value += step) found.push(logarithmic ? 10 ** value : value);
    return found;
  }

  function drawAxes(context, box, scales, axes, labels) {
    context.strokeStyle = "#cccccc";
    context.fillStyle = "#444444";
    context.strokeRect(box.left, box.top, box.right - box.left, box.bottom - box.top);
    const name = (value) => (Math.abs(value) >= 1e4 || (value && Math.abs(value) < 0.01) ? value.toExponential(0) : String(+value.toPrecision(3)));
    context.textAlign = "center";
    for (const value of ticks(axes.x)) context.fillText(name(value), scales.x(value), box.bottom + 14);
    context.fillText(labels[0], (box.left + box.right) / 2, box.bottom + 29);
    context.textAlign = "right";
    for (const value of ticks(axes.y)) context.fillText(name(value), box.left - 4, scales.y(value) + 4);
    context.textAlign = "left";
    context.fillText(labels[1], box.left, box.top - 8);
  }

  function drawLine(context, { xs, ys, colour, dashed, dots }, { x, y }) {
    context.strokeStyle = context.fillStyle = colour;
    context.lineWidth = 1.8;
    context.setLineDash(dashed ? [5, 4] : []);
    context.beginPath();
    [...ys].forEach((value, index) => {
      if (dots) {
        context.moveTo(x(xs[index]), y(value));
        context.arc(x(xs[index]), y(value), dots, 0, 2 * Math.PI);
      } else context.lineTo(x(xs[index]), y(value));
    });
    if (dots) context.fill();
    else context.stroke();
    context.setLineDash([]);
  }

  const range = (count) => Array.from({ length: count }, (_, index) => index);
  const now = (colour, xs, ys) => ({ xs: [xs[shown.time]], ys: [ys[shown.time]], colour, dots: 5 });

  let spectrum;
  function drawSpectrum() {
    const { values } = arrays.variances, xs = range(values.length).map((index) => index + 1), ys = [...values].map(Math.sqrt);
    const finite = Math.min(Math.max(ratio(shown.time), 1e-6), 1e6), front = { xs: [1, xs.length], ys: [finite, finite], colour: COLOURS.front, dashed: true };
    const chosen = { xs: [shown.component + 1], ys: [ys[shown.component]], colour: COLOURS.chosen, dots: 6 };
    const positive = ys.filter((value) => value > 1e-3 * ys[0]);
    const bounds = [Math.min(...positive), 8 * ys[0]];
    const visible = finite < bounds[0] || finite > bounds[1] ? [] : [front];
    const all = { xs, ys: ys.map((value) => Math.max(value, bounds[0])), colour: COLOURS.theory };
    spectrum = chart(element("spectrum"), { lines: [all, ...visible, chosen], log: "xy", labels: ["component", "√λ, and σ / α (dashed)"], ranges: [xs, bounds] });
  }

  function drawCurves() {
    const { seed, component } = shown, xs = scene.steps, times = range(steps);
    const found = { state: times.map((time) => at("state_coefficients", seed, time, component)), endpoint: times.map((time) => at("endpoint_coefficients", seed, time, component)) };
    const theory = { state: times.map((time) => coefficient(seed, component, time)), endpoint: times.map((time) => endpoint(seed, component, time)) };
    for (const kind of ["state", "endpoint"]) {
      chart(element(`${kind}-curve`), {
        lines: [
          { xs, ys: found[kind], colour: COLOURS.network },
          { xs, ys: theory[kind], colour: COLOURS.theory, dashed: true },
          now(COLOURS.network, xs, found[kind]),
          now(COLOURS.theory, xs, theory[kind]),
        ],
        labels: ["step (0 is noise)", kind === "state" ? "state u·(x − αμ)" : "endpoint estimate u·(x̂₀ − μ)"],
      });
    }
  }

  function drawPlane() {
    const times = range(steps), path = [0, 1].map((axis) => times.map((time) => at("plane", shown.seed, time, axis)));
    const ideal = [0, 1].map((axis) => times.map((time) => at("alpha", time) * path[axis][last] + at("sigma", time) * path[axis][0]));
    chart(element("plane"), {
      lines: [
        { xs: path[0], ys: path[1], colour: COLOURS.network },
        { xs: ideal[0], ys: ideal[1], colour: COLOURS.theory, dashed: true },
        now(COLOURS.network, ...path),
        now(COLOURS.theory, ...ideal),
      ],
      labels: ["along the noise x_T", "towards the image x₀; dashed: rotation"],
      equal: true,
    });
  }

  // the page

  function drawMoment() {
    for (const kind of ["state", "difference", "endpoint"]) {
      for (const who of ["network", "theory"]) paintArray(element(`${who}-${kind}`), `${who}_${kind}`, shown.seed, shown.time);
    }
    const error = at("error", shown.seed, shown.time), known = emerged(shown.time);
    const noise = Number.isFinite(ratio(shown.time)) ? digits(ratio(shown.time)) : "∞";
    element("moment").textContent =
      `Step ${scene.steps[shown.time]} of ${scene.steps[last]}: σ / α = ${noise}; ${known} of ${arrays.variances.shape[0]} components are above the noise; ` +
      `squared difference of the states of network and theory ${(100 * error).toFixed(2)} % of the state's.`;
  }

  function drawComponent() {
    const { seed, time, component } = shown;
    paintArray(element("component-image"), "components", component);
    paintPerturbed(element("perturbed"));
    paintArray(element("unperturbed"), "network_endpoint", seed, last);
    const moves = distance() * gain(component, time);
    element("component-text").textContent =
      `Component ${component}: variance ${digits(at("variances", component))}; its coefficient now: network ` +
      `${digits(at("state_coefficients", seed, time, component))}, theory ${digits(coefficient(seed, component, time))}.`;
    element("perturbation-text").textContent =
      `A perturbation of ${digits(distance())} at step ${scene.steps[time]} moves the final image by ${digits(moves)} along the component (gain ${digits(gain(component, time))}, Eq. 14).`;
  }

  function drawJump() {
    const row = scene.jumps[shown.jump];
    if (!row) return;
    document.querySelectorAll(".jumped canvas").forEach((canvas, index) => paintArray(canvas, "jumped", shown.jump, index));
    const saved = Math.round(100 * (1 - row.nfe / scene.jumps[0].nfe));
    const change = (value) => `${value >= 0 ? "+" : ""}${(100 * value).toFixed(1)} %`;
    const losses = Object.entries(scene.measures).filter(([loss]) => row[loss] !== null);
    const parts = losses.map(([loss, name]) => `${name} ${change(row[loss])} (${change(row[`${loss}_low`])} to ${change(row[`${loss}_high`])})`);
    element("jump-text").textContent = row.skipped_steps
      ? `${row.skipped_steps} steps skipped: ${row.nfe} network calls, ${saved} % saved. ${parts.join("; ")}.`
      : `No jump: ${row.nfe} network calls.`;
  }

  function draw() {
    const start = performance.now();
    drawMoment();
    drawSpectrum();
    drawCurves();
    drawPlane();
    drawComponent();
    drawJump();
    document.body.dataset.frame = (performance.now() - start).toFixed(2);
    for (const name of ["time", "component", "perturbation", "jump"]) if (element(name)) element(name).value = shown[name];
    element("seed").textContent = `seed ${scene.seeds[shown.seed]}`;
  }

  function change(values) {
    Object.assign(shown, values);
    draw();
  }

  for (const [name, most] of [["time", last], ["component", arrays.components.shape[0] - 1], ["jump", scene.jumps.length - 1]]) {
    const slider = element(name);
    if (!slider) continue;
    slider.max = most;
    slider.addEventListener("input", () => change({ [name]: Number(slider.value) }));
  }
  element("perturbation").addEventListener("input", () => change({ perturbation: Number(element("perturbation").value) }));
  element("another-seed").addEventListener("click", () => change({ seed: (shown.seed + 1 + Math.floor(Math.random() * Math.max(1, scene.seeds.length - 1))) % scene.seeds.length }));
  element("spectrum").addEventListener("click", ({ offsetX }) => {
    const centres = range(arrays.components.shape[0]).map((component) => Math.abs(spectrum.x(component + 1) - offsetX));
    change({ component: centres.indexOf(Math.min(...centres)) });
  });

  let timer = null;
  function play(on) {
    clearInterval(timer);
    timer = on ? setInterval(() => (shown.time < last ? change({ time: shown.time + 1 }) : play(false)), 120) : null;
    element("play").setAttribute("aria-pressed", String(on));
  }
  element("play").addEventListener("click", () => {
    if (!timer && shown.time === last) change({ time: 0 });
    play(!timer);
  });
  window.addEventListener("resize", () => change({}));
  // the first moment at which some components stand above the noise: noise alone says little
  shown.time = Math.max(0, range(steps).findIndex((time) => emerged(time) >= 3));
  window.underpainting = { shown, change, draw, coefficient, endpoint, gain, ratio, emerged, at };
  draw();
})();
