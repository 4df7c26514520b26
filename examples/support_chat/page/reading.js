// Opening tickets and threads, paging, and saying how far one has read.
import { call, people } from "./asking.js";
import { current, draw, pane, scrollToFound, shown } from "./desk.js";
import { find } from "./dom.js";

/** Not where that brings a keyboard up over half of the screen. */
export const focus = (selector) => matchMedia("(hover: hover)").matches && find(selector).focus();

/** A page of messages: the newest, those before one, or those around one. */
async function load(ticket, place = {}) {
  const asked = { conversation: ticket.id, limit: 40, ...place };
  const fetched = call("messages.list", asked).then((page) => turn(ticket, page, place));
  const paging = (ticket.paging = Promise.allSettled([ticket.paging, fetched]).then(() => ticket.paging === paging && (ticket.paging = null)));
  await fetched;
}

function turn(ticket, page, place) {
  const fetched = page.messages.map((message) => [message.seq, message]);
  const end = fetched.at(-1)?.[0] ?? 0;
  const stay = [...ticket.messages].filter(([seq]) => place.before || (!page.more_after && seq > end)); // said meanwhile
  ticket.messages = new Map([...fetched, ...stay]);
  ticket.before = page.more_before;
  if (!place.before) Object.assign(ticket, { loaded: true, after: page.more_after });
}

export async function openTicket(id, seq = null, root = null) {
  Object.assign(shown, { id, root: null, found: null, asking: false, reviewing: false });
  pane("ticket");
  const ticket = current();
  if (!ticket) return draw(); // just opened: it comes by the inbox
  const elsewhere = seq && !ticket.messages.has(root ?? seq);
  if (elsewhere || !ticket.loaded || (ticket.after && !seq)) await load(ticket, elsewhere ? { around: root ?? seq } : {});
  if (shown.id !== id) return; // on to another one
  draw();
  find("#log").scrollTop = find("#log").scrollHeight;
  if (root) await openThread(root);
  if (seq) scrollToFound((shown.found = seq));
  else focus("#message");
  read(ticket);
  await people(ticket);
}

export async function openThread(root) {
  Object.assign(shown, { root, found: null });
  pane("thread");
  const ticket = current();
  const { messages } = await call("messages.list", { conversation: ticket.id, thread: root });
  for (const message of messages) ticket.messages.set(message.seq, message);
  draw();
  find("#replies").scrollTop = find("#replies").scrollHeight;
  focus("#reply");
  read(ticket);
}

export async function older(log) {
  const ticket = current();
  const fromEnd = log.scrollHeight - log.scrollTop;
  await load(ticket, { before: Math.min(...ticket.messages.keys()) });
  draw();
  log.scrollTop = log.scrollHeight - fromEnd;
}

/** What is on the screen has been read, in the ticket and in the thread; what is elsewhere has arrived. */
export function read(ticket) {
  const seen = ticket === current() && !document.hidden;
  const { last, mine, marked = {} } = ticket;
  const state = seen && ticket.loaded && !ticket.after ? "read" : "delivered";
  if (last && last.seq > Math.max(mine[state] ?? 0, marked[state] ?? 0)) {
    ticket.marked = { ...marked, [state]: last.seq };
    call("receipts.mark", { marks: [{ conversation: ticket.id, [state]: last.seq }] });
    if (state === "read") mine.unread = 0;
  }
  const replies = [...ticket.messages.values()].filter((each) => seen && shown.root && each.thread === shown.root);
  const seq = Math.max(0, ...replies.map((each) => each.seq));
  if (seq > (ticket.readThread?.[shown.root] ?? 0)) {
    ticket.readThread = { ...ticket.readThread, [shown.root]: seq };
    call("threads.read", { conversation: ticket.id, thread: shown.root, seq }).catch(() => {}); // one who does not follow it
  }
  draw();
}
