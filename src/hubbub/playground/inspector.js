// The list of frames of one client: what went out and came in, newest last, bounded.

import { element, plural, timeElement } from "./dom.js";
import { Tail } from "./tail.js";

const KEPT = 500;
const SECRETS = new Set(["token", "secret"]);

export class Inspector {
  #root;
  #list;
  #scroller;
  #filter;
  #tail;
  #frames = []; // { direction, object, bytes, at }, the last KEPT
  #total = 0;
  #bytes = 0;
  #paused = false;

  /** @param {HTMLDetailsElement} root the `.inspector`
   *  @param {(command: object) => Promise<object>} send sends a command that was typed in */
  constructor(root, send) {
    this.#root = root;
    this.#list = root.querySelector(".frame-list");
    this.#scroller = root.querySelector(".frames");
    this.#filter = root.querySelector(".frame-filter");
    this.#tail = new Tail(this.#scroller);
    this.#filter.onchange = () => this.#draw();
    root.ontoggle = () => this.#draw();
    root.querySelector(".clear").onclick = () => {
      this.#frames = [];
      this.#draw();
    };
    const pause = root.querySelector(".pause");
    pause.onclick = () => {
      this.#paused = !this.#paused;
      root.classList.toggle("is-paused", this.#paused);
      pause.textContent = this.#paused ? "Resume" : "Pause";
      if (!this.#paused) this.#draw();
    };
    this.#acceptCommands(root.querySelector(".raw"), send);
    this.#draw();
  }

  set label(name) {
    this.#scroller.setAttribute("aria-label", `Frames of ${name}`);
  }

  add({ direction, object, bytes }) {
    const frame = { direction, object, bytes, at: Date.now() };
    this.#total++;
    this.#bytes += bytes;
    this.#frames.push(frame);
    if (this.#frames.length > KEPT) this.#frames.shift();
    this.#offerType(object.type);
    this.#summarize();
    if (this.#paused || !this.#root.open || !this.#shows(frame)) return;
    this.#list.append(row(frame));
    if (this.#list.childElementCount > KEPT) this.#list.firstElementChild.remove();
    this.#list.previousElementSibling.hidden = true;
    this.#tail.grown();
  }

  #shows({ object }) {
    const wanted = this.#filter.value;
    if (wanted === "but-pings") return object.type !== "ping" && !isEmptyResult(object);
    return wanted === "all" || object.type === wanted;
  }

  #offerType(type) {
    if ([...this.#filter.options].some((option) => option.value === type)) return;
    this.#filter.add(new Option(type, type));
  }

  #summarize() {
    this.#root.querySelector(".frame-count").textContent = this.#total.toLocaleString("en");
    this.#root.querySelector(".traffic").textContent = size(this.#bytes);
  }

  #draw() {
    this.#summarize();
    if (!this.#root.open) return this.#list.replaceChildren();
    const shown = this.#frames.filter((frame) => this.#shows(frame));
    this.#list.replaceChildren(...shown.map(row));
    this.#list.previousElementSibling.hidden = shown.length > 0;
    this.#tail.toEnd();
  }

  #acceptCommands(form, send) {
    const input = form.querySelector("input");
    const complaint = this.#root.querySelector(".raw-error");
    form.onsubmit = async (event) => {
      event.preventDefault();
      complaint.textContent = "";
      try {
        await send(JSON.parse(input.value));
      } catch (error) {
        complaint.textContent = error instanceof SyntaxError ? `Not JSON: ${error.message}` : error.message;
      }
    };
  }
}

function isEmptyResult({ type, result }) {
  return type === "result" && result !== null && typeof result === "object" && !Object.keys(result).length;
}

function row({ direction, object, bytes, at }) {
  const out = direction === "out";
  const arrow = element("span", "frame-arrow", out ? "↑" : "↓");
  arrow.setAttribute("role", "img");
  arrow.setAttribute("aria-label", out ? "sent" : "received");
  const summary = element(
    "summary",
    "frame-row",
    arrow,
    timeElement(at, { precise: true }),
    element("span", "frame-type", object.type ?? "?"),
    element("span", "frame-note", note(object)),
    element("span", "frame-size", size(bytes)),
  );
  const details = element("details", "frame", summary);
  details.dataset.direction = direction;
  details.addEventListener(
    "toggle",
    () => {
      const json = element("pre", "frame-json", JSON.stringify(object, hideSecrets, 2));
      json.tabIndex = 0;
      details.append(json);
      showWhole(details, details.closest(".frames"));
    },
    { once: true },
  );
  return element("li", "", details);
}

/** Scroll as far as it takes to see all of `details`, or from its top on. */
function showWhole(details, scroller) {
  const [inner, outer] = [details.getBoundingClientRect(), scroller.getBoundingClientRect()];
  if (inner.bottom > outer.bottom) scroller.scrollTop += Math.min(inner.bottom - outer.bottom, inner.top - outer.top);
}

/** The one thing about a frame that is worth a look before it is opened. */
function note(object) {
  switch (object.type) {
    case "connect":
      return object.resume ? "resume" : "token";
    case "connected":
      return object.resumed ? (object.recovered ? "resumed, recovered" : "resumed") : `session ${object.session}`;
    case "publication":
      return object.offset === undefined ? object.event : `${object.event} #${object.offset}`;
    case "published":
      return object.position ? `#${object.position.offset}` : "";
    case "subscribed":
      return object.position ? `${object.channel} #${object.position.offset}` : object.channel;
    case "join":
    case "leave":
      return object.member.user;
    case "error":
    case "disconnect":
      return `${object.code} ${object.name ?? object.reason}`;
    case "result":
      return object.result?.publications ? plural(object.result.publications.length, "publication") : "";
    default:
      return object.event ?? object.channel ?? object.method ?? "";
  }
}

function hideSecrets(key, value) {
  return SECRETS.has(key) && typeof value === "string" ? `${value.slice(0, 6)}… (${value.length} characters)` : value;
}

function size(bytes) {
  return bytes < 1024 ? `${bytes} B` : `${(bytes / 1024).toFixed(1)} KB`;
}
