// The classes of the model.
import { digits, probability } from "./format.js";
import { byId, state } from "./state.js";

/** Show the likeliest classes; `choose` is called with the unit of one. */
export function showClasses(choose) {
  const { best, scores, are_probabilities: share } = state.facts;
  byId("top").replaceChildren(...best.slice(0, 4).map((unit) => {
    const button = document.createElement("button");
    const score = scores[unit] === null ? "?" : share ? probability(scores[unit]) : digits(scores[unit]);
    button.type = "button";
    button.textContent = `${score} ${state.hello.classes[unit]}`;
    button.title = state.hello.classes[unit]; // A long name is cut.
    button.addEventListener("click", () => choose(unit));
    return button;
  }));
}

/** Return the class of a text: its number, its name, or the likeliest name with the text. */
export function unitOf(text) {
  const { classes } = state.hello;
  const number = Number.parseInt(text, 10);
  if (/^\d+(:|$)/.test(text) && number < classes.length) return number;
  const found = text.trim().toLowerCase();
  const ranked = state.facts?.best ?? classes.keys();
  return [...ranked].find((unit) => classes[unit].toLowerCase().includes(found));
}
