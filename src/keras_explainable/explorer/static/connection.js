// What a page and the computing side exchange, whatever carries it.

/** Return the message in a frame: its JSON, with the bytes that follow if there are any. */
function decoded(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const message = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  if (buffer.byteLength > 4 + length) message.content = buffer.slice(4 + length);
  return message;
}

export class Connection {
  /** `receive` is called with each message, `lost` with a text whenever none can come. */
  constructor(receive, lost) {
    this.receive = receive;
    this.lost = lost;
    this.pictures = new Map();
    this.arrivals = new Map();
  }

  /** Take a frame that came. */
  take(buffer) {
    const message = decoded(buffer);
    if (message.kind === "hello") this.forget();
    if (message.kind !== "picture") this.receive(message);
    else if (message.content) this.arrivals.get(message.image)?.(blobAddress(message.content));
  }

  /** Return the address of a picture, once it is there. */
  picture(key) {
    if (!this.pictures.has(key)) {
      this.pictures.set(key, new Promise((resolve) => this.arrivals.set(key, resolve)));
      this.send({ kind: "picture", image: key });
    }
    return this.pictures.get(key);
  }

  /** Forget all pictures: others may have their numbers. */
  forget() {
    for (const picture of this.pictures.values()) picture.then(URL.revokeObjectURL);
    this.pictures.clear();
    this.arrivals.clear();
  }
}

const blobAddress = (content) => URL.createObjectURL(new Blob([content], { type: "image/png" }));
