// The page: sends settings to the server, and shows the maps that come.
import { Connection } from "./connection.js";
import { Curve } from "./curve.js";
import { draw, drawRamp, isSigned, limitOf, table } from "./heatmap.js";
import { Stage } from "./stage.js";

const byId = (id) => document.getElementById(id);
const COSTLY = ["method", "estimator", "noise_level", "repetitions", "seed", "statistic", "signed"];

const state = {
  hello: null,
  image: null,
  facts: null, // Scores of the image.
  active: 0, // Side that the controls change.
  sides: [{ unit: null, tolerance: null }, { unit: null, tolerance: null }],
  shown: [null, null], // The last map of each side.
  curves: new Map(), // Errors by setting: pairs of samples and error.
  questions: {}, // The last one on a point and on a box.
  asked: 0,
};

// Settings: from the controls, and back into them.

const readers = {
  method: (value) => value,
  estimator: (value) => value,
  statistic: (value) => value,
  noise_level: Number,
  repetitions: (value) => 2 ** value,
  seed: (value) => Math.max(0, Math.trunc(Number(value)) || 0),
  signed: Boolean,
};

function readControls() {
  const side = state.sides[state.active];
  for (const name of COSTLY) side[name] = readers[name](byId(name).value);
  if (side.estimator !== "sampled") side.statistic = "mean";
}

function writeControls() {
  const side = state.sides[state.active];
  for (const name of COSTLY) {
    const value = name === "repetitions" ? Math.log2(side[name]) : side[name];
    byId(name).value = name === "signed" ? (value ? "1" : "") : value;
  }
  byId("class").value = className(side.unit ?? state.shown[state.active]?.unit);
  curve.tolerance = side.tolerance;
  curve.place();
  enable();
}

const className = (unit) => (unit == null ? "" : `${unit}: ${state.hello.classes[unit]}`);

/** Disable what has no effect, and tell the values of sliders. */
function enable() {
  const side = state.sides[state.active];
  const samples = side.method === "smoothgrad";
  byId("sampling").disabled = !samples;
  byId("statistic").disabled = side.estimator !== "sampled";
  byId("signed").disabled = !samples || side.statistic !== "mean";
  byId("noise_level-text").textContent = `${Math.round(100 * side.noise_level)} % of the range`;
  byId("repetitions-text").textContent = side.repetitions;
  byId("opacity-text").textContent = `${byId("opacity").value} %`;
  byId("percentile-text").textContent = `${byId("percentile").value} %`;
}

function settingKey(side) {
  const { method, estimator, noise_level, seed, statistic } = state.sides[side];
  const unit = state.sides[side].unit ?? state.facts?.best[0];
  return JSON.stringify([state.image, unit, method, estimator, noise_level, seed, statistic]);
}

// Requests.

const waiting = new Set();

/** Ask for the map of a side, at most once in each frame of the screen. */
function ask(side) {
  if (state.image === null) return;
  if (!waiting.size) requestAnimationFrame(sendWaiting);
  waiting.add(side);
  state.sides[side].request = null; // Maps of earlier requests do not count any more.
  showReadings();
}

function sendWaiting() {
  for (const side of waiting) {
    const request = ++state.asked;
    state.sides[side].request = request;
    const { signed, ...sent } = state.sides[side];
    const view = sent.method === "smoothgrad" && sent.statistic === "mean" && signed;
    connection.send({ kind: "explain", panel: side, image: state.image, ...sent, request, signed: view });
  }
  waiting.clear();
}

/** Ask about the map: again whenever it is another one. */
function question(message) {
  state.questions[message.kind] = message;
  connection.send(message);
}

function askAgain(panel) {
  for (const message of Object.values(state.questions)) {
    if (message.panel === panel) connection.send(message);
  }
}

function askAll() {
  ask(0);
  if (byId("compare").checked) ask(1);
}

const receivers = {
  hello(message) {
    const first = state.hello === null;
    state.hello = message;
    byId("status").textContent = "Connected";
    document.body.classList.remove("lost");
    begin(message);
    if (first) readControls();
    if (first) Object.assign(state.sides[1], state.sides[0]);
    enable();
    if (state.image !== null && state.image < message.images.length) askAll();
    else if (message.images.length) chooseImage(0);
    else forgetImage();
  },
  image(message) {
    if (message.image !== state.image) return;
    hideError();
    state.facts = message;
    showClasses();
    for (const [samples, error] of message.errors) noteError(message.panel, samples, error);
  },
  map(message) {
    if (message.image !== state.image || message.request !== state.sides[message.panel].request) return;
    state.shown[message.panel] = message;
    stage.setShape(message.shape);
    if (message.panel === state.active && document.activeElement !== byId("class")) {
      byId("class").value = className(message.unit);
    }
    note(message);
    paint(message.panel);
    if (message.done) askAgain(message.panel);
  },
  point(message) {
    const share = message.largest ? Math.abs(message.value / message.largest) : 0;
    byId("point").textContent = `Column ${message.x}, row ${message.y}: ${measured(message.value, message.error)}. `
      + `${percent(share)} of the largest value, at or above ${percent(message.rank)} of the pixels.`;
    drawPatch(message);
  },
  box(message) {
    const error = message.error === null ? "" : ` ± ${percent(message.error)}`;
    byId("share").textContent = message.share === null ? "The map is zero everywhere."
      : `${percent(message.share)}${error} of the map is inside, on ${percent(message.area)} of the image.`;
  },
  lines(message) {
    byId("code").querySelector("pre").textContent = message.text;
    byId("code").showModal();
  },
  error(message) {
    byId("error").textContent = message.text;
    byId("error").hidden = false;
  },
};

const percent = (value) => `${(100 * value).toPrecision(value < 0.1 ? 2 : 3)} %`;
const digits = (value) => Number(value.toPrecision(3)).toString();
const probability = (value) => (value < 0.001 ? "< 0.1 %" : `${(100 * value).toFixed(1)} %`);

/** Return a number with its error, if it is known, and a common power of ten. */
function measured(value, error) {
  const exponent = value ? Math.floor(Math.log10(Math.abs(value))) : 0;
  const power = Math.abs(exponent) > 2 ? exponent : 0;
  const shown = (number) => digits(number / 10 ** power);
  const both = error === null ? shown(value) : `${shown(value)} ± ${shown(error)}`;
  if (!power) return both;
  return `${error === null ? both : `(${both})`} × 10${[...String(power)].map(superscript).join("")}`;
}

const superscript = (letter) => "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"["0123456789-".indexOf(letter)];

function hideError() {
  byId("error").hidden = true;
}

// What the server says at first.

function begin(message) {
  document.title = `Explorer – ${message.model}`;
  byId("model").textContent = message.model;
  fill(byId("method"), Object.entries(message.methods));
  fill(byId("estimator"), message.estimators.map((name) => [name, name]));
  fill(byId("statistic"), message.statistics.map((name) => [name, name]));
  const names = Object.keys(message.colormaps).slice(0, -1);
  fill(byId("colors"), names.map((name) => [name, name]));
  byId("classes").replaceChildren(...message.classes.map((_, unit) => new Option("", className(unit))));
  message.tables = Object.fromEntries(
    Object.entries(message.colormaps).map(([name, colors]) => [name, table(colors)]),
  );
  byId("album").replaceChildren(...message.images.map((name, key) => thumbnail(key, name)));
}

function fill(select, options) {
  if (select.options.length === options.length) return;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}

// Images.

function thumbnail(key, name) {
  const button = document.createElement("button");
  const image = Object.assign(new Image(), { src: `pictures/${key}`, alt: name, loading: "lazy" });
  Object.assign(button, { type: "button", title: name });
  button.setAttribute("aria-pressed", key === state.image);
  button.append(image);
  button.addEventListener("click", () => chooseImage(key));
  return button;
}

function chooseImage(key) {
  state.image = key;
  state.facts = null;
  state.shown = [null, null];
  for (const side of state.sides) side.unit = null;
  [...byId("album").children].forEach((each, index) => each.setAttribute("aria-pressed", index === key));
  byId("picture").src = `pictures/${key}`;
  byId("empty").hidden = true;
  byId("top").replaceChildren();
  for (const side of [0, 1]) byId(`map-${side}`).width = 0;
  stage.clear();
  state.questions = {};
  byId("point").textContent = "Click on the map.";
  byId("share").textContent = "Draw a box on the map.";
  byId("patch").hidden = true;
  askAll();
}

function forgetImage() {
  state.image = null;
  byId("picture").removeAttribute("src");
  byId("empty").hidden = false;
}

async function upload(files) {
  for (const file of files) {
    const address = `images?name=${encodeURIComponent(file.name)}`;
    try {
      const answer = await fetch(address, { method: "POST", body: file });
      const found = await answer.json();
      if (!answer.ok) throw new Error(found.error);
      state.hello.images.push(found.name);
      byId("album").append(thumbnail(found.key, found.name));
      hideError();
      chooseImage(found.key);
    } catch (error) {
      receivers.error({ text: error.message });
    }
  }
}

// Classes.

function showClasses() {
  const { best, scores, are_probabilities: share } = state.facts;
  byId("top").replaceChildren(...best.slice(0, 4).map((unit) => {
    const button = document.createElement("button");
    const score = scores[unit] === null ? "?" : share ? probability(scores[unit]) : digits(scores[unit]);
    button.type = "button";
    button.textContent = `${state.hello.classes[unit]} ${score}`;
    button.addEventListener("click", () => chooseUnit(unit));
    return button;
  }));
}

function chooseUnit(unit) {
  state.sides[state.active].unit = unit;
  byId("class").value = className(unit);
  ask(state.active);
}

/** Return the class of a text: its number, its name, or the likeliest name with the text. */
function unitOf(text) {
  const { classes } = state.hello;
  const number = Number.parseInt(text, 10);
  if (/^\d+(:|$)/.test(text) && number < classes.length) return number;
  const found = text.trim().toLowerCase();
  const ranked = state.facts?.best ?? classes.keys();
  return [...ranked].find((unit) => classes[unit].toLowerCase().includes(found));
}

function searchClass() {
  const text = byId("class").value;
  if (!state.hello || !text.trim()) return;
  const unit = unitOf(text);
  if (unit === undefined) receivers.error({ text: `No class is called “${text}”.` });
  else {
    hideError();
    chooseUnit(unit);
  }
}

// Drawing.

function paint(side) {
  const shown = state.shown[side];
  if (!shown) return;
  const canvas = byId(`map-${side}`);
  const { tables } = state.hello;
  const signed = isSigned(shown.map);
  const colors = signed ? Object.values(tables).at(-1) : tables[byId("colors").value];
  const limit = limitOf(shown.map, Number(byId("percentile").value));
  const layers = byId("layers").value;
  const opacity = layers === "map" ? null : layers === "image" ? 0 : byId("opacity").value / 100;
  draw(canvas, shown.map, shown.shape, colors, limit, signed, opacity);
  byId("stage").dataset.layers = layers;
  byId("stage").style.aspectRatio = `${shown.shape[1]} / ${shown.shape[0]}`;
  byId("stage").setAttribute("aria-label", description(shown));
  byId("npz").href = `maps/${state.hello.page}/${state.active}`;
  if (side !== state.active) return;
  drawRamp(byId("ramp"), colors);
  byId("low").textContent = signed ? `−${digits(limit)}` : "0";
  byId("high").textContent = digits(limit);
}

function paintAll() {
  paint(0);
  paint(1);
  enable();
}

function description(shown) {
  const { method } = state.sides[shown.panel];
  const name = state.hello.images[state.image];
  const count = shown.repetitions ? ` of ${shown.repetitions} samples` : "";
  return `${state.hello.methods[method]} map${count} of ${name} for ${state.hello.classes[shown.unit]}`;
}

function note({ panel, repetitions, error }) {
  if (error !== null) noteError(panel, repetitions, error);
  showReadings();
}

function noteError(side, repetitions, error) {
  const key = settingKey(side);
  const points = state.curves.get(key) ?? [];
  if (points.some(([samples]) => samples === repetitions)) return;
  state.curves.set(key, [...points, [repetitions, error]].sort((a, b) => a[0] - b[0]));
}

function showReadings() {
  const sides = byId("compare").checked ? [0, 1] : [0];
  curve.show(sides.map((side) => state.curves.get(settingKey(side)) ?? []));
  const texts = sides.map((side) => {
    const shown = state.shown[side];
    if (!shown) return "…";
    const count = shown.repetitions ? `${shown.repetitions} samples` : "no samples";
    const error = shown.error === null ? "" : `, relative error ${digits(shown.error)}`;
    return `${count}${error}${isDone(side) ? "" : " …"}`;
  });
  byId("progress").textContent = texts.length > 1 ? `A: ${texts[0]}. B: ${texts[1]}.` : texts[0];
  byId("stage").dataset.done = sides.every(isDone);
}

/** Whether the map that a side shows is all that was asked for. */
function isDone(side) {
  const shown = state.shown[side];
  return Boolean(shown?.done) && shown.request === state.sides[side].request;
}

/** Draw the part of the picture around a pixel of the map. */
function drawPatch({ x, y }) {
  const canvas = byId("patch"), picture = byId("picture");
  const [rows, columns] = stage.shape;
  const across = picture.naturalWidth / columns, down = picture.naturalHeight / rows;
  const radius = Math.max(4, Math.round(columns / 16));
  const side = 2 * radius + 1;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, 96, 96);
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, (x - radius) * across, (y - radius) * down, side * across, side * down, 0, 0, 96, 96);
  context.strokeStyle = "#fff";
  context.strokeRect(48 - 48 / side, 48 - 48 / side, 96 / side, 96 / side);
  canvas.hidden = false;
}

// Comparing.

function compare() {
  const on = byId("compare").checked;
  for (const id of ["map-1", "divider", "split-row", "sides"]) byId(id).hidden = !on;
  if (on) {
    const { request, ...copied } = state.sides[0];
    state.sides[1] = { ...copied };
    activate(1);
    ask(1);
  } else {
    activate(0);
    state.shown[1] = null;
  }
  split();
  showReadings();
}

function activate(side) {
  state.active = side;
  document.querySelector(`[name=side][value="${side}"]`).checked = true;
  writeControls();
  paint(side);
}

function split() {
  const on = byId("compare").checked;
  const at = byId("split").value;
  byId("map-0").style.clipPath = on ? `inset(0 ${100 - at}% 0 0)` : "";
  byId("map-1").style.clipPath = `inset(0 0 0 ${at}%)`;
  byId("divider").style.left = `${at}%`;
}

// Saving.

async function savePng() {
  const picture = byId("picture");
  const canvas = new OffscreenCanvas(picture.naturalWidth, picture.naturalHeight);
  const context = canvas.getContext("2d");
  if (byId("layers").value === "overlay") context.filter = getComputedStyle(picture).filter;
  context.drawImage(picture, 0, 0);
  context.filter = "none";
  context.drawImage(byId(`map-${state.active}`), 0, 0, canvas.width, canvas.height);
  const link = document.createElement("a");
  link.href = URL.createObjectURL(await canvas.convertToBlob({ type: "image/png" }));
  link.download = "map.png";
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}

// Events.

const connection = new Connection(
  (message) => receivers[message.kind]?.(message),
  () => {
    byId("status").textContent = "The server cannot be reached; trying again…";
    document.body.classList.add("lost");
  },
);

const curve = new Curve(byId("curve"), (tolerance) => {
  state.sides[state.active].tolerance = tolerance;
  ask(state.active);
});

const sideAt = (across) => Number(byId("compare").checked && 100 * across > byId("split").value);

const stage = new Stage(
  byId("stage"), byId("box"), byId("cross"),
  (x, y, across) => question({ kind: "point", panel: sideAt(across), x, y }),
  (left, top, right, bottom) =>
    question({ kind: "box", panel: state.active, left, top, right, bottom }),
);

for (const name of COSTLY) {
  byId(name).addEventListener("input", () => {
    readControls();
    writeControls();
    ask(state.active);
  });
}
for (const name of ["layers", "colors", "opacity", "percentile"]) byId(name).addEventListener("input", paintAll);
byId("class").addEventListener("change", searchClass);
byId("class").addEventListener("input", ({ target }) => {
  // One of the list was chosen.
  if (target.value === className(unitOf(target.value))) searchClass();
});
byId("compare").addEventListener("change", compare);
byId("split").addEventListener("input", split);
byId("controls").addEventListener("submit", (event) => event.preventDefault());
for (const radio of document.querySelectorAll("[name=side]")) {
  radio.addEventListener("change", () => activate(Number(radio.value)));
}
byId("choose").addEventListener("click", () => byId("files").click());
byId("files").addEventListener("change", ({ target }) => upload(target.files).then(() => (target.value = "")));
byId("png").addEventListener("click", savePng);
byId("python").addEventListener("click", () => connection.send({ kind: "lines", panel: state.active }));
byId("copy").addEventListener("click", () =>
  navigator.clipboard.writeText(byId("code").querySelector("pre").textContent));
document.addEventListener("dragover", (event) => event.preventDefault());
document.addEventListener("drop", (event) => {
  event.preventDefault();
  upload([...event.dataTransfer.files]);
});
document.addEventListener("keydown", (event) => {
  if (byId("code").open || event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=range], [type=checkbox], [type=radio]), select")) return;
  if (event.key === "c") byId("compare").click();
  if ("ab".includes(event.key) && byId("compare").checked) activate("ab".indexOf(event.key));
});
