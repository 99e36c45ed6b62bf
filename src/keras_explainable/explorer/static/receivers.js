// What a page does with the messages that come.
import { chooseImage, forgetImage, showAlbum } from "./album.js";
import { showClasses } from "./classes.js";
import { enable, readControls } from "./controls.js";
import { table } from "./heatmap.js";
import { clearMap, paint } from "./maps.js";
import { save } from "./pictures.js";
import { note, noteError, showBox, showPoint, showReadings } from "./readings.js";
import { askAgain, askAll } from "./requests.js";

export const receivers = {
  hello(page, message) {
    const first = page.hello === null;
    const before = page.hello?.images[page.image];
    page.hello = message;
    begin(page, message);
    if (first) readControls(page);
    if (first) Object.assign(page.sides[1], page.sides[0]);
    enable(page);
    const same = before !== undefined && message.images[page.image] === before;
    if (before !== undefined && !same) {
      page.showNote(`The server has started anew without ${before}, which can be added again.`);
    }
    if (same) askAll(page);
    else if (message.images.length) chooseImage(page, 0);
    else forgetImage(page);
  },
  image(page, message) {
    if (message.image !== page.image) return;
    page.showError("", message.panel);
    page.facts = message;
    showClasses(page);
    if (message.request !== page.sides[message.panel].request) return;
    for (const [samples, error] of message.errors) noteError(page, message.panel, samples, error);
  },
  map(page, message) {
    if (message.image !== page.image || message.request !== page.sides[message.panel].request) return;
    message.map = new Float32Array(message.content);
    page.shown[message.panel] = message;
    page.stage.setShape(message.shape);
    if (message.panel === page.active && page.root.activeElement !== page.byId("class")) {
      page.byId("class").value = page.className(message.unit);
    }
    note(page, message);
    paint(page, message.panel);
    if (message.done) askAgain(page, message.panel);
  },
  point: showPoint,
  box: showBox,
  archive(page, { content }) {
    save(new Blob([content]), "map.npz");
  },
  lines(page, message) {
    page.byId("code").querySelector("pre").textContent = message.text;
    page.byId("code").showModal();
  },
  error(page, message) {
    const side = page.sides.findIndex(({ request }) => request && request === message.request);
    if (side >= 0) clearMap(page, side);
    showReadings(page);
    page.showError(message.text, side < 0 ? page.active : side);
  },
};

function begin(page, message) {
  page.byId("model").textContent = message.model;
  page.byId("add").hidden = !message.uploads;
  fill(page.byId("method"), Object.entries(message.methods));
  fill(page.byId("estimator"), message.estimators.map((name) => [name, name]));
  fill(page.byId("statistic"), message.statistics.map((name) => [name, name]));
  const names = Object.keys(message.colormaps).slice(0, -1);
  fill(page.byId("colors"), names.map((name) => [name, name]));
  page.byId("classes").replaceChildren(...message.classes.map((_, unit) => new Option("", page.className(unit))));
  message.tables = Object.fromEntries(
    Object.entries(message.colormaps).map(([name, colors]) => [name, table(colors)]),
  );
  showAlbum(page);
}

function fill(select, options) {
  if (select.options.length === options.length) return;
  select.replaceChildren(...options.map(([value, text]) => new Option(text, value)));
}
