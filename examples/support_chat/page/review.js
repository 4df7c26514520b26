// The review queue, for the team: what was reported, who looks at it, and what becomes of it.
import { call, follow, meet } from "./asking.js";
import { draw, pane, shown } from "./desk.js";
import { find, make } from "./dom.js";
import { known } from "./model.js";
import { drawReview } from "./reviewing.js";

const DAY = 86_400; // seconds
export const queue = { cases: [], details: new Map(), restricted: [] };

/** All that waits, and from now on what is new. A signal says that something has changed, and not what it says. */
export async function watch() {
  await follow("cases:all").catch(() => {}); // followed already
  await load();
}

export async function load() {
  const [{ cases }, { restrictions }] = await Promise.all([
    call("cases.list", { limit: 50 }), call("restrictions.list", { limit: 50 })]);
  const mine = cases.filter(({ claimed_by }) => claimed_by === known.me);
  const details = await Promise.all(mine.map(({ id }) => call("cases.get", { case: id })));
  const open = cases.filter(({ state }) => state === "open"); // appeals are for another page
  Object.assign(queue, { cases: open, restricted: restrictions, details: new Map(details.map((each) => [each.case.id, each])) });
  await meet([...cases.flatMap(({ user, claimed_by }) => [user, claimed_by]), ...restrictions.map(({ user }) => user),
    ...details.flatMap(({ reports }) => reports.map(({ reporter }) => reporter))]);
}

export const REVIEW = { // what is pressed, by data-do
  queue: () => (Object.assign(shown, { reviewing: true, asking: false, id: null, root: null }), pane("ticket"), draw(), find("#review h2").focus()),
  claim: ({ id }) => call("cases.claim", { case: id }).then(load),
  release: ({ id }) => call("cases.release", { case: id }).then(load),
  async decide({ id }, action) {
    const text = find(`#told-${id}`).value.trim();
    const until = action === "mute" ? { until: Date.now() / 1000 + DAY } : {};
    await call("cases.decide", { case: id, action, text, ...until }, crypto.randomUUID());
    await load();
    find("#review h2").focus(); // the button is gone
  },
  lift: ({ user, kind, conversation }) => call("restrictions.lift", { user, kind, conversation }).then(load),
};

export function showQueue() {
  find("#queue").hidden = !known.team;
  const waiting = queue.cases.length > 0 && make("span", { id: "queue-count", className: "badge" }, queue.cases.length);
  find("#queue").replaceChildren("Review queue ", waiting || "");
  find("#queue").ariaCurrent = String(shown.reviewing);
  find("#review").hidden = !shown.reviewing;
  if (shown.reviewing) drawReview(queue);
}
