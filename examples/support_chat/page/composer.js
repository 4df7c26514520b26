// Writing a message, in a ticket or in a thread of it, and seeing that others do.
import { call } from "./asking.js";
import { attach } from "./attaching.js";
import { current, draw, shown } from "./desk.js";

export const submit = (form, then) => form.addEventListener("submit", (event) => (event.preventDefault(), then()));
const INTERVAL = 2000; // milliseconds, between two times of saying that one types

/** `root()` is the thread that the form writes in; null: none. */
export function compose(form, root) {
  const input = form.querySelector("textarea");
  const attached = attach(form);
  let typed = 0;
  submit(form, () => send(input, root(), attached));
  input.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
    event.preventDefault();
    form.requestSubmit();
  });
  input.addEventListener("input", () => {
    if (Date.now() - typed < INTERVAL) return;
    typed = Date.now();
    call("typing.start", { conversation: shown.id, thread: root() ?? undefined }).catch(() => {}); // it may be lost
  });
}

/** It is shown at once, and sent when there is a connection; the key makes it one message, however often it is sent. */
async function send(input, root, attached) {
  const ticket = current();
  const one = { key: crypto.randomUUID(), text: input.value.trim(), files: attached(), thread: root };
  if (!one.text && !one.files.length) return;
  input.value = "";
  ticket.sending.push(one);
  draw();
  try {
    const files = await Promise.all(one.files.map(async ({ id }) => ({ type: "file", file: await id })));
    const parts = one.text ? [{ type: "text", text: one.text }, ...files] : files;
    const what = { conversation: ticket.id, parts, thread: root ?? undefined };
    const { message } = await call("messages.send", what, one.key);
    ticket.sending.splice(ticket.sending.indexOf(one), 1);
    if (root || !ticket.after) ticket.messages.set(message.seq, { ...message, ...ticket.messages.get(message.seq) });
  } catch ({ message }) {
    one.problem = `Not sent: ${message}`;
  }
  draw();
}

/** Somebody types, for the next `ttl` seconds. */
export function typing(ticket, { user, ttl, thread }) {
  clearTimeout(ticket.typing.get(user));
  ticket.typing.delete(user);
  if (ttl && !thread) ticket.typing.set(user, setTimeout(() => (ticket.typing.delete(user), draw()), ttl * 1000));
}
