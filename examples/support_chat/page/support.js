// The page: its session, and what comes by it.
import { listen, startAsking } from "./acts.js";
import { call, meet, people, server, threads, use } from "./asking.js";
import { typing } from "./composer.js";
import { current, draw, shown } from "./desk.js";
import { avatar, find, make } from "./dom.js";
import { inbox } from "./inbox.js";
import { apply, behind, known, moved, name, returned, words } from "./model.js";
import { openThread, openTicket, read } from "./reading.js";
import { load, watch } from "./review.js";
import { connect } from "./session.js";

let syncing = Promise.resolve();

/** Everything, or all that has changed since the last time; from there on the session follows what is new. */
async function sync() {
  for (let page = { more: true }; page.more; known.token = page.token) {
    const positions = Object.fromEntries([...known.tickets].map(([id, { seq }]) => [id, seq]));
    page = await call("sync", { token: known.token, positions, live: true });
    if (page.reset) known.tickets.clear();
    if (page.me) known.people.set(known.me, page.me.user);
    for (const each of page.conversations ?? []) await behind(each.conversation.conversation.id, () => returned(each));
    page.removed?.forEach((id) => known.tickets.delete(id));
    for (const { conversation, receipts } of page.receipts ?? []) moved(known.tickets.get(conversation), receipts);
  }
  known.team = known.people.get(known.me)?.custom?.team ?? false;
  find("#me").replaceChildren(avatar(known.me, name(known.me)), make("span", {}, name(known.me)));
  if (!known.team && !known.tickets.size) startAsking();
  known.tickets.forEach(read);
  await meet([...known.tickets.values()].flatMap(({ about, last }) => [about.custom?.customer, last?.sender]));
  await threads();
  if (current() && shown.root) await openThread(shown.root);
  if (known.team) await watch();
  if (current()) await people(current());
}

/** The logs have brought what was missed; receipts and presence are in none. */
const back = () => Promise.all([current() && people(current()), known.team && load()]);

function publication({ channel, event, data }) {
  const [kind, id] = channel.split(":");
  const ticket = known.tickets.get(id);
  if (kind === "status") known.there.set(data.user, data.availability);
  else if (kind === "inbox") inbox(data);
  else if (kind === "cases") load();
  else if (!ticket) return;
  else if (ticket.paging) return behind(id, () => publication({ channel, event, data }));
  else if (event === "receipts") moved(ticket, data.receipts);
  else if (event === "typing") typing(ticket, data);
  else if (apply(ticket, data) && data.message.sender !== known.me) arrived(ticket, data.message);
  draw();
}

function arrived(ticket, message) {
  find("#said").textContent = `${name(message.sender)}: ${words(message)}`;
  read(ticket);
  meet([message.sender]);
  if (message.thread) threads();
}

const state = (is, said) => (Object.assign(find("#status"), { textContent: said }).dataset.state = is);

if (known.me) {
  for (const each of ["#desk", "#status", "#cut", "#me"]) find(each).hidden = false;
  const session = connect({
    url: `${server.replace("http", "ws")}/v1/ws`,
    token: known.me, // yours would be a JWT, or a cookie
    onLive: (whole) => (syncing = syncing.then(whole ? back : sync).catch(({ message }) => state("ended", message))),
    onPublication: publication,
    onState: state,
  });
  use(session);
  listen(session);
} else find("#welcome").hidden = false;
