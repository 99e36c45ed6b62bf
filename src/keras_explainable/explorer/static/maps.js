// The maps over the picture, and their scale.
import { enable } from "./controls.js";
import { digits } from "./format.js";
import { draw, drawRamp, isSigned, limitOf } from "./heatmap.js";
import { byId, state } from "./state.js";

/** Draw the map that a side shows. */
export function paint(side) {
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

/** Show no map on a side. */
export function clearMap(side) {
  state.shown[side] = null;
  byId(`map-${side}`).width = 0;
  byId("stage").setAttribute("aria-label", "No map yet");
  byId("npz").removeAttribute("href");
}

/** Draw all maps again. */
export function paintAll() {
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
