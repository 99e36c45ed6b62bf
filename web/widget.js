// The widget: the explorer's page within a notebook, in a shadow root, so that neither the
// notebook's styles and ids nor the explorer's reach each other.
import styles from "../src/keras_explainable/explorer/static/explorer.css";
import { explore } from "../src/keras_explainable/explorer/static/explorer.js";
import page from "../src/keras_explainable/explorer/static/index.html";
import { KernelConnection } from "./kernel_connection.js";

function render({ model, el }) {
  const host = document.createElement("div");
  host.dataset.lmSuppressShortcuts = ""; // In JupyterLab, a key on the map is none of its own.
  const root = host.attachShadow({ mode: "open" });
  const sheet = new CSSStyleSheet();
  sheet.replaceSync(styles);
  root.adoptedStyleSheets = [sheet];
  root.append(...new DOMParser().parseFromString(page, "text/html").body.children);
  el.append(host);
  for (const note of document.querySelectorAll(".keras-explainable-note")) note.hidden = true;
  const forgetTheme = followTheme(host);
  let connection;
  explore(root, (...functions) => (connection = new KernelConnection(model, ...functions)));
  return () => {
    connection.close();
    forgetTheme();
  };
}

/** Be dark where the notebook's text is light. */
function followTheme(host) {
  const context = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });
  const follow = () => {
    context.fillStyle = getComputedStyle(host.parentElement ?? host).color;
    context.fillRect(0, 0, 1, 1);
    const [red, green, blue] = context.getImageData(0, 0, 1, 1).data;
    host.style.colorScheme = red + green + blue > 384 ? "dark" : "light";
  };
  const resized = new ResizeObserver(follow); // At first, when the notebook shows the widget.
  resized.observe(host);
  const changed = new MutationObserver(follow);
  for (const element of [document.documentElement, document.body]) {
    changed.observe(element, { attributes: true });
  }
  return () => {
    resized.disconnect();
    changed.disconnect();
  };
}

export default { render };
