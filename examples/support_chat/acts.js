// What is pressed and written.
import { call, search } from "./asking.js";
import { current, draw, pane, shown } from "./desk.js";
import { find } from "./dom.js";
import { known } from "./model.js";
import { older, openThread, openTicket, read } from "./reading.js";

const PRESSED = { // by data-do; the rest of it is said behind a space
  open: ({ ticket }) => openTicket(ticket),
  jump: ({ ticket, seq, thread }) => openTicket(ticket, Number(seq), thread ? Number(thread) : null),
  new: () => startAsking(),
  list: () => (pane("list"), Object.assign(shown, { id: null, asking: false }), draw()),
  thread: ({ seq }) => openThread(Number(seq)),
  unthread: () => (pane("ticket"), (shown.root = null), draw(), find("#message").focus()),
  older: () => older(find("#log")),
  newest: () => openTicket(shown.id),
  close: () => call("conversations.update", { conversation: shown.id, closed: !current().about.closed }),
  react({ seq }, name, pressed) {
    const what = { conversation: shown.id, message: Number(seq), name };
    return call(pressed ? "reactions.remove" : "reactions.add", what);
  },
};

export function startAsking() {
  Object.assign(shown, { asking: true, id: null });
  pane("ticket");
  draw();
  find("#subject").focus();
}

async function ask({ call }) {
  const id = crypto.randomUUID(); // called again after a lost connection, it is still one ticket
  const ticket = { id, subject: find("#subject").value, text: find("#text").value };
  try {
    const { conversation } = await call("support.open", ticket, id);
    find("#ask").reset();
    await openTicket(conversation);
  } catch ({ message }) {
    find("#refused").textContent = message;
  }
}

/** It is shown at once, and sent when there is a connection; the key makes it one message, however often it is sent. */
async function send(input, root) {
  const ticket = current();
  const one = { key: crypto.randomUUID(), text: input.value.trim(), thread: root };
  if (!one.text) return;
  input.value = "";
  ticket.sending.push(one);
  draw();
  const what = { conversation: ticket.id, parts: [{ type: "text", text: one.text }], ...(root && { thread: root }) };
  try {
    const { message } = await call("messages.send", what, one.key);
    ticket.sending.splice(ticket.sending.indexOf(one), 1);
    if (root || !ticket.after) ticket.messages.set(message.seq, { ...message, ...ticket.messages.get(message.seq) });
  } catch ({ message }) {
    one.problem = `Not sent: ${message}`;
  }
  draw();
}

export function listen(session) {
  document.onclick = ({ target }) => {
    const button = target.closest("[data-do]");
    const [act, name] = button?.dataset.do.split(" ") ?? [];
    if (act) Promise.resolve(PRESSED[act](button.dataset, name, button.ariaPressed === "true")).catch(problem);
  };
  const submit = (form, then) => (form.onsubmit = (event) => (event.preventDefault(), then()));
  submit(find("#ask"), () => ask(session));
  submit(find("#finder"), () => {});
  find("#query").oninput = ({ target }) => search(target.value.trim()).catch(problem);
  let typed = 0;
  for (const [form, root] of [[find("#ticket .composer"), () => null], [find("#thread .composer"), () => shown.root]]) {
    const input = form.querySelector("textarea");
    submit(form, () => send(input, root()));
    input.onkeydown = (event) => event.key === "Enter" && !event.shiftKey && !event.isComposing && (event.preventDefault(), form.requestSubmit());
    input.oninput = () => {
      if (Date.now() - typed < 2000) return;
      typed = Date.now();
      call("typing.start", { conversation: shown.id, ...(root() && { thread: root() }) }).catch(() => {}); // it may be lost
    };
  }
  document.onkeydown = ({ key }) => key === "Escape" && shown.root && PRESSED.unthread();
  document.onvisibilitychange = () => {
    call("presence.set", { away: document.hidden }).catch(() => {});
    known.tickets.forEach(read);
  };
  find("#cut").onclick = ({ target }) => {
    const cut = target.ariaPressed !== "true";
    target.ariaPressed = String(cut);
    target.textContent = cut ? "Mend the network" : "Cut the network";
    session.cut(cut);
  };
}

const problem = ({ message }) => (find("#said").textContent = find("#problem").textContent = message);
