"use strict";
// The page is complete without this script, which adds search, sorting and colours.
const byId = (id) => document.getElementById(id);
const main = document.querySelector("main");
const elsewhere = byId("elsewhere"); // Only if there are several pages.
const byName = new Intl.Collator(undefined, { numeric: true }).compare;

const cards = [...main.children].map((card, index) => ({
  card,
  index,
  name: card.querySelector("h2").textContent,
  text: [...card.querySelectorAll("h2, .rows h3, b")]
    .map((element) => element.firstChild.textContent.toLowerCase()).join("\n"),
  score: Number(card.dataset.score),
  error: card.dataset.error === "" ? -1 : Number(card.dataset.error),
}));

const orders = {
  given: (a, b) => a.index - b.index,
  name: (a, b) => byName(a.name, b.name),
  highest: (a, b) => b.score - a.score,
  lowest: (a, b) => a.score - b.score,
  error: (a, b) => b.error - a.error,
};

function find() {
  const words = byId("find").value.toLowerCase().split(/\s+/);
  const matches = (text) => words.every((word) => text.includes(word));
  let count = 0;
  for (const { card, text } of cards) {
    card.hidden = !matches(text);
    count += !card.hidden;
  }
  const here = elsewhere ? " on this page" : "";
  byId("count").textContent = `${count} of ${cards.length}${here}`;
  if (elsewhere) findElsewhere(matches);
}

/** Show links to the other pages that have matches. */
function findElsewhere(matches) {
  const search = byId("find").value.trim();
  elsewhere.hidden = !search;
  if (!search) return;
  if (!globalThis.searchTexts) return void loadTexts();
  const links = searchTexts.flatMap((texts, page) => {
    const count = texts.filter((text) => matches(text.toLowerCase())).length;
    return count && page !== Number(elsewhere.dataset.page) ? [link(page, count, search)] : [];
  });
  elsewhere.replaceChildren(links.length ? "Other pages with matches:" : "Not found on other pages.", ...links);
}

function link(page, count, search) {
  const found = document.createElement("a");
  found.href = `${page ? `index-${page + 1}` : "index"}.html#find=${encodeURIComponent(search)}`;
  found.textContent = `page ${page + 1} (${count} image${count === 1 ? "" : "s"})`;
  return found;
}

/** Load the texts of all pages when they are first searched. */
function loadTexts() {
  if (document.querySelector("script[src]")) return;
  const script = document.createElement("script");
  script.src = elsewhere.dataset.texts;
  script.addEventListener("load", find);
  document.body.append(script);
}

/** Continue a search that has led here from another page. */
function searchFromLink() {
  const [, search] = location.hash.match(/^#find=(.*)$/) ?? [];
  if (search !== undefined) byId("find").value = decodeURIComponent(search);
}

function sort() {
  main.append(...cards.sort(orders[byId("sort").value]).map(({ card }) => card));
}

function recolor() {
  const style = document.documentElement.style;
  style.setProperty("--colors", `url(#${byId("colors").value})`);
  style.setProperty("--overlay", byId("cover").value / 100);
  document.body.classList.toggle("absolute", byId("signs")?.value === "absolute");
}

/** Show the maps of a sweep with one noise level and number of copies. */
function sweep() {
  const [row, column] = ["row", "column"].map((name) => {
    const slider = byId(name);
    main.style.setProperty(`--${name}`, slider.value);
    const text = slider.dataset.values.split("|")[slider.value];
    slider.setAttribute("aria-valuetext", text);
    slider.nextElementSibling.value = text;
    return slider.value;
  });
  for (const list of main.querySelectorAll("[data-sweep]")) {
    const texts = JSON.parse(list.dataset.sweep)[row][column];
    list.querySelectorAll("dd").forEach((item, index) => (item.textContent = texts[index]));
  }
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
    "/": () => byId("find").focus(),
    j: () => step(1),
    k: () => step(-1),
  }[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

byId("tools").hidden = false;
byId("tools").addEventListener("submit", (event) => event.preventDefault());
byId("find").addEventListener("input", find);
byId("sort").addEventListener("change", sort);
for (const id of ["colors", "signs", "cover"]) byId(id)?.addEventListener("input", recolor);
for (const id of ["row", "column"]) byId(id)?.addEventListener("input", sweep);
document.addEventListener("keydown", press);
// Browsers may restore earlier choices when the page is reloaded.
searchFromLink();
find();
sort();
recolor();
if (byId("row")) sweep();
