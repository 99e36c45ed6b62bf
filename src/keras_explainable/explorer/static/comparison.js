// Two settings side by side.
import { writeControls } from "./controls.js";
import { clearMap, paint } from "./maps.js";
import { showReadings } from "./readings.js";
import { ask } from "./requests.js";

/** Show two settings, or one. */
export function compare(page) {
  for (const id of ["map-1", "divider", "split-row", "sides"]) page.byId(id).hidden = !page.compares;
  if (page.compares) {
    const { request, ...copied } = page.sides[0];
    page.sides[1] = { ...copied };
    activate(page, 1);
    ask(page, 1);
  } else {
    activate(page, 0);
    page.showError("", 1);
    clearMap(page, 1);
    paint(page, 0);
  }
  split(page);
  showReadings(page);
}

/** Let the controls change a side. */
export function activate(page, side) {
  page.active = side;
  page.root.querySelector(`[name=side][value="${side}"]`).checked = true;
  writeControls(page);
  page.curve.tolerance = page.sides[side].tolerance;
  page.curve.place();
  if (page.shown[side]) paint(page, side);
  else clearMap(page, side);
}

/** Put the boundary where its slider is. */
export function split(page) {
  const at = page.byId("split").value;
  page.byId("map-0").style.clipPath = page.compares ? `inset(0 ${100 - at}% 0 0)` : "";
  page.byId("map-1").style.clipPath = `inset(0 0 0 ${at}%)`;
  page.byId("divider").style.left = `${at}%`;
}

/** Return the side at a place across the maps, 0 to 1. */
export const sideAt = (page, across) => Number(page.compares && 100 * across > page.byId("split").value);
