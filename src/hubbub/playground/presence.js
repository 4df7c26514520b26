// Who is in the channel: asked once, then kept up by joins and leaves.

import { element, plural } from "./dom.js";
import { avatarOf } from "./messages.js";

const SHOWN = 12;

export class PresenceList {
  #list;
  #note;
  #title;
  #users = new Set();
  #asking = false;
  #stale = false;

  /** @param {HTMLElement} root the `.presence` */
  constructor(root) {
    this.#list = root.querySelector(".members");
    this.#note = root.querySelector(".presence-note");
    this.#title = root.querySelector(".presence-title");
  }

  /** Nothing is known, for the reason in `note`. */
  clear(note = "") {
    this.#users.clear();
    this.#draw(note);
  }

  /** `query` resolves with a Presence. A join or leave that comes before its answer makes us ask again. */
  async refresh(query) {
    if (this.#asking) {
      this.#stale = true;
      return;
    }
    this.#asking = true;
    try {
      do {
        this.#stale = false;
        this.#show(await query());
      } while (this.#stale);
    } catch (error) {
      if (error.name === "not_available") this.clear("Presence is off in this namespace");
    } finally {
      this.#asking = false;
    }
  }

  join({ user }) {
    this.#stale = true;
    this.#users.add(user);
    this.#draw();
  }

  leave({ user }) {
    this.#stale = true;
    this.#users.delete(user);
    this.#draw();
  }

  #show({ users, members }) {
    this.#users = new Set((members ?? []).map((member) => member.user));
    this.#draw(members ? "" : `${plural(users, "person", "people")}, too many to list`);
  }

  #draw(note = "") {
    const users = [...this.#users].sort();
    this.#title.textContent = users.length ? `${users.length} here` : "Here";
    const rows = users.slice(0, SHOWN).map((user) => {
      const row = element("li", "member", avatarOf(user), element("span", "member-name", user));
      row.title = user;
      return row;
    });
    if (users.length > SHOWN) rows.push(element("li", "member-rest", `and ${users.length - SHOWN} more`));
    this.#list.replaceChildren(...rows);
    this.#note.textContent = note;
    this.#note.hidden = !note;
  }
}
