// Colours of a map.

/** Return the colours of a colour map, RGB for each of 256 steps. */
export function table(base64) {
  return Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
}

/** Return the magnitude with the strongest colour: a percentile, or else the largest. */
export function limitOf(map, percentile) {
  const sorted = Float32Array.from(map, Math.abs).sort();
  const place = Math.ceil((percentile / 100) * (sorted.length - 1));
  return sorted[place] || sorted[sorted.length - 1] || 1;
}

export const isSigned = (map) => map.some((value) => value < 0);

/**
 * Draw a map in colours. The opacity of an overlay is that of the magnitude.
 *
 * @param shape Height and width of the map.
 * @param opacity Opacity where the map is largest, 0 to 1; null for an opaque map.
 */
export function draw(canvas, map, [height, width], colors, limit, signed, opacity) {
  canvas.width = width;
  canvas.height = height;
  const context = canvas.getContext("2d");
  const image = context.createImageData(width, height);
  for (let index = 0; index < map.length; index++) {
    const value = Math.max(-1, Math.min(1, map[index] / limit));
    const place = 3 * Math.min(255, Math.floor(256 * (signed ? (value + 1) / 2 : value)));
    for (let part = 0; part < 3; part++) image.data[4 * index + part] = colors[place + part];
    image.data[4 * index + 3] = opacity === null ? 255 : 255 * opacity * Math.abs(value);
  }
  context.putImageData(image, 0, 0);
}

/** Draw the scale of a colour map. */
export function drawRamp(canvas, colors) {
  const context = canvas.getContext("2d");
  const image = context.createImageData(256, 1);
  for (let step = 0; step < 256; step++) {
    image.data.set([...colors.subarray(3 * step, 3 * step + 3), 255], 4 * step);
  }
  context.putImageData(image, 0, 0);
}
