// The socket to the server: opens again whenever it is lost.

const LONGEST_WAIT = 3000;

/** Return the message in a frame: its JSON, with float32 values if there are any. */
export function decoded(buffer) {
  const length = new DataView(buffer).getUint32(0, true);
  const message = JSON.parse(new TextDecoder().decode(new Uint8Array(buffer, 4, length)));
  if (buffer.byteLength > 4 + length) message.map = new Float32Array(buffer, 4 + length);
  return message;
}

export class Connection {
  /** `receive` is called with each message, `lost` whenever the server cannot be reached. */
  constructor(receive, lost) {
    this.receive = receive;
    this.lost = lost;
    this.wait = 250;
    this.open();
  }

  open() {
    const address = new URL("socket", document.baseURI);
    address.protocol = "ws:";
    const socket = (this.socket = new WebSocket(address));
    socket.binaryType = "arraybuffer";
    socket.onmessage = ({ data }) => {
      this.wait = 250;
      this.receive(decoded(data));
    };
    socket.onclose = () => {
      this.lost();
      setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
    };
  }

  /** Send a message; without a server, it is dropped, and asked for again by the page. */
  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }
}
