// The stage: pointer and keys choose a pixel or a box of the map.

const CLICK = 4; // Pixels that the pointer may move in a click.
const ARROWS = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };

export class Stage {
  /**
   * @param onPoint Called with x and y of a pixel of the map, and the side it is on.
   * @param onBox Called with left, top, right and bottom of a box.
   */
  constructor(element, box, cross, onPoint, onBox) {
    Object.assign(this, { element, box, cross, onPoint, onBox });
    this.shape = null;
    this.boxed = null;
    element.addEventListener("pointerdown", (event) => this.down(event));
    element.addEventListener("pointermove", (event) => this.move(event));
    element.addEventListener("pointerup", (event) => this.up(event));
    element.addEventListener("keydown", (event) => this.press(event));
  }

  /** Set the height and width of the maps; another size forgets what was chosen. */
  setShape(shape) {
    if (String(shape) === String(this.shape)) return;
    this.shape = shape;
    this.clear();
  }

  clear() {
    this.point = this.boxed = null;
    this.box.hidden = this.cross.hidden = true;
  }

  pixel({ clientX, clientY }) {
    const { left, top, width, height } = this.element.getBoundingClientRect();
    const [rows, columns] = this.shape;
    const inside = (value, count) => Math.max(0, Math.min(count - 1, Math.floor(value * count)));
    return [inside((clientX - left) / width, columns), inside((clientY - top) / height, rows)];
  }

  down(event) {
    if (!this.shape || event.button) return;
    this.element.setPointerCapture(event.pointerId);
    this.start = [event.clientX, event.clientY];
    this.first = this.pixel(event);
  }

  move(event) {
    if (!this.start) return;
    const [x, y] = this.start;
    if (Math.hypot(event.clientX - x, event.clientY - y) > CLICK) {
      this.setBox(this.first, this.pixel(event));
    }
  }

  up(event) {
    if (!this.start) return;
    const [x, y] = this.start;
    this.start = null;
    if (Math.hypot(event.clientX - x, event.clientY - y) > CLICK) this.onBox(...this.boxed);
    else this.choose(this.first, (event.clientX - this.element.getBoundingClientRect().left)
      / this.element.clientWidth);
  }

  choose([x, y], across) {
    this.setPoint([x, y]);
    this.onPoint(x, y, across);
  }

  setPoint([x, y]) {
    this.point = [x, y];
    const [rows, columns] = this.shape;
    this.cross.hidden = false;
    this.cross.style.left = `${(100 * (x + 0.5)) / columns}%`;
    this.cross.style.top = `${(100 * (y + 0.5)) / rows}%`;
  }

  setBox([x1, y1], [x2, y2]) {
    const [rows, columns] = this.shape;
    const [left, right] = [Math.min(x1, x2), Math.max(x1, x2)];
    const [top, bottom] = [Math.min(y1, y2), Math.max(y1, y2)];
    this.boxed = [left, top, right, bottom];
    this.corner = [x2, y2];
    this.box.hidden = false;
    this.box.style.left = `${(100 * left) / columns}%`;
    this.box.style.top = `${(100 * top) / rows}%`;
    this.box.style.width = `${(100 * (right - left + 1)) / columns}%`;
    this.box.style.height = `${(100 * (bottom - top + 1)) / rows}%`;
  }

  press(event) {
    if (!this.shape) return;
    const [rows, columns] = this.shape;
    const middle = [Math.floor(columns / 2), Math.floor(rows / 2)];
    if (event.key === "Enter") this.choose(this.point ?? middle, (this.point ?? middle)[0] / columns);
    else if (event.key in ARROWS) this.moveBy(event, this.point ?? middle);
    else return;
    event.preventDefault();
  }

  moveBy(event, point) {
    const [rows, columns] = this.shape;
    const step = Math.max(1, Math.round(columns / 32));
    const moved = ([x, y]) => {
      const [across, down] = ARROWS[event.key];
      const limited = (value, count) => Math.max(0, Math.min(count - 1, value));
      return [limited(x + step * across, columns), limited(y + step * down, rows)];
    };
    if (!event.shiftKey) return this.setPoint(moved(point));
    this.setPoint(point);
    this.setBox(point, moved(this.boxed ? this.corner : point));
    this.onBox(...this.boxed);
  }
}
