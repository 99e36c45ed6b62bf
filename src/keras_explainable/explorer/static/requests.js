// Requests of a page.
import { showReadings } from "./readings.js";

/** Ask for the map of a side, at most once in each frame of the screen. */
export function ask(page, side) {
  if (page.image === null) return;
  if (!page.waiting.size) requestAnimationFrame(() => sendWaiting(page));
  page.waiting.add(side);
  page.sides[side].request = null; // Maps of earlier requests do not count any more.
  showReadings(page);
}

export function askAll(page) {
  ask(page, 0);
  if (page.compares) ask(page, 1);
}

function sendWaiting(page) {
  for (const side of page.waiting) {
    const request = ++page.asked;
    page.sides[side].request = request;
    const settings = page.sides[side];
    const sent = { kind: "explain", panel: side, image: page.image, ...settings, ...viewOf(settings) };
    page.connection.send({ ...sent, request });
  }
  page.waiting.clear();
}

/** Return the statistic and the signs of settings, which have an effect on some only. */
function viewOf({ method, estimator, statistic, signed }) {
  const samples = method === "smoothgrad";
  const shown = samples && estimator === "sampled" ? statistic : "mean";
  return { statistic: shown, signed: samples && shown === "mean" && signed };
}

/** Ask about the map: again whenever it is another one. */
export function question(page, message) {
  page.questions[message.kind] = message;
  page.connection.send(message);
}

export function askAgain(page, panel) {
  for (const message of Object.values(page.questions)) {
    if (message.panel === panel) page.connection.send(message);
  }
}
