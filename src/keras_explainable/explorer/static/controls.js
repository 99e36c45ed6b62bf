// The controls of what is computed.
import { byId, className, state } from "./state.js";

export const COSTLY = ["method", "estimator", "noise_level", "repetitions", "seed", "statistic", "signed"];

const readers = {
  method: (value) => value,
  estimator: (value) => value,
  statistic: (value) => value,
  noise_level: Number,
  repetitions: (value) => 2 ** value,
  seed: (value) => Math.max(0, Math.trunc(Number(value)) || 0),
  signed: Boolean,
};

/** Take the settings of the side that is changed from the controls. */
export function readControls() {
  const side = state.sides[state.active];
  for (const name of COSTLY) side[name] = readers[name](byId(name).value);
  if (side.estimator !== "sampled") side.statistic = "mean";
}

/** Show the settings of the side that is changed in the controls. */
export function writeControls() {
  const side = state.sides[state.active];
  for (const name of COSTLY) {
    const value = name === "repetitions" ? Math.log2(side[name]) : side[name];
    byId(name).value = name === "signed" ? (value ? "1" : "") : value;
  }
  byId("class").value = className(side.unit ?? state.shown[state.active]?.unit);
  enable();
}

/** Disable what has no effect, and tell the values of sliders. */
export function enable() {
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
