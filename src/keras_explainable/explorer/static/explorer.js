// The page: sends settings to the server, and shows the maps that come.
import { showClasses, unitOf } from "./classes.js";
import { Connection } from "./connection.js";
import { COSTLY, enable, readControls, writeControls } from "./controls.js";
import { Curve } from "./curve.js";
import { digits, measured, percent } from "./format.js";
import { table } from "./heatmap.js";
import { clearMap, paint, paintAll } from "./maps.js";
import { drawPatch, savePng } from "./pictures.js";
import { Stage } from "./stage.js";
import { byId, className, isDone, settingKey, state } from "./state.js";

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
    const settings = state.sides[side];
    const sent = { kind: "explain", panel: side, image: state.image, ...settings, ...viewOf(settings) };
    connection.send({ ...sent, request });
  }
  waiting.clear();
}

/** Return the statistic and the signs of settings, which have an effect on some only. */
function viewOf({ method, estimator, statistic, signed }) {
  const samples = method === "smoothgrad";
  const shown = samples && estimator === "sampled" ? statistic : "mean";
  return { statistic: shown, signed: samples && shown === "mean" && signed };
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
    showClasses(chooseUnit);
    if (message.request !== state.sides[message.panel].request) return;
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
    drawPatch(message, stage.shape);
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
    const side = state.sides.findIndex(({ request }) => request && request === message.request);
    if (side >= 0) clearMap(side);
    showReadings();
    byId("error").textContent = message.text;
    byId("error").hidden = false;
  },
};

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
  for (const side of state.sides) side.unit = null;
  [...byId("album").children].forEach((each, index) => each.setAttribute("aria-pressed", index === key));
  byId("picture").src = `pictures/${key}`;
  byId("empty").hidden = true;
  byId("top").replaceChildren();
  clearMap(0);
  clearMap(1);
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

function chooseUnit(unit) {
  state.sides[state.active].unit = unit;
  byId("class").value = className(unit);
  ask(state.active);
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

// Readings.

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
    if (!shown) return state.sides[side].request ? "no map" : "computing…";
    const count = shown.repetitions ? `${shown.repetitions} samples` : "no samples";
    const error = shown.error === null ? "" : `, relative error ${digits(shown.error)}`;
    return `${count}${error}${isDone(side) ? "" : " …"}`;
  });
  byId("progress").textContent = texts.length > 1 ? `A: ${texts[0]}. B: ${texts[1]}.` : texts[0];
  byId("stage").dataset.done = sides.every(isDone);
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
    clearMap(1);
    paint(0);
  }
  split();
  showReadings();
}

function activate(side) {
  state.active = side;
  document.querySelector(`[name=side][value="${side}"]`).checked = true;
  writeControls();
  curve.tolerance = state.sides[side].tolerance;
  curve.place();
  paint(side);
}

function split() {
  const on = byId("compare").checked;
  const at = byId("split").value;
  byId("map-0").style.clipPath = on ? `inset(0 ${100 - at}% 0 0)` : "";
  byId("map-1").style.clipPath = `inset(0 0 0 ${at}%)`;
  byId("divider").style.left = `${at}%`;
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
byId("png").addEventListener("click", () => savePng(state.active));
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
