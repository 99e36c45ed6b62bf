// What is read off the maps: their errors, and answers to questions.
import { digits, measured, percent } from "./format.js";
import { drawPatch } from "./pictures.js";

const MOST_CURVES = 100; // The server tells what it knows of a setting again.

export function note(page, { panel, repetitions, error }) {
  if (error !== null) noteError(page, panel, repetitions, error);
  showReadings(page);
}

export function noteError(page, side, repetitions, error) {
  const key = page.settingKey(side);
  const points = page.curves.get(key) ?? [];
  if (points.some(([samples]) => samples === repetitions)) return;
  page.curves.delete(key); // The first is the one that was changed longest ago.
  page.curves.set(key, [...points, [repetitions, error]].sort((a, b) => a[0] - b[0]));
  if (page.curves.size > MOST_CURVES) page.curves.delete(page.curves.keys().next().value);
}

export function showReadings(page) {
  const sides = page.compares ? [0, 1] : [0];
  page.curve.show(sides.map((side) => page.curves.get(page.settingKey(side)) ?? []));
  const texts = sides.map((side) => progress(page, side));
  page.byId("progress").textContent = texts.length > 1 ? `A: ${texts[0]}. B: ${texts[1]}.` : texts[0];
  page.byId("stage").dataset.done = sides.every((side) => page.isDone(side));
}

function progress(page, side) {
  const shown = page.shown[side];
  if (!shown) return page.sides[side].request ? "no map" : "computing…";
  const count = shown.repetitions ? `${shown.repetitions} samples` : "no samples";
  const error = shown.error === null ? "" : `, relative error ${digits(shown.error)}`;
  return `${count}${error}${page.isDone(side) ? "" : " …"}`;
}

export function showPoint(page, message) {
  const share = message.largest ? Math.abs(message.value / message.largest) : 0;
  page.byId("point").textContent = `${sideName(page, message)}Column ${message.x}, row ${message.y}: ${measured(message.value, message.error)}. `
    + `${percent(share)} of the largest value, at or above ${percent(message.rank)} of the pixels.`;
  drawPatch(page, message);
}

/** Return which of two maps an answer is of. */
const sideName = (page, { panel }) => (page.compares ? `${"AB"[panel]}: ` : "");

export function showBox(page, message) {
  const error = message.error === null ? "" : ` ± ${percent(message.error)}`;
  page.byId("share").textContent = message.share === null ? "The map is zero everywhere."
    : `${sideName(page, message)}${percent(message.share)}${error} of the map is inside, on ${percent(message.area)} of the image.`;
}

/** Forget the answers, which are those of another image. */
export function clearAnswers(page) {
  page.questions = {};
  page.byId("point").textContent = "Click on the map.";
  page.byId("share").textContent = "Draw a box on the map.";
  page.byId("patch").hidden = true;
}
