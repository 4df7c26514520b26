// What is open: a ticket, a thread in it, a place that was searched for. Drawn anew whenever something has changed.
import { avatar, find, make } from "./dom.js";
import { drawMessages, drawTyping } from "./messages.js";
import { known, name } from "./model.js";
import { showQueue } from "./review.js";
import { drawTickets } from "./tickets.js";

export const shown = { id: null, root: null, found: null, hits: null, asking: false, reviewing: false };
export const current = () => known.tickets.get(shown.id);

/** On a phone there is room for one of list, ticket and thread. */
export const pane = (which) => (find("#desk").dataset.pane = which);

export function draw() {
  const ticket = current();
  drawTickets(shown);
  showQueue();
  find("#opening").hidden = !shown.asking;
  find("#nothing").hidden = shown.asking || shown.reviewing || Boolean(ticket);
  find("#ticket").hidden = shown.asking || shown.reviewing || !ticket;
  find("#thread").hidden = find("#ticket").hidden || !shown.root;
  if (find("#ticket").hidden) return;
  const { about, mine } = ticket;
  find("#name").textContent = about.name;
  find("#people").replaceChildren(...[...ticket.readers.keys()].filter((user) => user !== known.me).map(person));
  find("#close").hidden = mine.role !== "admin";
  find("#solved").hidden = find("#close").hidden || about.closed;
  find("#close").textContent = about.closed ? "Reopen" : "Close ticket";
  for (const form of document.querySelectorAll(".composer")) form.hidden = about.closed;
  find("#closed").hidden = !about.closed;
  find("#older").hidden = !ticket.before;
  find("#newest").hidden = !ticket.after;
  drawMessages(find("#log"), ticket, null, shown.found);
  if (shown.root) drawMessages(find("#replies"), ticket, shown.root, shown.found);
  drawTyping(ticket);
}

function person(user) {
  const there = known.there.get(user) ?? "offline";
  const said = make("span", { className: "quiet" }, `, ${there}`);
  return make("span", { className: "person", title: there }, avatar(user, name(user), there), name(user), said);
}

export function scrollToFound() {
  draw();
  const there = find(`#${shown.root ? "replies" : "log"} [data-key="${shown.found}"]`);
  there?.scrollIntoView({ block: "center" });
  there?.focus({ preventScroll: true });
}
