// What is pressed, and tickets that are opened.
import { call, search } from "./asking.js";
import { compose, submit } from "./composer.js";
import { current, draw, pane, shown } from "./desk.js";
import { find } from "./dom.js";
import { known } from "./model.js";
import { PARTS } from "./parts.js";
import { focus, older, openThread, openTicket, read } from "./reading.js";
import { report, reports } from "./reporting.js";
import { REVIEW } from "./review.js";

let session;
const PRESSED = { // by data-do; the rest of it is said behind a space
  ...PARTS,
  ...REVIEW,
  report,
  solved: () => session.call("support.solved", { conversation: shown.id }),
  open: ({ ticket }) => openTicket(ticket),
  jump: ({ ticket, seq, thread }) => openTicket(ticket, Number(seq), thread ? Number(thread) : null),
  new: () => startAsking(),
  list: () => (pane("list"), Object.assign(shown, { id: null, asking: false, reviewing: false }), draw()),
  thread: ({ seq }) => openThread(Number(seq)),
  unthread: () => (pane("ticket"), (shown.root = null), draw(), focus("#message")),
  older: () => older(find("#log")),
  newest: () => openTicket(shown.id),
  close: () => call("conversations.update", { conversation: shown.id, closed: !current().about.closed }),
  react({ seq }, name, pressed) {
    const what = { conversation: shown.id, message: Number(seq), name };
    return call(pressed ? "reactions.remove" : "reactions.add", what);
  },
};

export function startAsking() {
  Object.assign(shown, { asking: true, reviewing: false, id: null });
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

export function listen(given) {
  session = given;
  document.onclick = ({ target }) => {
    const button = target.closest("[data-do]");
    find("#problem").textContent = find("#told").textContent = "";
    const [act, ...name] = button?.dataset.do.split(" ") ?? [];
    if (act) Promise.resolve(PRESSED[act](button.dataset, name.join(" "), button.ariaPressed === "true")).catch(problem);
  };
  submit(find("#ask"), () => ask(session));
  submit(find("#finder"), () => find("#hits button")?.click());
  find("#query").oninput = ({ target }) => search(target.value.trim()).catch(problem);
  reports();
  compose(find("#ticket .composer"), () => null);
  compose(find("#thread .composer"), () => shown.root);
  document.addEventListener("keydown", ({ key }) => key === "Escape" && shown.root && PRESSED.unthread());
  document.onvisibilitychange = () => {
    call("presence.set", { away: document.hidden }).catch(() => {});
    known.tickets.forEach(read);
  };
  let cut = false;
  find("#cut").onclick = ({ target }) => {
    session.cut((cut = !cut)); // as if the network had failed
    target.textContent = cut ? "Go online" : "Go offline";
  };
}

const problem = ({ message }) => (find("#said").textContent = find("#problem").textContent = message);
