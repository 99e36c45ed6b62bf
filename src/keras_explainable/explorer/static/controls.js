// The controls of what is computed.

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
export function readControls(page) {
  const side = page.sides[page.active];
  for (const name of COSTLY) side[name] = readers[name](page.byId(name).value);
  if (side.estimator !== "sampled") side.statistic = "mean";
}

/** Show the settings of the side that is changed in the controls. */
export function writeControls(page) {
  const side = page.sides[page.active];
  for (const name of COSTLY) {
    const value = name === "repetitions" ? Math.log2(side[name]) : side[name];
    page.byId(name).value = name === "signed" ? (value ? "1" : "") : value;
  }
  page.byId("class").value = page.className(side.unit ?? page.shown[page.active]?.unit);
  enable(page);
}

/** Disable what has no effect, and tell the values of sliders. */
export function enable(page) {
  const side = page.sides[page.active];
  const samples = side.method === "smoothgrad";
  const tell = (name, text) => {
    page.byId(`${name}-text`).textContent = text;
    page.byId(name).setAttribute("aria-valuetext", text); // Its own may be an exponent.
  };
  page.byId("sampling").disabled = !samples;
  page.byId("statistic").disabled = side.estimator !== "sampled";
  page.byId("signed").disabled = !samples || side.statistic !== "mean";
  tell("noise_level", `${Math.round(100 * side.noise_level)} % of the range`);
  tell("repetitions", side.repetitions);
  tell("opacity", `${page.byId("opacity").value} %`);
  tell("percentile", `${page.byId("percentile").value} %`);
}
