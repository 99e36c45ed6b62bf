// The maps over the picture, and their scale.
import { enable } from "./controls.js";
import { digits } from "./format.js";
import { draw, drawRamp, isSigned, limitOf } from "./heatmap.js";

/** Draw the map that a side shows. */
export function paint(page, side) {
  const shown = page.shown[side];
  if (!shown) return;
  const { tables } = page.hello;
  const stage = page.byId("stage");
  const signed = isSigned(shown.map);
  const colors = signed ? Object.values(tables).at(-1) : tables[page.byId("colors").value];
  const limit = limitOf(shown.map, Number(page.byId("percentile").value));
  const layers = page.byId("layers").value;
  const opacity = layers === "map" ? null : layers === "image" ? 0 : page.byId("opacity").value / 100;
  draw(page.byId(`map-${side}`), shown.map, shown.shape, colors, limit, signed, opacity);
  stage.dataset.layers = layers;
  stage.style.aspectRatio = `${shown.shape[1]} / ${shown.shape[0]}`;
  if (side !== page.active) return;
  stage.setAttribute("aria-label", description(page, shown));
  enableSaving(page, true);
  page.byId("colors").disabled = signed; // Maps with signs have colours of their own.
  drawRamp(page.byId("ramp"), colors);
  page.byId("low").textContent = signed ? `−${digits(limit)}` : "0";
  page.byId("high").textContent = digits(limit);
}

/** Show no map on a side. */
export function clearMap(page, side) {
  page.shown[side] = null;
  page.byId(`map-${side}`).width = 0;
  if (side !== page.active) return;
  page.byId("stage").setAttribute("aria-label", "No map yet");
  enableSaving(page, false);
  for (const end of ["low", "high"]) page.byId(end).textContent = "";
}

function enableSaving(page, exists) {
  for (const id of ["png", "npz", "python"]) page.byId(id).disabled = !exists;
}

/** Draw all maps again. */
export function paintAll(page) {
  paint(page, 0);
  paint(page, 1);
  enable(page);
}

function description(page, shown) {
  const { method } = page.sides[shown.panel];
  const { images, methods, classes } = page.hello;
  const count = shown.repetitions ? ` of ${shown.repetitions} samples` : "";
  return `${methods[method]} map${count} of ${images[page.image]} for ${classes[shown.unit]}`;
}
