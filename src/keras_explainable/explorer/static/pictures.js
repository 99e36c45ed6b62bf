// Parts of the picture, and the whole of it as a file.

/** Draw the part of the picture around a pixel of the map. */
export function drawPatch(page, { x, y }) {
  const [rows, columns] = page.stage.shape;
  const canvas = page.byId("patch"), picture = page.byId("picture");
  const across = picture.naturalWidth / columns, down = picture.naturalHeight / rows;
  const radius = Math.max(4, Math.round(columns / 16));
  const side = 2 * radius + 1;
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, 96, 96);
  context.imageSmoothingEnabled = false;
  context.drawImage(picture, (x - radius) * across, (y - radius) * down, side * across, side * down, 0, 0, 96, 96);
  context.strokeStyle = "#fff";
  context.strokeRect(48 - 48 / side, 48 - 48 / side, 96 / side, 96 / side);
  canvas.hidden = false;
}

/** Save the picture as it is shown, with the map of a side, in the picture's resolution. */
export async function savePng(page, side) {
  if (!page.shown[side]) return;
  const picture = page.byId("picture");
  const canvas = new OffscreenCanvas(picture.naturalWidth, picture.naturalHeight);
  const context = canvas.getContext("2d");
  if (page.byId("layers").value === "overlay") context.filter = getComputedStyle(picture).filter;
  context.drawImage(picture, 0, 0);
  context.filter = "none";
  context.drawImage(page.byId(`map-${side}`), 0, 0, canvas.width, canvas.height);
  save(await canvas.convertToBlob({ type: "image/png" }), "map.png");
}

/** Save a file. */
export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 1000);
}
