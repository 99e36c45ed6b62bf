// Numbers as text.

export const percent = (value) => `${(100 * value).toPrecision(value < 0.1 ? 2 : 3)} %`;
export const digits = (value) => Number(value.toPrecision(3)).toString();
export const probability = (value) => (value < 0.001 ? "< 0.1 %" : `${(100 * value).toFixed(1)} %`);

/** Return a number with its error, if it is known, and a common power of ten. */
export function measured(value, error) {
  const exponent = value ? Math.floor(Math.log10(Math.abs(value))) : 0;
  const power = Math.abs(exponent) > 2 ? exponent : 0;
  const shown = (number) => digits(number / 10 ** power);
  const both = error === null ? shown(value) : `${shown(value)} ± ${shown(error)}`;
  if (!power) return both;
  return `${error === null ? both : `(${both})`} × 10${[...String(power)].map(superscript).join("")}`;
}

const superscript = (letter) => "⁰¹²³⁴⁵⁶⁷⁸⁹⁻"["0123456789-".indexOf(letter)];
