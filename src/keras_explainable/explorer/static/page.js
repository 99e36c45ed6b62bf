// What a page knows, and what it asked for.

export class Page {
  /** `root` is the document, or what a widget has in its place. */
  constructor(root) {
    this.root = root;
    this.hello = null;
    this.image = null;
    this.facts = null; // Scores of the image.
    this.active = 0; // Side that the controls change.
    this.sides = [{ unit: null, tolerance: null }, { unit: null, tolerance: null }];
    this.shown = [null, null]; // The last map of each side.
    this.curves = new Map(); // Errors by setting: pairs of samples and error.
    this.questions = {}; // The last one on a point and on a box.
    this.asked = 0;
    this.errors = ["", ""]; // Why a side has no map.
    this.note = "";
    this.waiting = new Set(); // Sides whose maps are asked for in the next frame.
  }

  byId(id) {
    return this.root.getElementById(id);
  }

  get compares() {
    return this.byId("compare").checked;
  }

  /** Return the name of a class with its number, by which classes of one name differ. */
  className(unit) {
    return unit == null ? "" : `${unit}: ${this.hello.classes[unit]}`;
  }

  /** Return what determines the errors of a side but for the number of samples. */
  settingKey(side) {
    const { method, estimator, noise_level, seed, statistic } = this.sides[side];
    const unit = this.sides[side].unit ?? this.facts?.best[0];
    return JSON.stringify([this.image, unit, method, estimator, noise_level, seed, statistic]);
  }

  /** Whether the map that a side shows is all that was asked for. */
  isDone(side) {
    const shown = this.shown[side];
    return Boolean(shown?.done) && shown.request === this.sides[side].request;
  }

  /** Show why a side has no map, until it has one; nothing for "". */
  showError(text, side = this.active) {
    this.errors[side] = text;
    this.showTexts();
  }

  /** Show what became of pictures, until another is chosen. */
  showNote(text) {
    this.note = text;
    this.showTexts();
  }

  showTexts() {
    const errors = this.compares ? this.errors : [this.errors[0]];
    const text = [this.note, ...errors].filter(Boolean).join(" ");
    this.byId("error").textContent = text;
    this.byId("error").hidden = !text;
  }
}
