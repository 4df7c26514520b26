// Events of one's own inbox.
import { meet, threads } from "./asking.js";
import { shown } from "./desk.js";
import { received } from "./model.js";
import { openTicket } from "./reading.js";
import { answered, hear } from "./reporting.js";

export function inbox(event) {
  received(event);
  hear(event);
  if (event.type === "card.answered") answered(event);
  if (event.type === "thread.updated") threads();
  if (event.type !== "conversation.added") return;
  const { id, custom } = event.conversation.conversation;
  meet([custom?.customer]);
  if (shown.id === id) openTicket(id);
}
