// The images.
import { clearMap } from "./maps.js";
import { clearAnswers } from "./readings.js";
import { askAll } from "./requests.js";

/** Show all images. */
export function showAlbum(page) {
  page.seen?.disconnect();
  page.seen = new IntersectionObserver((found) => {
    for (const { target } of found.filter((each) => each.isIntersecting)) loadThumbnail(page, target);
  });
  page.byId("album").replaceChildren(...page.hello.images.map((_, key) => thumbnail(page, key)));
}

function thumbnail(page, key) {
  const button = document.createElement("button");
  const name = page.hello.images[key];
  Object.assign(button, { type: "button", title: name });
  button.setAttribute("aria-pressed", key === page.image);
  button.append(Object.assign(new Image(), { alt: name }));
  button.addEventListener("click", () => {
    page.showNote("");
    chooseImage(page, key);
  });
  page.seen.observe(button); // Of a thousand images, only those in sight are read.
  return button;
}

async function loadThumbnail(page, button) {
  page.seen.unobserve(button);
  const key = [...page.byId("album").children].indexOf(button);
  button.firstChild.src = await page.connection.picture(key);
}

/** Explain an image. */
export async function chooseImage(page, key) {
  page.image = key;
  page.facts = null;
  for (const side of page.sides) side.unit = null;
  [...page.byId("album").children].forEach((each, index) => each.setAttribute("aria-pressed", index === key));
  page.byId("picture").removeAttribute("src");
  page.byId("empty").hidden = true;
  page.byId("top").replaceChildren();
  clearMap(page, 0);
  clearMap(page, 1);
  page.stage.clear();
  clearAnswers(page);
  askAll(page);
  const address = await page.connection.picture(key);
  if (page.image === key) page.byId("picture").src = address;
}

export function forgetImage(page) {
  page.image = null;
  page.byId("picture").removeAttribute("src");
  page.byId("empty").hidden = false;
}

/** Add the pictures in files, and explain the last one. */
export async function addFiles(page, files) {
  const reasons = [];
  page.showNote("");
  for (const file of files) {
    try {
      const { key, name } = await page.connection.upload(file);
      page.hello.images[key] = name;
      page.byId("album").append(thumbnail(page, key));
      chooseImage(page, key);
    } catch (error) {
      reasons.push(error.message);
      page.showNote(reasons.join(" "));
    }
  }
}
