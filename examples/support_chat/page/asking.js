// What the page asks the server for beside messages: people, threads, and what was searched for.
import { draw, shown } from "./desk.js";
import { known, moved } from "./model.js";

/** Do an operation of the chat; docs/reference/chat.md has them all. */
export let call, follow;
export function use(session) {
  call = (method, params, key) => session.call(`chat.${method}`, params, key);
  follow = session.subscribe;
}
export const server = new URLSearchParams(location.search).get("server") ?? "http://127.0.0.1:8000";

/** Who is in it, how far they have read, and, from now on, whether they are there. */
export async function people(ticket) {
  const { members } = await call("members.list", { conversation: ticket.id });
  moved(ticket, members.map(({ user, read = 0, delivered = 0 }) => ({ user, read, delivered })));
  const others = members.map(({ user }) => user).filter((user) => user !== known.me);
  const { users } = await call("presence.follow", { users: others });
  for (const { user, availability } of users) known.there.set(user, availability);
  await meet(others);
}

/** Learn the names of users that are not known yet. */
export async function meet(ids) {
  const ask = [...new Set(ids)].filter((id) => id && !known.people.has(id));
  if (ask.length) for (const user of (await call("users.query", { ids: ask })).users) known.people.set(user.id, user);
  draw();
}

/** Which threads that one follows have something new. */
export async function threads() {
  const page = await call("threads.list", { unread: true });
  known.threads = new Map(page.threads.map(({ root, unread }) => [`${root.conversation}/${root.seq}`, unread]));
  draw();
}

export async function search(query) {
  Object.assign(shown, { query, found: query ? shown.found : null });
  const { hits } = query ? await call("search", { query, prefix: true, limit: 20 }) : { hits: null };
  if (shown.query !== query) return; // typed on
  shown.hits = hits;
  await meet((hits ?? []).map(({ message }) => message.sender));
}
