// Messages to the kernel of a notebook, and from it, through those of the widget.
import { Connection } from "../src/keras_explainable/explorer/static/connection.js";

const PATIENCE = 3000; // Milliseconds without an answer until the page says so.

export class KernelConnection extends Connection {
  constructor(model, receive, lost) {
    super(receive, lost);
    this.model = model;
    this.view = String(Math.random()); // A widget can be shown several times.
    this.listener = (content, buffers) => this.hear(content, buffers);
    model.on("msg:custom", this.listener);
    this.send({ kind: "hello" });
  }

  hear({ view }, buffers) {
    if (view !== this.view) return;
    clearTimeout(this.waiting);
    this.waiting = null;
    const frame = buffers[0]; // Notebooks differ: a buffer, or a view of a part of one.
    const { buffer, byteOffset, byteLength } = ArrayBuffer.isView(frame) ? frame : new Uint8Array(frame);
    this.take(buffer.slice(byteOffset, byteOffset + byteLength));
  }

  send(message) {
    this.waiting ??= setTimeout(() => this.giveUp(), PATIENCE);
    try {
      this.model.send({ ...message, view: this.view });
    } catch {
      this.giveUp(); // JupyterLab refuses messages to a kernel that has ended.
    }
  }

  giveUp() {
    clearTimeout(this.waiting);
    this.waiting = null;
    this.lost("The kernel does not answer: it is busy, or has ended.");
  }

  close() {
    this.send({ kind: "close" });
    clearTimeout(this.waiting);
    this.model.off("msg:custom", this.listener);
    this.forget();
  }
}
