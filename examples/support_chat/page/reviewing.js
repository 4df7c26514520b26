// How the review queue looks.
import { avatar, find, keep, make, time } from "./dom.js";
import { known, name, words } from "./model.js";

const CHOICES = { // by what the case is about
  message: { dismiss: "Nothing wrong", warn: "Warn", delete: "Delete message", mute: "Mute for a day" },
  hold: { approve: "Send it", reject: "Reject", mute: "Mute for a day" },
  user: { dismiss: "Nothing wrong", warn: "Warn", mute: "Mute for a day" },
};
const KINDS = { mute: "muted", ban: "banned", shadow: "shadow-banned" };
const act = (what, label, data, className) => make("button", { className, "data-do": what, ...data }, label);

export function drawReview({ cases, details, restricted }) {
  keep(find("#cases"), cases.map((each) => [each.id, state(each, details), () => drawCase(each, details.get(each.id))]));
  keep(find("#restricted"), restricted.map(restriction));
  find("#no-cases").hidden = cases.length > 0;
  find("#restricted-title").hidden = !restricted.length;
}

const state = ({ claimed_by, reports, reasons, user }, details) => [claimed_by, reports, reasons, name(user), name(claimed_by), details.size];

function drawCase({ id, subject, user, conversation, message, reasons = [], reports, parts = [], created, claimed_by }, found) {
  const place = { "data-ticket": conversation, "data-seq": message };
  const mine = claimed_by === known.me;
  return make("li", { className: "case", ariaLabel: `About ${name(user)}` },
    make("header", {}, avatar(user, name(user)), make("strong", {}, name(user)),
      reasons.map((reason) => make("span", { className: "tag" }, reason.replace("_", " "))),
      make("small", {}, `${reports} ${reports === 1 ? "report" : "reports"}`), time(created)),
    make("blockquote", {}, words({ parts }) || "The user as such."),
    found?.reports.map(({ reporter, reason, note }) => make("p", {}, `${name(reporter)}: ${reason}`, note && ` — ${note}`)),
    mine && told(id, user),
    make("div", { className: "acts" },
      mine && Object.entries(CHOICES[subject]).map(([action, label]) => act(`decide ${action}`, label, { "data-id": id })),
      message && act("jump", "Show it", place),
      !claimed_by && act("claim", "Claim", { "data-id": id }, "primary"),
      mine && act("release", "Give back", { "data-id": id }),
      claimed_by && !mine && make("small", {}, `${name(claimed_by)} has claimed it.`)));
}

function told(id, user) {
  const field = make("input", { id: `told-${id}`, maxLength: 500, autocomplete: "off" });
  return make("label", {}, `What ${name(user)} is told`, field);
}

function restriction({ user, kind, conversation, until, reason }) {
  const where = conversation ? (known.tickets.get(conversation)?.about.name ?? "a ticket") : "everywhere";
  const data = { "data-user": user, "data-kind": kind, "data-conversation": conversation };
  const said = `${name(user)} is ${KINDS[kind]} in ${where}`.replace("in everywhere", "everywhere");
  const draw = () => make("li", {}, make("span", {}, said, until && ` until ${new Date(until * 1000).toLocaleString()}`, reason && `: ${reason}`),
    act("lift", "Lift", { ...data, ariaLabel: `Lift it for ${name(user)}` }));
  return [`${user}/${conversation}/${kind}`, [said, until, reason], draw];
}
