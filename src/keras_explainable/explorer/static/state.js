// What the page knows, and what it asked for.

export const byId = (id) => document.getElementById(id);
export const state = {
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

/** Return the name of a class with its number, by which classes of one name differ. */
export const className = (unit) => (unit == null ? "" : `${unit}: ${state.hello.classes[unit]}`);

/** Return what determines the errors of a side but for the number of samples. */
export function settingKey(side) {
  const { method, estimator, noise_level, seed, statistic } = state.sides[side];
  const unit = state.sides[side].unit ?? state.facts?.best[0];
  return JSON.stringify([state.image, unit, method, estimator, noise_level, seed, statistic]);
}

/** Whether the map that a side shows is all that was asked for. */
export function isDone(side) {
  const shown = state.shown[side];
  return Boolean(shown?.done) && shown.request === state.sides[side].request;
}
