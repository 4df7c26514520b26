// What the page knows. An event carries what has become of the thing that it is about, so to apply it is to replace it.
export const known = {
  me: new URLSearchParams(location.search).get("as"),
  team: false, // whether that is one of the team
  tickets: new Map(), // by id
  people: new Map(), // users and their presence, by id
  there: new Map(),
  threads: new Map(), // what is unread in a thread, by `conversation/root`
  token: null, // of the last sync
};

const fresh = () => ({ seq: 0, messages: new Map(), loaded: false, readers: new Map(), typing: new Map(), sending: [] });

/** A conversation as sync and the inbox tell of it: what it is now, and either what was missed or the newest messages. */
export function returned({ conversation: { conversation, membership, last_message }, seq, events, messages, more_before }) {
  const ticket = known.tickets.get(conversation.id) ?? fresh();
  known.tickets.set(conversation.id, ticket);
  events?.forEach((event) => apply(ticket, event));
  if (messages) {
    ticket.messages = new Map(messages.map((message) => [message.seq, message]));
    Object.assign(ticket, { loaded: true, before: more_before, after: false });
  }
  Object.assign(ticket, { id: conversation.id, about: conversation, mine: membership, last: last_message });
  ticket.seq = Math.max(ticket.seq, seq ?? conversation.seq);
}

/** An event of a conversation's log. True if it is a new message. */
export function apply(ticket, event) {
  if (event.seq <= ticket.seq) return false; // live and by sync
  const { messages, readers, about, mine } = ticket;
  const { type, message, member } = event;
  ticket.seq = event.seq;
  if (type === "conversation.updated") ticket.about = event.updated;
  else if (type === "member.changed") member.state === "joined" ? readers.set(member.user, member) : readers.delete(member.user);
  else if (type === "reactions.changed") replace(messages, message, { reactions: event.reactions });
  else if (event.withheld) replace(messages, message.seq, message); // all but the words
  else if (type === "message.updated" || type === "message.deleted") (messages.has(message.seq) && messages.set(message.seq, message), ticket.last?.seq === message.seq && (ticket.last = message));
  else if (type === "message.created") {
    if (message.thread) replace(messages, message.thread, { replies: event.replies });
    if (message.thread || !ticket.after) messages.set(message.seq, message);
    ticket.typing.delete(message.sender);
    if (message.number) {
      ticket.about = { ...about, last_activity: message.created };
      ticket.last = message;
      if (message.sender === known.me) mine.unread = 0;
      else mine.unread = (mine.unread ?? 0) + 1;
      if (message.sender) moved(ticket, [{ user: message.sender, read: message.seq, delivered: message.seq }]); // who sends has read
    }
    return true;
  }
  return false;
}

/** Once the page of messages that is being fetched is there: it may be older than what has come meanwhile. */
export const behind = (id, act) => (known.tickets.get(id)?.paging ?? Promise.resolve()).then(act);

function replace(messages, seq, changes) {
  if (messages.has(seq)) messages.set(seq, { ...messages.get(seq), ...changes });
}

/** Receipts: cursors only go forward. */
export function moved(ticket, receipts = []) {
  for (const { user, read, delivered } of ticket ? receipts : []) {
    const old = ticket.readers.get(user) ?? { read: 0, delivered: 0 };
    ticket.readers.set(user, { ...old, user, read: Math.max(old.read ?? 0, read), delivered: Math.max(old.delivered ?? 0, delivered) });
  }
}

/** An event of one's own inbox: it is the same on all of one's devices. */
export function received(event) {
  const ticket = known.tickets.get(event.conversation);
  if (event.type === "conversation.added") returned({ conversation: event.conversation });
  else if (event.type === "conversation.removed") known.tickets.delete(event.conversation);
  else if (event.type === "membership.updated" && ticket) ticket.mine = event.membership;
  else if (event.type === "thread.updated") known.threads.delete(`${event.conversation}/${event.thread}`);
}

export const name = (id) => known.people.get(id)?.name || id || "Support"; // the server itself has no id
export const words = ({ parts = [] }) => parts.map((part) => part.title ?? part.text ?? part.name ?? `[${part.type}]`).join("\n");
export const byActivity = () => [...known.tickets.values()].sort((a, b) => b.about.last_activity - a.about.last_activity);
