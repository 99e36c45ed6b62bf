// The classes of the model.
import { digits, probability } from "./format.js";
import { ask } from "./requests.js";

/** Show the classes to offer first, which are the likeliest unless others were given. */
export function showClasses(page) {
  const { best, scores, are_probabilities: share } = page.facts;
  const { classes } = page.hello;
  page.byId("top").replaceChildren(...best.slice(0, 4).map((unit) => {
    const button = document.createElement("button");
    const score = scores[unit] === null ? "?" : share ? probability(scores[unit]) : digits(scores[unit]);
    button.type = "button";
    button.textContent = `${score} ${classes[unit]}`;
    button.title = classes[unit]; // A long name is cut.
    button.addEventListener("click", () => chooseUnit(page, unit));
    return button;
  }));
}

function chooseUnit(page, unit) {
  page.sides[page.active].unit = unit;
  page.byId("class").value = page.className(unit);
  ask(page, page.active);
}

/** Explain the class whose name or number is typed. */
export function searchClass(page) {
  const text = page.byId("class").value;
  if (!page.hello || !text.trim()) return;
  const unit = unitOf(page, text);
  if (unit === undefined) return page.showError(`No class is called “${text}”.`);
  page.showError("");
  chooseUnit(page, unit);
}

/** Whether a text is one of the list. */
export const isListed = (page, text) => text === page.className(unitOf(page, text));

/** Return the class of a text: its number, its name, or or a name with it, best as a whole word. */
export function unitOf(page, text) {
  const { classes } = page.hello;
  const number = Number.parseInt(text, 10);
  if (/^\d+(:|$)/.test(text) && number < classes.length) return number;
  const found = text.trim().toLowerCase();
  const ranked = [...(page.facts?.best ?? classes.keys())];
  const names = classes.map((name) => name.toLowerCase());
  const words = (unit) => names[unit].split(/[^\p{L}\p{N}]+/u);
  return ranked.find((unit) => names[unit] === found)
    ?? ranked.find((unit) => words(unit).includes(found))
    ?? ranked.find((unit) => names[unit].includes(found));
}
