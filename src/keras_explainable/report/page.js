"use strict";
// The page is whole without this script, which adds finding, sorting and colours.
const at = (id) => document.getElementById(id);
const main = document.querySelector("main");
const byName = new Intl.Collator(undefined, { numeric: true }).compare;

const cards = [...main.children].map((card, place) => ({
  card,
  place,
  name: card.querySelector("h2").textContent,
  text: [...card.querySelectorAll("h2, .rows h3, b")]
    .map((part) => part.firstChild.textContent.toLowerCase()).join("\n"),
  score: Number(card.dataset.score),
  error: card.dataset.error === "" ? -1 : Number(card.dataset.error),
}));

const orders = {
  given: (a, b) => a.place - b.place,
  name: (a, b) => byName(a.name, b.name),
  sure: (a, b) => b.score - a.score,
  unsure: (a, b) => a.score - b.score,
  error: (a, b) => b.error - a.error,
};

function find() {
  const words = at("find").value.toLowerCase().split(/\s+/);
  let count = 0;
  for (const { card, text } of cards) {
    card.hidden = !words.every((word) => text.includes(word));
    count += !card.hidden;
  }
  at("count").textContent = `${count} of ${cards.length}`;
}

function sort() {
  main.append(...cards.sort(orders[at("sort").value]).map(({ card }) => card));
}

function paint() {
  const style = document.documentElement.style;
  style.setProperty("--colors", `url(#${at("colors").value})`);
  style.setProperty("--cover", at("cover").value / 100);
  document.body.classList.toggle("absolute", at("signs")?.value === "absolute");
}

function step(by) {
  const shown = cards.map(({ card }) => card).filter((card) => !card.hidden);
  const now = shown.indexOf(document.activeElement.closest("article"));
  shown[Math.min(Math.max(now + by, 0), shown.length - 1)]?.focus();
}

function press(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.target.matches("input, select")) {
    if (event.key === "Escape") event.target.blur();
    return;
  }
  const action = {
    "/": () => at("find").focus(),
    j: () => step(1),
    k: () => step(-1),
  }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

at("tools").hidden = false;
at("tools").addEventListener("submit", (event) => event.preventDefault());
at("find").addEventListener("input", find);
at("sort").addEventListener("change", sort);
for (const id of ["colors", "signs", "cover"]) at(id)?.addEventListener("input", paint);
document.addEventListener("keydown", press);
// A browser may remember what was chosen before.
find();
sort();
paint();
