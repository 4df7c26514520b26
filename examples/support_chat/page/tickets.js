// The list on the left: tickets by last activity, or what a search has found.
import { avatar, find, keep, make, marked, time } from "./dom.js";
import { byActivity, known, name, words } from "./model.js";

/** `shown.hits` is null without a search. */
export function drawTickets(shown) {
  const tickets = byActivity();
  const unread = tickets.filter((ticket) => ticket.mine.unread).length;
  document.title = unread ? `(${unread}) Support` : "Support";
  find("#open-new").hidden = known.team;
  find("#tickets").hidden = Boolean(shown.hits);
  find("#hits").hidden = !shown.hits;
  keep(find("#tickets"), tickets.map((ticket) => row(ticket, shown.id === ticket.id)));
  keep(find("#hits"), (shown.hits ?? []).map(hit));
  find("#none").textContent = shown.hits
    ? shown.hits.length ? "" : "Nothing was found."
    : tickets.length ? "" : known.team ? "No tickets yet. They come in by themselves." : "You have no tickets.";
}

function row({ id, about, mine, last }, open) {
  const customer = about.custom?.customer ?? id;
  const said = last ? words(last) || "…" : "";
  const face = known.team ? customer : (last?.sender ?? customer); // of the other side
  const who = last && (last.sender === known.me ? "You" : name(last.sender));
  const unread = mine.unread ?? 0;
  const shown = [about, unread, said, who, name(customer), name(face), open];
  const draw = () =>
    make("li", {},
      make("button", { className: "row", "data-do": "open", "data-ticket": id, ariaCurrent: String(open) },
        avatar(face, name(face)),
        make("span", { className: "about" },
          make("span", { className: "line" },
            make("strong", {}, about.name),
            about.closed && make("span", { className: "tag" }, "Closed"),
            unread > 0 && make("span", { className: "badge" }, unread, make("span", { className: "quiet" }, " unread"))),
          make("span", { className: "line" },
            make("small", {}, known.team && who !== name(customer) ? `${name(customer)} · ` : "", who && `${who}: ${said}`),
            time(about.last_activity)))));
  return [id, shown, draw];
}

function hit({ message, snippet, marks }) {
  const { conversation, seq, sender, created, thread } = message;
  const subject = known.tickets.get(conversation)?.about.name ?? "";
  const place = { "data-ticket": conversation, "data-seq": seq, "data-thread": thread };
  const draw = () =>
    make("li", {},
      make("button", { className: "row", "data-do": "jump", ...place },
        avatar(sender, name(sender)),
        make("span", { className: "about" },
          make("span", { className: "line" }, make("strong", {}, name(sender)), time(created)),
          make("small", {}, subject, thread && " · in a thread"),
          make("span", { className: "snippet" }, marked(snippet, marks)))));
  return [`${conversation}/${seq}`, [snippet, marks, name(sender), subject], draw];
}
