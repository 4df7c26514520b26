// What was said in the channel, as one client saw it: publications in order, and where it was away.

import { element, hue, initial, timeElement } from "./dom.js";
import { Tail } from "./tail.js";

const KEPT = 500;

export class MessageList {
  #list;
  #more;
  #unseen = 0;
  #tail;
  user = "";

  /** @param {HTMLElement} root the `.messages`; @param {HTMLButtonElement} more leads to what is below */
  constructor(root, more) {
    this.#list = root.querySelector(".message-list");
    this.#more = more;
    this.#tail = new Tail(root, () => this.#seen());
    more.onclick = () => {
      this.#tail.toEnd();
      this.#seen();
      root.focus();
    };
  }

  clear() {
    this.#list.replaceChildren();
    this.#tail.toEnd();
    this.#seen();
  }

  publication(publication, { recovered = false } = {}) {
    this.#append(this.#row(publication, recovered));
  }

  /** Older ones, above all others. */
  earlier(publications) {
    this.#list.prepend(...publications.map((each) => this.#row(each, false)));
    this.#tail.grown();
  }

  /** A line across the list; `tone` is "good", "bad" or "quiet". */
  divider(tone, text) {
    const line = element("li", "divider", element("span", "", text));
    line.dataset.tone = tone;
    this.#append(line);
  }

  /** A message that waits for the link. Returns what takes it away again; `fail(reason)` leaves it, refused. */
  pending(text) {
    const state = element("span", "message-tag", "waiting");
    const row = element("li", "message pending", head(this.user, state), element("div", "message-body", text));
    this.#append(row);
    return {
      remove: () => row.remove(),
      fail: (reason) => {
        row.classList.replace("pending", "failed");
        state.textContent = `not sent: ${reason}`;
      },
    };
  }

  #append(row) {
    this.#list.append(row);
    while (this.#list.childElementCount > KEPT) this.#list.firstElementChild.remove();
    if (this.#tail.follows) {
      this.#tail.grown();
    } else if (row.classList.contains("message")) {
      this.#unseen++;
      this.#more.textContent = `${this.#unseen} new ↓`;
      this.#more.hidden = false;
    }
  }

  #seen() {
    this.#unseen = 0;
    this.#more.hidden = true;
  }

  #row({ event, data, sender, time, offset }, recovered) {
    const parts = [];
    if (event !== "message") parts.push(element("code", "message-event", event));
    if (recovered) parts.push(element("span", "message-tag", "recovered"));
    const aside = element("span", "message-aside", timeElement(time * 1000));
    if (offset !== undefined) {
      const place = element("span", "message-offset", `#${offset}`);
      place.title = "Offset in the channel’s log";
      aside.append(place);
    }
    const row = element("li", "message", head(sender ?? "server", ...parts, aside), body(data));
    row.classList.toggle("own", sender === this.user);
    row.classList.toggle("recovered", recovered);
    if (offset !== undefined) row.dataset.offset = offset;
    return row;
  }
}

function head(sender, ...rest) {
  const avatar = avatarOf(sender);
  return element("div", "message-head", avatar, element("b", "message-sender", sender), ...rest);
}

export function avatarOf(user) {
  const avatar = element("span", "avatar", initial(user));
  avatar.dataset.hue = hue(user);
  avatar.setAttribute("aria-hidden", "true");
  return avatar;
}

/** Text as text; whatever else as JSON. */
function body(data) {
  const text = typeof data === "string" ? data : data?.text;
  if (typeof text === "string" && (typeof data === "string" || Object.keys(data).length === 1)) {
    return element("div", "message-body", text);
  }
  return element("pre", "message-body mono", JSON.stringify(data, null, 2));
}
