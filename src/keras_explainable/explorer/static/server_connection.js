// The socket to the server: opens again whenever it is lost.
import { Connection } from "./connection.js";

const LONGEST_WAIT = 3000;

export class ServerConnection extends Connection {
  constructor(receive, lost) {
    super(receive, lost);
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
      this.take(data);
    };
    socket.onclose = () => {
      this.lost("The server cannot be reached; trying again…");
      setTimeout(() => this.open(), this.wait);
      this.wait = Math.min(2 * this.wait, LONGEST_WAIT);
    };
  }

  /** Send a message; without a server, it is dropped, and asked for again by the page. */
  send(message) {
    if (this.socket.readyState === WebSocket.OPEN) this.socket.send(JSON.stringify(message));
  }

  /** Send a file, and return the number and the name of the image in it. */
  async upload(file) {
    const address = `images?name=${encodeURIComponent(file.name)}`;
    const answer = await fetch(address, { method: "POST", body: file }).catch(() => {
      throw new Error(`${file.name} did not reach the server. Add it again once the server is back.`);
    });
    const found = await answer.json();
    if (!answer.ok) throw new Error(found.error);
    return found;
  }
}
