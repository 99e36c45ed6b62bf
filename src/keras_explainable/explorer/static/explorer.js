// The explorer: sends settings, and shows the maps that come.
import { addFiles } from "./album.js";
import { isListed, searchClass } from "./classes.js";
import { activate, compare, sideAt, split } from "./comparison.js";
import { COSTLY, readControls, writeControls } from "./controls.js";
import { Curve } from "./curve.js";
import { paintAll } from "./maps.js";
import { Page } from "./page.js";
import { savePng } from "./pictures.js";
import { receivers } from "./receivers.js";
import { ask, question } from "./requests.js";
import { Stage } from "./stage.js";

/**
 * Bring the elements of index.html to life.
 *
 * @param root The document, or the shadow root of a widget, with these elements.
 * @param connect Returns a `Connection`, from the functions that it calls.
 */
export function explore(root, connect) {
  const page = new Page(root);
  page.curve = new Curve(page.byId("curve"), (tolerance) => {
    page.sides[page.active].tolerance = tolerance;
    ask(page, page.active);
  });
  page.stage = new Stage(
    page.byId("stage"), page.byId("box"), page.byId("cross"),
    (x, y, across) => question(page, { kind: "point", panel: sideAt(page, across), x, y }),
    (left, top, right, bottom) =>
      question(page, { kind: "box", panel: page.active, left, top, right, bottom }),
  );
  page.connection = connect(
    (message) => {
      setStatus(page, "Connected", false);
      receivers[message.kind]?.(page, message);
    },
    (text) => setStatus(page, text, true),
  );
  listenToControls(page);
  listenToButtons(page);
  root.addEventListener("keydown", (event) => press(page, event));
}

function setStatus(page, text, lost) {
  page.byId("status").classList.toggle("lost", lost);
  if (page.byId("status").textContent !== text) page.byId("status").textContent = text;
}

function listenToControls(page) {
  const on = (id, kind, action) => page.byId(id).addEventListener(kind, action);
  for (const name of COSTLY) {
    on(name, "input", () => {
      readControls(page);
      writeControls(page);
      ask(page, page.active);
    });
  }
  for (const name of ["layers", "colors", "opacity", "percentile"]) on(name, "input", () => paintAll(page));
  on("class", "change", () => searchClass(page));
  on("class", "input", ({ target }) => {
    if (isListed(page, target.value)) searchClass(page);
  });
  on("compare", "change", () => compare(page));
  on("split", "input", () => split(page));
  on("controls", "submit", (event) => event.preventDefault());
  for (const radio of page.root.querySelectorAll("[name=side]")) {
    radio.addEventListener("change", () => activate(page, Number(radio.value)));
  }
}

function listenToButtons(page) {
  const on = (id, kind, action) => page.byId(id).addEventListener(kind, action);
  const ofMap = (kind) => page.connection.send({ kind, panel: page.active });
  on("choose", "click", () => page.byId("files").click());
  on("files", "change", ({ target }) => addFiles(page, target.files).then(() => (target.value = "")));
  on("png", "click", () => savePng(page, page.active));
  on("npz", "click", () => ofMap("archive"));
  on("python", "click", () => ofMap("lines"));
  on("copy", "click", () => navigator.clipboard.writeText(page.root.querySelector("#code pre").textContent));
  for (const kind of ["dragover", "drop"]) {
    page.root.addEventListener(kind, (event) => {
      if (!page.hello?.uploads) return;
      event.preventDefault();
      if (kind === "drop") addFiles(page, [...event.dataTransfer.files]);
    });
  }
}

function press(page, event) {
  const types = event.target.matches("input:not([type=range], [type=checkbox], [type=radio]), select");
  if (page.byId("code").open || event.ctrlKey || event.metaKey || event.altKey || types) return;
  if (event.key === "c") page.byId("compare").click();
  if ("ab".includes(event.key) && page.compares) activate(page, "ab".indexOf(event.key));
}
