// The curve of the relative error against the samples, with a line to stop at.

const BOX = { left: 38, right: 304, top: 8, bottom: 152 };
const SAMPLES = [8, 4096];
const ERRORS = [0.01, 2];
const SVG = "http://www.w3.org/2000/svg";

const fraction = (value, [low, high]) => Math.log(value / low) / Math.log(high / low);
const clamped = (value, low, high) => Math.max(low, Math.min(high, value));
const across = (samples) => BOX.left + fraction(samples, SAMPLES) * (BOX.right - BOX.left);
const down = (error) =>
  BOX.bottom - clamped(fraction(error, ERRORS), 0, 1) * (BOX.bottom - BOX.top);

function element(name, attributes, text = "") {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.textContent = text;
  return made;
}

export class Curve {
  /** `changed` is called with a tolerance, or with null if there is none. */
  constructor(svg, changed) {
    this.svg = svg;
    this.changed = changed;
    this.tolerance = null;
    this.lines = element("g", {});
    svg.append(this.axes(), this.lines, (this.handle = this.makeHandle()));
    this.place();
  }

  axes() {
    const group = element("g", { class: "axes", "aria-hidden": "true" });
    for (const samples of [8, 64, 512, 4096]) {
      const x = across(samples);
      group.append(element("line", { x1: x, x2: x, y1: BOX.top, y2: BOX.bottom }));
      group.append(element("text", { x, y: 168, "text-anchor": "middle" }, String(samples)));
    }
    for (const error of [0.01, 0.1, 1]) {
      const y = down(error);
      group.append(element("line", { x1: BOX.left, x2: BOX.right, y1: y, y2: y }));
      group.append(element("text", { x: 32, y: y + 4, "text-anchor": "end" }, String(error)));
    }
    return group;
  }

  makeHandle() {
    const handle = element("g", {
      class: "tolerance", tabindex: 0, role: "slider", "aria-label": "Stop at relative error",
      "aria-valuemin": ERRORS[0], "aria-valuemax": 1,
    });
    handle.append(
      element("rect", { x: BOX.left, width: BOX.right - BOX.left, height: 20, y: -10 }),
      element("line", { x1: BOX.left, x2: BOX.right }),
      element("text", { x: BOX.right - 4, y: -4, "text-anchor": "end" }),
    );
    handle.addEventListener("pointerdown", (event) => {
      handle.setPointerCapture(event.pointerId);
      event.preventDefault();
    });
    handle.addEventListener("pointermove", (event) => {
      if (handle.hasPointerCapture(event.pointerId)) this.drag(event.clientY);
    });
    handle.addEventListener("keydown", (event) => this.press(event));
    return handle;
  }

  drag(clientY) {
    const { top, height } = this.svg.getBoundingClientRect();
    const y = ((clientY - top) / height) * 180;
    const part = (BOX.bottom - y) / (BOX.bottom - BOX.top);
    this.set(ERRORS[0] * (ERRORS[1] / ERRORS[0]) ** part);
  }

  press(event) {
    const factor = { ArrowUp: 1.1, ArrowRight: 1.1, ArrowDown: 1 / 1.1, ArrowLeft: 1 / 1.1 };
    if (!(event.key in factor)) return;
    event.preventDefault();
    this.set((this.tolerance ?? ERRORS[0]) * factor[event.key]);
  }

  /** Set the tolerance; at the bottom there is none. */
  set(tolerance) {
    const rounded = Number(Math.min(tolerance, 1).toPrecision(2));
    this.tolerance = rounded > ERRORS[0] ? rounded : null;
    this.place();
    this.changed(this.tolerance);
  }

  place() {
    const text = this.tolerance === null ? "never stop early" : `stop at ${this.tolerance}`;
    this.handle.setAttribute("transform", `translate(0 ${down(this.tolerance ?? ERRORS[0])})`);
    this.handle.setAttribute("aria-valuenow", this.tolerance ?? ERRORS[0]);
    this.handle.setAttribute("aria-valuetext", text);
    this.handle.lastChild.textContent = text;
  }

  /** Show the errors of each side, as pairs of samples and error. */
  show(sides) {
    this.lines.replaceChildren(...sides.flatMap((points, side) => {
      const places = points.map(([samples, error]) => [across(samples), down(error)]);
      const dots = places.map(([cx, cy]) => element("circle", { cx, cy, r: 2.5, class: `side-${side}` }));
      return [element("polyline", { points: places.join(" "), class: `side-${side}` }), ...dots];
    }));
  }
}
