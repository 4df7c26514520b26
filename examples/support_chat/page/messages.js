// Messages, in the ticket and in a thread: what was said, reactions, replies, and who has read it.
import { avatar, find, keep, make, time } from "./dom.js";
import { known, name } from "./model.js";
import { drawParts, urlsOf } from "./parts.js";

export const REACTIONS = { "👍": "thumbs up", "❤️": "heart", "🎉": "hooray" };
const people = (ids) => new Intl.ListFormat("en").format(ids.map((id) => (id === known.me ? "you" : name(id))));

/** Of the main timeline, or of the thread of `root`, whose root is its first. */
export function drawMessages(log, ticket, root, found) {
  const timeline = [...ticket.messages.values()].sort((a, b) => a.seq - b.seq);
  const mine = timeline.filter((each) => (root ? each.thread === root || each.seq === root : !each.thread));
  const sending = ticket.sending.filter((each) => each.thread === root);
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 60;
  const last = mine.findLast((each) => each.sender === known.me && each.seq !== root);
  keep(log, [
    ...mine.map((each, at) => message(ticket, each, root, mine[at - 1], each === last && !root, found)),
    ...sending.map((each) => [each.key, each, () => waiting(each)]),
  ]);
  if (atEnd && !found) log.scrollTop = log.scrollHeight;
}

function message(ticket, { seq, sender, created, kind, deleted, edited, reactions = [], replies, ...rest }, root, before, last, found) {
  if (kind === "system") return [seq, rest.parts, () => make("p", { className: "note" }, happened(rest.parts[0]))];
  const own = sender === known.me;
  const follows = before?.sender === sender && created - before.created < 300 && before.seq !== root;
  const { parts = [] } = deleted ? {} : rest;
  const answer = ticket.answers?.get(seq);
  const unread = known.threads.get(`${ticket.id}/${seq}`) ?? 0;
  const seen = last ? receipt(ticket, seq) : "";
  const shown = [parts, deleted, urlsOf(parts), answer, reactions, replies, unread, name(sender), edited, follows, seen, seq === found, ticket.about.closed];
  const chips = reactions.map(({ name: kind, count, users }) =>
    react(seq, kind, users.includes(known.me), `${kind} ${count}, ${REACTIONS[kind] ?? "reaction"}: ${people(users)}`, ` ${count}`));
  const tools = Object.keys(REACTIONS).filter((kind) => !reactions.some((each) => each.name === kind))
    .map((kind) => react(seq, kind, false, `React with ${REACTIONS[kind]}`));
  const draw = () =>
    make("article", { className: `message ${own ? "own" : ""} ${follows ? "follows" : ""} ${seq === found ? "found" : ""}`, tabIndex: -1 },
      avatar(sender, name(sender)),
      make("div", { className: "said" },
        make("header", {}, make("strong", {}, own ? "You" : name(sender)), time(created), edited && sender && make("small", {}, "edited")),
        deleted ? make("p", { className: "text gone" }, "This message was deleted.") : drawParts(parts, seq, ticket.about.closed, answer),
        make("div", { className: "under" }, chips,
          !root && replies > 0 && make("button", { className: "replies", "data-do": "thread", "data-seq": seq },
            `${replies} ${replies === 1 ? "reply" : "replies"}`, unread > 0 && make("span", { className: "badge" }, `${unread} new`)),
          !deleted && !ticket.about.closed && make("span", { className: "tools" }, tools,
            !root && make("button", { "data-do": "thread", "data-seq": seq }, "Reply in thread"),
            sender && !own && make("button", { "data-do": "report", "data-seq": seq }, "Report"))),
        seen && make("small", { className: "receipt" }, seen)));
  return [seq, shown, draw];
}

function react(seq, kind, mine, label, count = "") {
  return make("button", { className: count ? "chip" : "", ariaPressed: String(mine), ariaLabel: label, title: label,
    "data-do": `react ${kind}`, "data-seq": seq }, `${kind}${count}`);
}

const waiting = ({ text, files, problem }) =>
  make("article", { className: "message own waiting" }, make("div", { className: "said" },
    make("p", { className: "text" }, [text, ...files.map(({ name }) => name)].filter(Boolean).join("\n")), make("small", { className: "receipt" }, problem ?? "Sending…")));

function receipt(ticket, seq) {
  const others = [...ticket.readers.values()].filter(({ user }) => user !== known.me);
  const readers = others.filter(({ read }) => read >= seq).map(({ user }) => user);
  if (readers.length) return `Read by ${people(readers)}`;
  return others.some(({ delivered }) => delivered >= seq) ? "Delivered" : "Sent";
}

const HAPPENED = { "member.joined": "joined", "member.left": "left", "member.removed": "was removed", "member.invited": "was invited" };
const happened = ({ event, users = [] }) => `${people(users)} ${HAPPENED[event] ?? "changed"}`;

export function drawTyping(ticket) {
  const typing = [...(ticket?.typing.keys() ?? [])];
  find("#typing").textContent = typing.length ? `${people(typing)} ${typing.length > 1 ? "are" : "is"} typing…` : "";
}
