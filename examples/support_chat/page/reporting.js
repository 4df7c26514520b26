// Reporting a message, and hearing what moderators make of it.
import { call } from "./asking.js";
import { shown } from "./desk.js";
import { find, make } from "./dom.js";
import { known } from "./model.js";

const REASONS = { spam: "Spam", abuse: "Abuse", hate: "Hate", violence: "Violence", sexual: "Sexual content", other: "Something else" };
let about;

export function report({ seq }) {
  about = { conversation: shown.id, message: Number(seq) };
  find("#reason").replaceChildren(...Object.entries(REASONS).map(([value, label]) => make("option", { value }, label)));
  find("#report").showModal();
}

export function reports() {
  find("#report").onclose = async ({ target }) => {
    if (target.returnValue === "send") {
      const said = { reason: find("#reason").value, note: find("#note").value };
      tell(await call("reports.create", { ...about, ...said }).then(() => "Thank you. A moderator will look at it.", ({ message }) => message));
    }
    target.returnValue = find("#note").value = "";
  };
}

const tell = (words) => (find("#said").textContent = find("#told").textContent = words);
const DECIDED = { warn: "warned you", delete: "deleted a message of yours", reject: "did not let a message of yours be sent" };

/** An event of one's own inbox, in words; those that are about moderation. */
export function hear({ type, action, acted, kind, lifted, until, reason, text }) {
  const why = text || reason ? ` “${text || reason}”` : "";
  if (type === "case.decided" && DECIDED[action]) tell(`A moderator ${DECIDED[action]}.${why}`);
  if (type === "report.decided") tell(acted ? "Something was done about what you have reported." : "Nothing wrong was found in what you have reported.");
  if (type !== "restriction.changed") return;
  const end = until ? ` until ${new Date(until * 1000).toLocaleString()}` : "";
  tell(lifted ? "You may write again." : kind === "mute" ? `You may not write${end}.${why}` : `You were banned${end}.${why}`);
}

/** The program of a card has answered. */
export function answered({ conversation, message, parts }) {
  const ticket = known.tickets.get(conversation);
  const words = parts.map(({ text }) => text).join("\n");
  if (ticket) (ticket.answers ??= new Map()).set(message, words);
  find("#said").textContent = words;
}
